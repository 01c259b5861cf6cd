//! The GPU against the reference, on whatever adapter this machine has; without one these tests fail.

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
mod areas;
mod attention;
mod batch_norm;
mod between;
mod bits;
mod chained;
mod classes;
mod cooperative;
mod divergence;
mod embedding;
mod errors;
mod families;
mod fewer_dispatches;
mod fisher;
mod foreign;
mod fused_update;
mod fusion;
mod golden;
mod graph;
mod guards;
mod half;
mod harness;
mod images;
mod inputs;
mod layers;
mod limits;
mod memory;
mod noise;
mod nonfinite;
mod norm;
mod optimizers;
mod outside;
mod over;
mod own;
mod partial;
mod prelu;
mod products;
mod profile;
mod properties;
mod recurrent;
mod sample_weights;
mod sampled;
mod shared;
mod signed_targets;
mod sizes;
mod small;
mod tables;
mod together;
mod wgsl;
mod whole;
