//! Layers that make several numbers of each.

use crate::{Error, Result};

/// What each number a becomes: numbers `f_0(a) …`, side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `sin(2^j π a)`, `cos(2^j π a)` for each octave j.
    Frequency { octaves: usize },
    /// `exp(−d²/2)`, `d = bins a − k − ½`, for each bin k.
    OneBlob { bins: usize },
}

/// Far more than `f32` can tell apart: numbers in [1, 2) are whole turns from octave 24 on.
const MOST_OCTAVES: usize = 32;

/// With more, `bins a` has few digits left behind the point.
const MOST_BINS: usize = 256;

impl Encoding {
    /// Numbers that each becomes.
    pub(crate) fn numbers(self) -> usize {
        match self {
            Encoding::Frequency { octaves } => 2 * octaves,
            Encoding::OneBlob { bins } => bins,
        }
    }

    /// The output's shape for an input of shape `input`.
    pub(super) fn output_shape(self, name: &str, input: &[usize]) -> Result<Vec<usize>> {
        let (what, count, most, needed) = match self {
            Encoding::Frequency { octaves } => ("octaves", octaves, MOST_OCTAVES, "at most 32"),
            Encoding::OneBlob { bins } => ("bins", bins, MOST_BINS, "at most 256"),
        };
        if count == 0 {
            return Err(Error::zero_size(name, what));
        }
        if count > most {
            return Err(Error::value(name, what, count as f64, needed));
        }
        let mut shape = input.to_vec();
        shape[0] = shape[0].saturating_mul(self.numbers());
        Ok(shape)
    }
}
