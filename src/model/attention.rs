//! Attention of a sample's positions to each other.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Multi-head scaled dot-product attention (Vaswani et al., 2017, arXiv 1706.03762) of the positions of a sample to each other:
/// `z_i = Σ_j p_ij v_j`, `p_i = softmax_j(q_i · k_j / √w)`, in each of `heads` heads of width w. It has no parameters: what stands
/// before it makes queries, keys and values, most often one [`Conv1d`](super::Conv1d) of kernel 1.
///
/// `[3 D, T]` becomes `[D, T]`: D channels of queries, D of keys, D of values, as PyTorch's `in_proj_weight` leaves them; head m has
/// the channels from `m w` to `(m + 1) w` of each, `w = D / heads`. Images `[3 D, H, W]` attend over all their pixels.
///
/// The diagonals take the softmax, `q · k` and `p v` one after the other, each by its rule: what scores of one query, or what q and k,
/// p and v, have in common is dropped. HesScale-R's u go through the whole exactly.
///
/// The numbers p of a batch are kept for the backward pass: `N · heads · T²` of them, on a GPU with as many for each component of
/// the signal while it passes; [`Error::Limit`] where a buffer has not room for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct Attention {
    /// Heads, a divisor of D.
    pub heads: usize,
    /// Whether a position attends to itself and those before it alone.
    #[serde(default)]
    pub causal: bool,
}

impl Attention {
    /// Each position attends to all.
    pub fn new(heads: usize) -> Attention {
        Attention { heads, causal: false }
    }

    setters! {
        /// Whether a position attends to itself and those before it alone.
        causal(causal: bool) => causal;
    }

    /// What it is on an input of shape `input`.
    pub(super) fn heads(&self, name: &str, input: &[usize]) -> Result<Heads> {
        if self.heads == 0 {
            return Err(Error::zero_size(name, "heads"));
        }
        let whole = self.heads.saturating_mul(3);
        match input {
            [channels, _, ..] if channels.is_multiple_of(whole) => Ok(Heads {
                count: self.heads,
                width: channels / whole,
                positions: input[1..].iter().product(),
                causal: self.causal,
            }),
            _ => {
                let needed =
                    format!("[channels, positions], channels a multiple of 3 · {} heads", self.heads);
                Err(Error::shape(name, input, needed))
            }
        }
    }
}

/// Attention on an input of a known shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heads {
    pub count: usize,
    /// w: channels of a head.
    pub width: usize,
    pub positions: usize,
    pub causal: bool,
}

impl Heads {
    /// Channels of the output.
    pub(crate) fn channels(&self) -> usize {
        self.count * self.width
    }

    /// `1 / √w`
    pub(crate) fn scale(&self) -> f64 {
        1.0 / (self.width as f64).sqrt()
    }

    /// The positions that position i attends to, from the first on.
    pub(crate) fn seen(&self, i: usize) -> usize {
        if self.causal { i + 1 } else { self.positions }
    }

    /// Numbers p of a sample.
    pub(crate) fn weights(&self) -> usize {
        self.count.saturating_mul(self.positions).saturating_mul(self.positions)
    }
}
