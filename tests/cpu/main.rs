//! The executor of the processor against the reference and the golden vectors.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)] // what only the reference's own tests use
#[path = "../reference/problem.rs"]
mod problem;

mod golden;
mod layers;
mod sums;
mod trainer;
