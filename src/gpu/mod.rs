//! The device: context, buffers, pipelines, read-back.

mod buffer;
mod class;
mod context;
mod cooperative;
mod device;
mod pipeline;
mod range;
#[cfg(test)]
#[path = "../../tests/unit/gpu/mod.rs"]
mod tests;
#[cfg(not(target_arch = "wasm32"))]
mod waiting;

pub use buffer::Tensor;
pub(crate) use context::refused;
pub use context::{Context, ContextOptions, Request};
pub(crate) use device::{Buffer, check_roles};
pub(crate) use pipeline::{Dispatch, Resource};
pub use range::BufferRange;
