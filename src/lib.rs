#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// What unit and integration tests share names the crate as the latter do.
#[cfg(test)]
extern crate self as hesscale;

#[cfg(feature = "cpu")]
pub mod cpu;
mod error;
mod gpu;
mod kernel;
pub mod model;
mod plan;
#[cfg(test)]
mod portability;
mod profile;
mod record;
pub mod reference;
#[cfg(feature = "train")]
pub mod train;
pub mod tuning;

pub use error::{Error, Result};
pub use gpu::{Context, ContextOptions, Request, Tensor};
pub use kernel::Number;
pub use model::{Activation, At, Layer, Loss, Mode, Model, Optimizer};
pub use plan::{Memory, Pass, Plan, PlanOptions, State, StateBuffers};
pub use profile::{KernelTime, Profile, Roofline};
pub use record::{Piece, Pieces};
pub use wgpu;
