//! What must hold when something breaks, and over a long time: lost devices, full memories, killed processes, threads,
//! leaks. `HESSCALE_STEPS` makes the long runs longer.

mod common;
mod kill;
mod leaks;
mod lost;
mod memory;
mod threads;
