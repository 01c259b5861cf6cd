//! Parameters of operations on single samples.

use super::{Call, Sums};
use std::fmt::Debug;

/// An operation with parameters: how its weight is stored, and its parameter sums.
pub(crate) trait Weighted: Debug + Send + Sync {
    /// Elements of the weight and of the bias (whether or not the layer has one).
    fn sizes(&self) -> [usize; 2];

    /// From the user's order to the one that the operation reads.
    fn pack(&self, user: &[f32], packed: &mut [f32]) {
        packed.copy_from_slice(user);
    }

    /// The inverse of [`Weighted::pack`].
    fn unpack(&self, packed: &[f32], user: &mut [f32]) {
        user.copy_from_slice(packed);
    }

    /// Adds the contribution of a few samples to `sums`. HesScale-R's `Σ u x` over a sample's positions is squared before it is
    /// added.
    fn add(&self, call: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]);
}
