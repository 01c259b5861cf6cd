#![doc = include_str!("../README.md")]

// What unit and integration tests share names the crate as the latter do.
#[cfg(test)]
extern crate self as hesscale;

pub mod cpu;
mod error;
mod gpu;
mod kernel;
mod memory;
pub mod model;
mod ops;
mod plan;
#[cfg(test)]
mod portability;
mod profile;
mod record;
pub mod reference;
mod rules;
pub mod train;

pub use error::{Error, Result};
pub use gpu::{Context, ContextOptions, Request, Tensor};
pub use kernel::{Cooperative, DeviceClass, Family, Number, Tile, TileEntry, TileTable, TileUse};
pub use model::{Layer, Model};
pub use plan::{At, Memory, Pass, Plan, PlanOptions, ProductTime, State, StateBuffers, Tiles};
pub use profile::{KernelTime, Profile, Roofline};
pub use record::{Piece, Pieces};
pub use rules::{Activation, Loss, Mode, Optimizer};
pub use wgpu;
