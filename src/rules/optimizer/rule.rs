//! Update rules.

use super::{Limits, Misplaced, Optimizer};
use crate::rules::Mode;
use serde::{Deserialize, Serialize};

/// The update rule. `q` is what the second moment averages, u the update; [`reference::OptimizerState::step`](crate::reference::OptimizerState::step) has the formulas.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Rule {
    /// `b ← μ b + g`; `θ ← θ − η b`, or `θ − η (g + μ b)` with Nesterov (PyTorch's form, dampening 0).
    Sgd {
        /// μ in [0, 1).
        momentum: f32,
        /// Nesterov's look-ahead.
        nesterov: bool,
    },
    /// `q = g²`
    Adam {
        /// β₁ in [0, 1)
        beta1: f32,
        /// β₂ in [0, 1)
        beta2: f32,
        /// ε > 0
        eps: f32,
    },
    /// `q = h²`, h from [`Mode::HesScale`] (or another curvature mode of the caller's choice).
    AdaHesScale {
        /// β₁ in [0, 1)
        beta1: f32,
        /// β₂ in [0, 1)
        beta2: f32,
        /// ε > 0
        eps: f32,
    },
    /// `q = h²`, h from [`Mode::HesScaleGn`].
    AdaHesScaleGn {
        /// β₁ in [0, 1)
        beta1: f32,
        /// β₂ in [0, 1)
        beta2: f32,
        /// ε > 0
        eps: f32,
    },
    /// AdaHesScale by the magnitude of h: `q = |h|`. The denominator is `v̂ + ε`, or `√v̂ + ε` with `root`.
    AdaHesScaleAbs {
        /// β₁ in [0, 1)
        beta1: f32,
        /// β₂ in [0, 1)
        beta2: f32,
        /// ε > 0
        eps: f32,
        /// Whether √v̂ divides.
        root: bool,
    },
    /// Sophia (Liu et al. 2023) on h from [`Mode::HesScale`]: `q = h`, signed; `u = η m / max(γ v, ε)`, without bias correction,
    /// which [`Limits::update`] clips, at 1 in the paper.
    Sophia {
        /// β₁ in [0, 1)
        beta1: f32,
        /// β₂ in [0, 1)
        beta2: f32,
        /// γ > 0
        gamma: f32,
        /// ε > 0
        eps: f32,
    },
    /// `v ← β₂ v + (1−β₂) g²`; `b ← μ b + g / (√v + ε)`; `u = η b` (PyTorch's form).
    RmsProp {
        /// β₂ in [0, 1), PyTorch's alpha
        beta2: f32,
        /// ε > 0
        eps: f32,
        /// μ in [0, 1)
        momentum: f32,
    },
    /// ObGD, overshooting-bounded gradient descent with an eligibility trace (Elsayed, Vasan & Mahmood 2024, arXiv 2410.14606), for
    /// streaming reinforcement learning: `z ← γλ z + g`, `u = η δ z · min(1, 1 / (η κ max(|δ|, 1) Σ |z|))`, the sum over all parameters
    /// that are trained. g is the gradient of −v or of −log π, and δ the temporal-difference error.
    #[serde(rename = "obgd")]
    ObGd {
        /// γλ in [0, 1): the discount times the decay of traces.
        trace: f32,
        /// κ > 0
        kappa: f32,
        /// What the host says of each step.
        #[serde(skip)]
        transition: Transition,
    },
    /// ObGD on normalised steps, from the same paper: `v ← β₂ v + (1−β₂) (δ z)²`, and `z / √(v̂ + ε)` in the place of z in u and Σ.
    #[serde(rename = "adaptive_obgd")]
    AdaptiveObGd {
        /// γλ in [0, 1)
        trace: f32,
        /// β₂ in [0, 1)
        beta2: f32,
        /// ε > 0
        eps: f32,
        /// κ > 0
        kappa: f32,
        /// What the host says of each step.
        #[serde(skip)]
        transition: Transition,
    },
    /// UPGD, utility-based perturbed gradient descent (Elsayed & Mahmood 2024, arXiv 2404.00781), for learning that goes on: what is
    /// useful is protected from forgetting, and the rest is perturbed so that it can still learn. A parameter's utility is what the
    /// loss would rise by without it, to second order, h from [`Mode::HesScale`]: `U ← β U + (1−β) (½ h θ² − g θ)`. Then
    /// `u = η (g + ξ) (1 − σ(U / max U))`, the largest over all parameters that are trained, σ the logistic function, and ξ normal of
    /// mean 0 and deviation `noise`, by [`Noise`](crate::model::Noise) of `seed` and the step. Where no utility is positive,
    /// `U / max U` counts as 0. A correction of U's bias would cancel. With weight decay it is the paper's UPGD-W.
    Upgd {
        /// β in [0, 1)
        trace: f32,
        /// The deviation of ξ, finite and not negative.
        noise: f32,
        /// Chosen by the user.
        seed: u32,
    },
    /// Lion (Chen et al. 2023): `u = η sign(β₁ m + (1−β₁) g)`, sign 0 = 0; then `m ← β₂ m + (1−β₂) g`.
    Lion {
        /// β₁ in [0, 1)
        beta1: f32,
        /// β₂ in [0, 1)
        beta2: f32,
    },
}

