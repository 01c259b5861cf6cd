//! Which second-order quantity the backward pass computes beside the gradient.

use serde::{Deserialize, Serialize};

/// What the backward pass computes beside the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// The gradient only: plain backprop.
    None,
    /// HesScale (Elsayed & Mahmood, 2022).
    HesScale,
    /// HesScale without the `f''` term: Gauss-Newton.
    HesScaleGn,
    /// HesScale-R of rank 1: the loss's leading curvature direction carried exactly.
    HesScaleR1,
    /// HesScale-R of rank 2.
    HesScaleR2,
    /// Becker & LeCun (1989), for comparison: softmax cross-entropy starts from `y (p − p²)`.
    Bl89,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 6] =
        [Mode::None, Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR1, Mode::HesScaleR2, Mode::Bl89];

    /// Number of vectors `u` carried exactly.
    #[must_use]
    pub fn rank(self) -> usize {
        match self {
            Mode::HesScaleR1 => 1,
            Mode::HesScaleR2 => 2,
            _ => 0,
        }
    }

    /// Whether a Hessian diagonal is computed.
    #[must_use]
    pub fn has_diagonal(self) -> bool {
        self != Mode::None
    }

    /// The name used in JSON, tables and `golden/`: `none`, `hesscale`, `hesscale_gn`, `hesscale_r1`, `hesscale_r2`, `bl89`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::None => "none",
            Mode::HesScale => "hesscale",
            Mode::HesScaleGn => "hesscale_gn",
            Mode::HesScaleR1 => "hesscale_r1",
            Mode::HesScaleR2 => "hesscale_r2",
            Mode::Bl89 => "bl89",
        }
    }
}
