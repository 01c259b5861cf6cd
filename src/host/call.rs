//! What an operation is called with, beside its inputs and outputs.

use crate::model::{Mode, Noise};

/// The context of one call on a few samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub mode: Mode,
    /// Packed as [`Weighted::pack`](super::Weighted::pack) leaves it; empty for an operation without parameters.
    pub weight: &'a [f32],
    /// The packed weight squared elementwise; only where a diagonal is propagated.
    pub squared: &'a [f32],
    /// Empty for an operation without bias.
    pub bias: &'a [f32],
    pub noise: Noise,
    /// Index in the batch of the first sample of the call.
    pub first: usize,
    /// What the forward pass read and wrote, for the backward pass; else empty.
    pub input: &'a [f32],
    pub output: &'a [f32],
}
