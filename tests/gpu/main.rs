//! The GPU against the referee, on whatever adapter this machine has; without one these tests fail.

#[path = "../common/mod.rs"]
mod common;

mod golden;
mod harness;
