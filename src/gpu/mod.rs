//! The device: context, buffers, pipelines, read-back.

mod buffer;
mod context;
mod cooperative;
mod pipeline;
#[cfg(test)]
mod tests;

pub use buffer::Tensor;
pub use context::{Context, ContextOptions, Request};
pub(crate) use pipeline::{Dispatch, Resource};
