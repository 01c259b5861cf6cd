// Where the README's links and pictures are here. Of two definitions the first counts.
#![doc = concat!("[frames]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/in_a_frame_loop.png")]
#![doc = concat!("[quality]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/quality.svg")]
#![doc = "[curvature]: guide::curvature"]
#![doc = "[embedding]: guide::embedding"]
#![doc = "[f16]: guide::performance#storage-in-f16"]
#![doc = "[portability]: guide::portability"]
#![doc = "[without]: guide::performance#without-a-gpu"]
#![doc = "[architecture]: guide::architecture"]
#![doc = "[performance]: guide::performance"]
#![doc = "[plugs]: guide::plugs"]
#![doc = "[optimizers]: guide::optimizers"]
#![doc = "[rejected]: guide::rejected"]
#![doc = concat!("[apache]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/LICENSE-APACHE")]
#![doc = concat!("[mit]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/LICENSE-MIT")]
#![doc = concat!("[data]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/data/README.md")]
#![doc = ""]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// What unit and integration tests share names the crate as the latter do.
#[cfg(test)]
extern crate self as hesscale;

#[macro_use]
mod setters;

#[cfg(feature = "cpu")]
pub mod cpu;
pub mod curvature;
mod error;
mod gemm;
mod gpu;
mod graph;
#[cfg(doc)]
pub mod guide;
#[cfg(feature = "cpu")]
mod host;
mod lifetime;
mod memory;
pub mod model;
mod ops;
mod plan;
mod plug;
mod profile;
mod record;
pub mod reference;
mod rules;
mod shader;
#[cfg(feature = "train")]
pub mod train;
pub mod tuning;
pub mod wgsl;

// Unit tests of more than one module: they see what is private to the crate.
#[cfg(test)]
#[path = "../tests/unit/isa/mod.rs"]
mod isa;
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
#[cfg(test)]
#[path = "../tests/unit/wgsl.rs"]
mod wgsl_texts;

pub use error::{Cause, Error, Result};
pub use gpu::{BufferRange, Context, ContextOptions, Request, Tensor};
pub use model::{At, Layer, Model};
pub use plan::{AtState, Memory, OutsideSignal, Pass, Plan, PlanOptions, Products, State, StateBuffers};
pub use profile::{KernelTime, Profile, Roofline};
pub use record::{Piece, Pieces};
pub use rules::{Activation, Loss, Mode, Optimizer};
pub use shader::Dtype;
pub use wgpu;
