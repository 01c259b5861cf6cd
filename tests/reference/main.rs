//! The CPU reference against an independent program's vectors, exact derivatives, and hand-computed values.

#[path = "../common/mod.rs"]
mod common;

mod act;
mod attention;
mod batch_norm;
mod comparators;
mod dropout;
mod errors;
mod exactness;
mod golden;
mod graph;
mod hesscale_r;
mod inputs;
mod layers;
mod losses;
mod norm;
mod optimizer;
mod outside;
mod own;
mod positions;
mod prelu;
mod problem;
mod properties;
mod recurrent;
mod residual;
mod sampled;
mod shared;
