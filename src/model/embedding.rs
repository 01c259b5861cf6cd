//! A table of vectors that whole numbers select.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// A learned vector for each of `count` words, as PyTorch's `Embedding`: `z[c, q] = W[x[q], c]`, `W` of shape `[count, width]`.
///
/// The inputs are whole numbers, each of which selects a row of the table; as `f32` they are exact up to 2²⁴. So the layer stands
/// at the network's input; only what leaves the numbers as they are may come before it (identity, flatten, names). `[length]`
/// becomes `[width, length]`, channels by positions as [`Conv1d`](super::Conv1d) takes them; a single number becomes `[width]`. In
/// training a plan on a GPU takes up to 4,096 numbers a sample and 4,194,304 a batch.
///
/// Gradient and diagonal of a row are sums over the positions that select it; of HesScale-R's vectors u a sample's are added up
/// before they are squared. They come in the order of the positions, so their bits are the same every time. Rows that nothing
/// selects have zeros. No signal flows to the inputs: it is 0 there.
///
/// What is no row is [`Error::NoRow`] wherever inputs pass through the host ([`Model::check_inputs`](super::Model::check_inputs)), but
/// for those of plans that train on part of a batch, whose other rows may hold anything.
/// Where a shader has written them, its vector is NaN, which shows in the loss and in
/// [`State::divergence`](crate::State::divergence).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct Embedding {
    /// Rows of the table, at most 2²⁴.
    pub count: usize,
    /// Numbers of a row.
    pub width: usize,
}

/// Whole numbers from here on have gaps in `f32`.
const MOST_ROWS: usize = 1 << 24;

impl Embedding {
    /// A table of `count` vectors of `width` numbers.
    pub fn new(count: usize, width: usize) -> Embedding {
        Embedding { count, width }
    }

    /// The row that an input selects, if it is one.
    pub(crate) fn row(&self, x: f64) -> Option<usize> {
        (x >= 0.0 && x < self.count as f64 && x.fract() == 0.0).then_some(x as usize)
    }

    /// The output's shape for an input of shape `input`.
    pub(super) fn output_shape(&self, name: &str, input: &[usize]) -> Result<Vec<usize>> {
        for (size, what) in [(self.count, "count"), (self.width, "width")] {
            if size == 0 {
                return Err(Error::zero_size(name, what));
            }
        }
        if self.count > MOST_ROWS {
            return Err(Error::value(name, "count", self.count as f64, "at most 2^24"));
        }
        match input {
            [1] => Ok(vec![self.width]),
            [length] => Ok(vec![self.width, *length]),
            _ => Err(Error::shape(name, input, "[length]: put a flatten before it")),
        }
    }
}