/// What an environment says of a step of [`Rule::ObGd`] and [`Rule::AdaptiveObGd`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// δ, the temporal-difference error `r + γ v(s') − v(s)`, finite; 1 until the host says otherwise.
    pub error: f32,
    /// Whether it is the first of an episode: the trace begins anew, `z ← g`.
    pub first: bool,
}

impl Default for Transition {
    fn default() -> Transition {
        Transition { error: 1.0, first: false }
    }
}

impl Rule {
    /// This rule at a learning rate, without weight decay, limits or average.
    #[must_use]
    pub fn at(self, learning_rate: f32) -> Optimizer {
        let (limits, average, misplaced) = (Limits::NONE, None, None);
        Optimizer { rule: self, learning_rate, weight_decay: 0.0, limits, average, misplaced }
    }

    /// The mode whose diagonal the rule reads: [`Mode::None`] where it reads none.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Rule::Sgd { .. }
            | Rule::Adam { .. }
            | Rule::RmsProp { .. }
            | Rule::Lion { .. }
            | Rule::ObGd { .. }
            | Rule::AdaptiveObGd { .. } => Mode::None,
            Rule::AdaHesScale { .. }
            | Rule::AdaHesScaleAbs { .. }
            | Rule::Sophia { .. }
            | Rule::Upgd { .. } => Mode::HesScale,
            Rule::AdaHesScaleGn { .. } => Mode::HesScaleGn,
        }
    }

    /// `sgd`, `adam`, `adahesscale`, `adahesscale_gn`, `adahesscale_abs`, `adahesscale_abs_root`, `sophia`, `rmsprop`, `lion`,
    /// `obgd`, `adaptive_obgd` or `upgd`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Rule::Sgd { .. } => "sgd",
            Rule::Adam { .. } => "adam",
            Rule::AdaHesScale { .. } => "adahesscale",
            Rule::AdaHesScaleGn { .. } => "adahesscale_gn",
            Rule::AdaHesScaleAbs { root: false, .. } => "adahesscale_abs",
            Rule::AdaHesScaleAbs { root: true, .. } => "adahesscale_abs_root",
            Rule::Sophia { .. } => "sophia",
            Rule::RmsProp { .. } => "rmsprop",
            Rule::Lion { .. } => "lion",
            Rule::ObGd { .. } => "obgd",
            Rule::AdaptiveObGd { .. } => "adaptive_obgd",
            Rule::Upgd { .. } => "upgd",
        }
    }

    /// Whether a second moment is kept.
    pub(crate) fn has_second_moment(&self) -> bool {
        !matches!(self, Rule::Sgd { .. } | Rule::Lion { .. } | Rule::ObGd { .. } | Rule::Upgd { .. })
    }

    /// Whether a step, with a diagonal or without, moves what the rule learns of curvature: a second moment or a utility.
    pub(crate) fn averages(&self, with_diagonal: bool) -> bool {
        if self.mode().has_diagonal() { with_diagonal } else { self.has_second_moment() }
    }

    /// Whether a step needs something of all parameters before any moves: ObGD's bound, the largest utility.
    pub(crate) fn measures(&self) -> bool {
        matches!(self, Rule::ObGd { .. } | Rule::AdaptiveObGd { .. } | Rule::Upgd { .. })
    }

    /// Whether its step is `m̂` over a denominator, which [`Limits::trust`] reads.
    pub(super) fn divides(&self) -> bool {
        self.has_second_moment() && !matches!(self, Rule::RmsProp { .. } | Rule::AdaptiveObGd { .. })
    }

    /// Of ObGD at a learning rate: the largest `Σ |z|` at which a step is taken as it is, `1 / (η κ max(|δ|, 1))`.
    pub(crate) fn bound(&self, learning_rate: f32) -> Option<f64> {
        match self {
            Rule::ObGd { kappa, transition, .. } | Rule::AdaptiveObGd { kappa, transition, .. } => {
                let error = f64::from(transition.error).abs().max(1.0);
                Some(1.0 / (f64::from(learning_rate) * f64::from(*kappa) * error))
            }
            _ => None,
        }
    }

    /// What [`Optimizer`] has methods for, besides what all rules have.
    fn settings(&self) -> &'static str {
        match self {
            Rule::Sgd { .. } => "momentum, nesterov",
            Rule::Adam { .. } | Rule::AdaHesScale { .. } | Rule::AdaHesScaleGn { .. } => "betas, eps, trust",
            Rule::AdaHesScaleAbs { .. } => "betas, eps, root, trust",
            Rule::Sophia { .. } => "betas, gamma, eps, trust",
            Rule::RmsProp { .. } => "alpha, eps, momentum",
            Rule::Lion { .. } => "betas",
            Rule::ObGd { .. } => "trace, kappa, transition",
            Rule::Upgd { .. } => "trace, noise, seed",
            Rule::AdaptiveObGd { .. } => "trace, kappa, transition, alpha, eps",
        }
    }

    pub(super) fn lacks(&self, setting: &'static str) -> Misplaced {
        Misplaced { rule: self.name(), setting, settings: self.settings() }
    }
}
