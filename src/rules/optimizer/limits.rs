//! What bounds a step.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What bounds a step. In the order in which they act:
///
/// 1. `g ← clip(g, ±gradient)`, each by itself;
/// 2. `g ← g · min(1, gradient_norm / ‖g‖)`, the norm over all parameters that are trained;
/// 3. `u ← clip(u, ±η update)`, each by itself;
/// 4. `u ← u · min(1, √(2 trust / T))`, `T = Σ d u²` over all parameters that are trained, d the denominator without ε: the
///    step-size scaling of Elsayed et al. 2024, where d is the curvature and T / 2 how far the step moves by it.
///
/// What is NaN or infinite is not clipped, so that it is told ([`Error::Diverged`]); where the sum behind 2 or 4 is not finite, the
/// factor is 0. On a GPU the sums of 2 and 4 take dispatches of their own, so that no update is fused; 1 and 3 take none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// The largest magnitude of a gradient's element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient: Option<f32>,
    /// The largest Euclidean norm of the gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f32>,
    /// ρ, the largest magnitude of an update of one parameter, in units of its learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<f32>,
    /// δ, the largest `½ Σ d u²`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<f32>,
}

impl Limits {
    /// No limits.
    pub const NONE: Limits = Limits { gradient: None, gradient_norm: None, update: None, trust: None };

    pub(super) fn each(&self) -> [(&'static str, Option<f32>); 4] {
        let Limits { gradient, gradient_norm, update, trust } = *self;
        [
            ("clip_gradient", gradient),
            ("clip_gradient_norm", gradient_norm),
            ("clip_update", update),
            ("trust", trust),
        ]
    }

    /// Whether a step needs a sum over all parameters before any moves.
    pub(crate) fn sums(&self) -> bool {
        self.gradient_norm.is_some() || self.trust.is_some()
    }

    /// Refuses limits of which one is where there is none here, or is missing: kernels are made for those there are.
    pub(crate) fn check_kinds(&self, changed: &Limits) -> Result<()> {
        let mut kinds = self.each().into_iter().zip(changed.each());
        match kinds.find(|((_, here), (_, there))| here.is_some() != there.is_some()) {
            None => Ok(()),
            Some(((name, None), _)) => {
                Err(Error::not_planned(format!("the limit {name}"), "an optimiser that has it"))
            }
            Some(((name, _), _)) => {
                Err(Error::not_planned(format!("an optimiser without {name}"), "one that does not have it"))
            }
        }
    }
}
