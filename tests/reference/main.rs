//! The CPU reference against an independent program's vectors, against exact derivatives, and against hand arithmetic.

#[path = "../common/mod.rs"]
mod common;

mod act;
mod comparators;
mod dropout;
mod errors;
mod exactness;
mod golden;
mod hesscale_r;
mod layers;
mod losses;
mod optimizer;
mod positions;
mod problem;
mod properties;
mod residual;
