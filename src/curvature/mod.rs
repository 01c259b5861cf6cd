//! What a matrix of second derivatives tells, from its products with vectors alone: of [`Products`](crate::Products) on a GPU,
//! [`cpu::Products`](crate::cpu::Products), or an [`Operator`] of the user's own.
//!
//! | | what it estimates | unbiased | products |
//! |---|---|---|---|
//! | [`hutchinson`] | the diagonal, with its standard error | yes | one a probe |
//! | [`trace`] | the trace, with its standard error | yes | one a probe |
//! | [`lanczos`] | the largest and smallest eigenvalues, with bounds of their errors | no: from within | one a step |
//! | [`conjugate_gradients`] | nothing: `(A + λ) x = b` is solved | | one a step |
//!
//! Of a product's cost see `docs/performance.md`; HesScale's diagonal costs one backward pass, and is biased.

mod conjugate;
mod hutchinson;
mod lanczos;

pub use conjugate::{Solution, conjugate_gradients};
pub use hutchinson::{DiagonalEstimate, TraceEstimate, hutchinson, trace};
pub use lanczos::{Spectrum, lanczos};

use crate::{Error, Result};
use std::ops::Range;

/// A symmetric matrix, known by its products. Vectors are in a model's flat layout, whose gaps hold zeros.
pub trait Operator {
    /// Length of the vectors, gaps included.
    fn len(&self) -> usize;

    /// Whether they have no element.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the numbers are, in ascending order; between them are gaps.
    fn ranges(&self) -> &[Range<usize>];

    /// The product with `v`. Where `v` has gaps, the product has zeros.
    ///
    /// # Errors
    /// [`Error::Length`] for either; those of the passes it takes.
    fn apply(&mut self, v: &[f32], product: &mut [f32]) -> Result<()>;
}

/// Calls `with` for each place that is no gap.
fn places(ranges: &[Range<usize>]) -> impl Iterator<Item = usize> + '_ {
    ranges.iter().cloned().flatten()
}

/// The product, where every number of it is finite.
fn product(operator: &mut (impl Operator + ?Sized), v: &[f32], room: &mut [f32]) -> Result<()> {
    operator.apply(v, room)?;
    Error::check_finite("product", room)
}

/// `+1` and `−1` with equal probability, zeros in the gaps (Rademacher).
///
/// # Errors
/// [`Error::Length`] for ranges that end behind the vector.
fn signs(random: &mut fastrand::Rng, operator: &(impl Operator + ?Sized), v: &mut [f32]) -> Result<()> {
    let end = operator.ranges().iter().map(|range| range.end).max().unwrap_or(0);
    if end > v.len() {
        return Err(Error::length("an operator's vectors, by its ranges", v.len(), end));
    }
    for place in places(operator.ranges()) {
        v[place] = if random.bool() { 1.0 } else { -1.0 };
    }
    Ok(())
}
