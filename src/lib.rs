// Where the README's links and pictures are here. Of two definitions the first counts.
#![doc = concat!("[frames]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/in_a_frame_loop.png")]
#![doc = concat!("[quality]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/quality.svg")]
#![doc = "[embedding]: guide::embedding"]
#![doc = "[f16]: guide::performance#storage-in-f16"]
#![doc = "[portability]: guide::portability"]
#![doc = "[without]: guide::performance#without-a-gpu"]
#![doc = "[architecture]: guide::architecture"]
#![doc = "[performance]: guide::performance"]
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

#[cfg(feature = "cpu")]
pub mod cpu;
mod error;
mod gpu;
#[cfg(doc)]
pub mod guide;
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

pub use error::{Cause, Error, Result};
pub use gpu::{Context, ContextOptions, Request, Tensor};
pub use kernel::Number;
pub use model::{Activation, At, Layer, Loss, Mode, Model, Optimizer};
pub use plan::{Memory, Pass, Plan, PlanOptions, State, StateBuffers};
pub use profile::{KernelTime, Profile, Roofline};
pub use record::{Piece, Pieces};
pub use wgpu;
