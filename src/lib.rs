#![doc = include_str!("../README.md")]

// What unit and integration tests share names the crate as the latter do.
#[cfg(test)]
extern crate self as hesscale;

pub mod cpu;
mod error;
mod gemm;
mod gpu;
mod graph;
mod host;
mod lifetime;
mod memory;
pub mod model;
mod ops;
mod plan;
mod profile;
mod record;
pub mod reference;
mod rules;
mod shader;
pub mod train;

// Unit tests of more than one module: they see what is private to the crate.
#[cfg(test)]
#[path = "../tests/unit/permutations/mod.rs"]
mod permutations;
#[cfg(test)]
#[path = "../tests/unit/portability/mod.rs"]
mod portability;
#[cfg(test)]
#[path = "../tests/unit/snapshots.rs"]
mod snapshots;
#[cfg(test)]
#[path = "../tests/unit/texts.rs"]
mod texts;

pub use crate::gemm::{Cooperative, Family, Tile, TileEntry, TileTable, TileUse};
pub use error::{Error, Result};
pub use gpu::{Context, ContextOptions, Request, Tensor};
pub use model::{Layer, Model};
pub use plan::{At, Memory, Pass, Plan, PlanOptions, ProductTime, State, StateBuffers, Tiles};
pub use profile::{KernelTime, Profile, Roofline};
pub use record::{Piece, Pieces};
pub use rules::{Activation, Loss, Mode, Optimizer};
pub use shader::{DeviceClass, Dtype};
pub use wgpu;
