//! Robustness against failures and over time: lost devices, exhausted memory, killed processes, threads.

mod common;
mod kill;
mod lost;
mod memory;
mod threads;
