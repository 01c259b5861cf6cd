//! What an operation is on the CPU: the traits it implements, and what it is called with.

use super::Sums;
use super::vector::add_squares;
use crate::model::{Mode, Noise};
use std::fmt::Debug;

#[derive(Debug)]
pub(crate) enum HostOp {
    /// A dense layer, on the whole batch: its inputs and outputs.
    Dense([usize; 2]),
    /// On each sample by itself.
    Sample(Box<dyn SampleOp>),
    /// On the whole batch.
    Batch(Box<dyn BatchOp>),
}

impl HostOp {
    /// The operation, if it has parameters; but of a dense layer, which stores them as the user does.
    pub(crate) fn weighted(&self) -> Option<&dyn Weighted> {
        match self {
            HostOp::Dense(_) => None,
            HostOp::Sample(op) => op.weighted(),
            HostOp::Batch(op) => Some(&**op),
        }
    }

    /// Whether its output is the sum of its inputs.
    pub(crate) fn is_sum(&self) -> bool {
        matches!(self, HostOp::Sample(op) if op.is_sum())
    }

    /// Whether it can add its output to what is there.
    pub(crate) fn adds_to_output(&self) -> bool {
        match self {
            HostOp::Dense(_) => true,
            HostOp::Sample(op) => op.adds_to_output(),
            HostOp::Batch(_) => false,
        }
    }
}

impl<T: SampleOp + 'static> From<T> for HostOp {
    fn from(op: T) -> HostOp {
        HostOp::Sample(Box::new(op))
    }
}

/// An operation on single samples. It may be called with any few of them; all slices of a call hold the same samples. Images are
/// `[N, H, W, C]`.
pub(crate) trait SampleOp: Debug + Send + Sync {
    /// Computes the output of its inputs, most often one.
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], scratch: &mut [f32]);

    /// Propagates the signal from the output to an input, component by component: `[g, u …, h]`, or `g` alone.
    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]);

    fn weighted(&self) -> Option<&dyn Weighted> {
        None
    }

    /// Whether its output is the sum of its inputs.
    fn is_sum(&self) -> bool {
        false
    }

    /// Whether its forward pass heeds [`Call::adds`].
    fn adds_to_output(&self) -> bool {
        false
    }

    /// Whether a signal goes to this input at all.
    fn reaches(&self, _input: usize) -> bool {
        true
    }

    /// Takes other means and variances of channels, where it goes by such.
    fn set_statistics(&mut self, _mean: &[f32], _var: &[f32]) {}

    /// Elements of scratch memory that a call on `samples` needs, with signals of so many components: 0 at inference.
    fn scratch(&self, _samples: usize, _components: usize) -> usize {
        0
    }

    /// For a matrix product, the rows that one sample contributes to it.
    fn rows(&self) -> Option<usize> {
        None
    }

    /// Approximate floating-point operations of the forward pass on one sample, to decide whether threads pay off.
    fn work(&self) -> usize;
}

/// An operation with parameters in which all samples of a batch meet. All slices hold the whole batch, `[N, positions, channels]`.
pub(crate) trait BatchOp: Weighted + Send + Sync {
    fn forward(&self, call: &Call<'_>, x: &[f32], z: &mut [f32]);

    /// As [`SampleOp::backward`]. `scratch` is as long as `x`.
    fn backward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        signal: &[&[f32]],
        to: &mut [&mut [f32]],
        scratch: &mut [f32],
    );

    /// Moves running statistics to those of the batch.
    fn follow(&self, x: &[f32], mean: &mut [f32], var: &mut [f32]);
}

/// An operation with parameters: how its weight is stored, and its parameter sums.
pub(crate) trait Weighted: Debug + Send + Sync {
    /// Elements of the weight and of the bias (whether or not the layer has one).
    fn sizes(&self) -> [usize; 2];

    /// From the user's order to the one that the operation reads.
    fn pack(&self, user: &[f32], packed: &mut [f32]) {
        packed.copy_from_slice(user);
    }

    fn unpack(&self, packed: &[f32], user: &mut [f32]) {
        user.copy_from_slice(packed);
    }

    /// Whether signals go through the weight even where none goes to the input.
    fn feeds_back(&self) -> bool {
        false
    }

    /// Adds the contribution of a few samples to `sums`. HesScale-R's `Σ u x` over a sample's positions is squared before it is
    /// added.
    fn add(&self, call: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]);
}

/// The context of one call on a few samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub mode: Mode,
    /// Packed as [`Weighted::pack`] leaves it; empty for an operation without parameters.
    pub weight: &'a [f32],
    /// The packed weight squared elementwise; only where a diagonal is propagated.
    pub squared: &'a [f32],
    /// Empty for an operation without bias.
    pub bias: &'a [f32],
    pub noise: Noise,
    /// Whether the output is added to what is there.
    pub adds: bool,
    /// Index in the batch of the first sample of the call.
    pub first: usize,
    /// What the forward pass read and wrote, for the backward pass; else empty.
    pub input: &'a [f32],
    pub output: &'a [f32],
    /// Whether [`Weighted::add`] has just been called with the same, so that what it left in the scratch memory is still there.
    pub summed: bool,
    /// Of an operation with two inputs, the number of the one that `input` is and its signal goes to, and the other one.
    pub branch: usize,
    pub other: &'a [f32],
}

/// Whether a component is h, which is propagated with squared factors.
pub(crate) fn is_diagonal(component: usize, components: usize) -> bool {
    component > 0 && component + 1 == components
}

/// `d ← h + Σ u²`, the estimate of the diagonal, from components `[g, u …, h]` that lie one after the other.
pub(crate) fn total_diagonal(signal: &[f32], components: usize, d: &mut [f32]) {
    let len = d.len();
    d.copy_from_slice(&signal[(components - 1) * len..components * len]);
    signal[len..(components - 1) * len].chunks_exact(len).for_each(|u| add_squares(d, u));
}
