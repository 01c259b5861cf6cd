//! The executor of the CPU against the reference and the golden vectors.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)] // some items are used only by the reference's tests
#[path = "../reference/problem.rs"]
mod problem;

#[path = "../reference/matrices.rs"]
mod matrices;
#[path = "../reference/fisher.rs"]
mod sample_by_sample;

mod activations;
mod fisher;
mod golden;
mod layers;
mod outside;
mod own;
mod products;
mod sampled;
mod sums;
mod trainer;
mod weights;
