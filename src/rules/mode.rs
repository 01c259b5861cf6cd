//! Modes of the backward pass.

use serde::{Deserialize, Serialize};

/// What the backward pass computes beside the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Mode {
    /// The gradient only: plain backprop.
    #[serde(rename = "none")]
    None,
    /// HesScale (Elsayed & Mahmood, 2022).
    #[serde(rename = "hesscale")]
    HesScale,
    /// HesScale without the `f''` term: Gauss-Newton.
    #[serde(rename = "hesscale_gn")]
    HesScaleGn,
    /// HesScale-R of rank 1: the loss's leading curvature direction carried exactly.
    #[serde(rename = "hesscale_r1")]
    HesScaleR1,
    /// HesScale-R of rank 2.
    #[serde(rename = "hesscale_r2")]
    HesScaleR2,
    /// Becker & LeCun (1989), for comparison: softmax cross-entropy starts from `y (p − p²)`.
    #[serde(rename = "bl89")]
    Bl89,
    /// No estimate of the Hessian, but the diagonal of the empirical Fisher matrix: the mean over samples of each one's squared gradient,
    /// or their sum where the loss is a sum. With the weights that samples have, so of a weighted mean the mean of
    /// `(∇ N wₙ lₙ / Σw)²`. The one vector u of HesScale-R is the gradient here, and no h flows. Exact, but of
    /// a [`Layer::Shared`](crate::Layer::Shared), whose uses are squared apart, and of a batch normalisation by the statistics of the batch,
    /// where samples meet. A signal of the host's has h = 0, and u = √N g where g is divided by N samples, else u = g.
    #[serde(rename = "fisher")]
    Fisher,
    /// HesScale-S of rank 1: as [`Mode::HesScaleR1`] and at about its cost, but the vector is random, drawn anew in each pass, such that
    /// the estimate's mean over draws is right: of a sample's Hessian at the outputs, `H = B Bᵀ` (a softmax: `B = √m (diag √p − p √pᵀ)`, m
    /// the mass of its target; a diagonal: its root), it is `v = B s`, with the random signs s of
    /// [`Noise::is_negative`](crate::model::Noise::is_negative). What `v²` leaves of the diagonal flows as h: its mean is 0, and it may
    /// be negative, as may an entry of the estimate.
    ///
    /// Unbiased for the Gauss-Newton part of the Hessian's diagonal (for all of it where activations are piecewise linear); the network's own
    /// second derivatives are HesScale's. Not so where the loss's Hessian has more than a diagonal that this crate does not know of
    /// (Gaussian NLL, a [`RowLoss`](crate::model::RowLoss)) or is not positive (samples of negative weight), of a
    /// [`Layer::Shared`](crate::Layer::Shared), and through rules that drop terms of any signal. Its noise falls with the batch and
    /// with the number of draws.
    #[serde(rename = "hesscale_s1")]
    HesScaleS1,
    /// HesScale-S of rank 2: HesScale-R's first vector `u = B q`, and behind it the random one `v = B (1 − q qᵀ) s`.
    #[serde(rename = "hesscale_s2")]
    HesScaleS2,
}

impl Mode {
    /// Every mode that has a gradient alone, or estimates the Hessian's diagonal without random numbers.
    pub const ALL: [Mode; 6] =
        [Mode::None, Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR1, Mode::HesScaleR2, Mode::Bl89];

    /// Number of vectors carried exactly.
    #[must_use]
    pub fn rank(self) -> usize {
        match self {
            Mode::HesScaleR1 | Mode::HesScaleS1 | Mode::Fisher => 1,
            Mode::HesScaleR2 | Mode::HesScaleS2 => 2,
            _ => 0,
        }
    }

    /// How many of the vectors are leading directions of the loss's Hessian.
    pub(crate) fn leading(self) -> usize {
        match self {
            Mode::Fisher => 0,
            _ => self.rank() - usize::from(self.is_sampled()),
        }
    }

    /// Whether the last vector is random: each pass draws from its [`Noise`](crate::model::Noise).
    #[must_use]
    pub fn is_sampled(self) -> bool {
        matches!(self, Mode::HesScaleS1 | Mode::HesScaleS2)
    }

    /// Numbers per element that flow backwards: g; g and h; or g, h and the vectors u.
    pub(crate) fn components(self) -> usize {
        1 + usize::from(self.has_diagonal()) + self.rank()
    }

    /// Planes in which a GPU stores a signal: its components and, beside u, the whole diagonal `h + Σ u²`.
    pub(crate) fn planes(self) -> usize {
        self.components() + usize::from(self.rank() > 0)
    }

    /// Whether second derivatives of the network count.
    pub(crate) fn is_curved(self) -> bool {
        !matches!(self, Mode::HesScaleGn | Mode::Fisher)
    }

    /// Whether a diagonal is computed.
    #[must_use]
    pub fn has_diagonal(self) -> bool {
        self != Mode::None
    }

    /// The name used in JSON, tables and `golden/`: `none`, `hesscale`, `hesscale_gn`, `hesscale_r1`, `hesscale_r2`, `bl89`, `fisher`,
    /// `hesscale_s1`, `hesscale_s2`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::None => "none",
            Mode::HesScale => "hesscale",
            Mode::HesScaleGn => "hesscale_gn",
            Mode::HesScaleR1 => "hesscale_r1",
            Mode::HesScaleR2 => "hesscale_r2",
            Mode::Bl89 => "bl89",
            Mode::Fisher => "fisher",
            Mode::HesScaleS1 => "hesscale_s1",
            Mode::HesScaleS2 => "hesscale_s2",
        }
    }
}
