//! Robustness against failures and over time: lost devices, exhausted memory, killed processes, threads.

mod common;
mod kill;
mod lost;
mod memory;
#[path = "../common/not_run.rs"]
mod not_run;
mod threads;
