//! Operations that treat each sample by itself.

use super::{Call, Weighted};
use std::fmt::Debug;

/// An operation on single samples. It may be called with any few of them; all slices of a call hold the same samples. Images are
/// `[N, H, W, C]`.
pub(crate) trait SampleOp: Debug + Send + Sync {
    /// Computes the output. Only a residual sum has more than one input.
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], scratch: &mut [f32]);

    /// Propagates the signal from the output to the input, component by component: `[g, u …, h]`, or `g` alone.
    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]);

    /// The operation's parameters, if it has any.
    fn weighted(&self) -> Option<&dyn Weighted> {
        None
    }

    /// Elements of scratch memory that a call on `samples` needs.
    fn scratch(&self, _samples: usize) -> usize {
        0
    }

    /// For a matrix product, the rows that one sample contributes to it.
    fn rows(&self) -> Option<usize> {
        None
    }

    /// Approximate floating-point operations of the forward pass on one sample, to decide whether threads pay off.
    fn work(&self) -> usize;
}
