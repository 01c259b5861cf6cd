//! What must hold when something breaks, and over a long time: lost devices, full memories, killed processes,
//! threads.

mod common;
mod kill;
mod lost;
mod memory;
mod threads;
