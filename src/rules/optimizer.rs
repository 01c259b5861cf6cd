//! Optimisers and their state.

use super::Mode;
#[cfg(feature = "train")]
use crate::memory::zeros;
use crate::{Error, Result};
use serde::{Deserialize, Serialize, Serializer};
use std::ops::Range;

/// The update rule. `q` is what the second moment averages, u the update; [`OptimizerState::step`] has the formulas.
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

    fn each(&self) -> [(&'static str, Option<f32>); 4] {
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

/// A run of the flat layout that is trained, and how: what [`Groups`](crate::model::Groups) come to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Span {
    /// Elements of the flat layout.
    pub range: Range<usize>,
    /// What the learning rate is multiplied by.
    pub rate: f32,
    /// λ of these parameters.
    pub weight_decay: f32,
}

impl Span {
    /// These elements, at the optimiser's own learning rate and weight decay.
    #[must_use]
    pub fn new(range: Range<usize>, optimizer: &Optimizer) -> Span {
        Span { range, rate: 1.0, weight_decay: optimizer.weight_decay }
    }
}

/// A rule with its learning rate η and decoupled weight decay λ (`θ ← θ − η λ θ` before the update, AdamW's form). A setting that
/// the rule does not have is an error as soon as the optimiser is used:
///
/// ```
/// use hesscale::{Error, Optimizer};
///
/// assert!(Optimizer::sgd(0.1).momentum(0.9).nesterov().validate().is_ok());
/// assert!(matches!(Optimizer::adam(0.1).momentum(0.9).validate(), Err(Error::Setting { setting: "momentum", .. })));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Optimizer {
    /// The update rule.
    pub rule: Rule,
    /// η, finite and not negative.
    pub learning_rate: f32,
    /// λ, finite and not negative.
    #[serde(default)]
    pub weight_decay: f32,
    /// What bounds a step.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// κ in [0, 1), where a mean of the parameters is kept: `θ̄ ← κ θ̄ + (1−κ) θ` after each step, from the first parameters on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f32>,
    /// The first setting it was given that its rule does not have: [`Optimizer::validate`] refuses it.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none", serialize_with = "refuse")]
    misplaced: Option<Misplaced>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A setting of another rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Misplaced {
    rule: &'static str,
    setting: &'static str,
    settings: &'static str,
}

impl Misplaced {
    fn error(self) -> Error {
        let Misplaced { rule, setting, settings } = self;
        Error::Setting { rule, setting, settings }
    }
}

/// A setting that counts for nothing is not lost silently on the way to a file.
fn refuse<S: Serializer>(
    misplaced: &Option<Misplaced>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    match misplaced {
        Some(misplaced) => Err(serde::ser::Error::custom(misplaced.error())),
        None => serializer.serialize_none(),
    }
}

impl Optimizer {
    /// Plain SGD.
    #[must_use]
    pub fn sgd(learning_rate: f32) -> Optimizer {
        Rule::Sgd { momentum: 0.0, nesterov: false }.at(learning_rate)
    }

    /// Adam with β = (0.9, 0.999), ε = 1e-8.
    #[must_use]
    pub fn adam(learning_rate: f32) -> Optimizer {
        Rule::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8 }.at(learning_rate)
    }

    /// AdamW: Adam with a decoupled weight decay of 0.01.
    #[must_use]
    pub fn adamw(learning_rate: f32) -> Optimizer {
        Optimizer::adam(learning_rate).weight_decay(0.01)
    }

    /// RMSProp with β₂ = 0.99, ε = 1e-8, without momentum.
    #[must_use]
    pub fn rmsprop(learning_rate: f32) -> Optimizer {
        Rule::RmsProp { beta2: 0.99, eps: 1e-8, momentum: 0.0 }.at(learning_rate)
    }

    /// Lion with β = (0.9, 0.99).
    #[must_use]
    pub fn lion(learning_rate: f32) -> Optimizer {
        Rule::Lion { beta1: 0.9, beta2: 0.99 }.at(learning_rate)
    }

    /// ObGD with γλ = 0.99 · 0.8, κ = 2; the paper's learning rate is 1.
    #[must_use]
    pub fn obgd(learning_rate: f32) -> Optimizer {
        Rule::ObGd { trace: 0.792, kappa: 2.0, transition: Transition::default() }.at(learning_rate)
    }

    /// Adaptive ObGD with γλ = 0.99 · 0.8, β₂ = 0.999, ε = 1e-8, κ = 2.
    #[must_use]
    pub fn adaptive_obgd(learning_rate: f32) -> Optimizer {
        let transition = Transition::default();
        Rule::AdaptiveObGd { trace: 0.792, beta2: 0.999, eps: 1e-8, kappa: 2.0, transition }.at(learning_rate)
    }

    /// Updates of AdaHesScale, AdaHesScaleGN and their kind are clipped here, in learning rates, unless another limit is asked for:
    /// where curvature has died, `m̂ / (√v̂ + ε)` comes to a hundred million. `docs/optimizers.md` has what it was measured on.
    pub const SAFE_UPDATE: f32 = 10.0;

    /// AdaHesScale with β = (0.9, 0.999), ε = 1e-8, updates clipped at [`Optimizer::SAFE_UPDATE`]; [`Optimizer::unlimited`] is the
    /// paper's rule.
    #[must_use]
    pub fn ada_hesscale(learning_rate: f32) -> Optimizer {
        let rule = Rule::AdaHesScale { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
        rule.at(learning_rate).clip_update(Optimizer::SAFE_UPDATE)
    }

    /// AdaHesScaleGN with β = (0.9, 0.999), ε = 1e-8, updates clipped alike.
    #[must_use]
    pub fn ada_hesscale_gn(learning_rate: f32) -> Optimizer {
        let rule = Rule::AdaHesScaleGn { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
        rule.at(learning_rate).clip_update(Optimizer::SAFE_UPDATE)
    }

    /// AdaHesScale by the magnitude of h, `m̂ / (v̂ + ε)`, with β = (0.9, 0.999), ε = 1e-8, updates clipped alike.
    #[must_use]
    pub fn ada_hesscale_abs(learning_rate: f32) -> Optimizer {
        let rule = Rule::AdaHesScaleAbs { beta1: 0.9, beta2: 0.999, eps: 1e-8, root: false };
        rule.at(learning_rate).clip_update(Optimizer::SAFE_UPDATE)
    }

    /// Sophia with β = (0.96, 0.99), γ = 0.01, ε = 1e-12, updates clipped at 1: Sophia-H of the paper, but for its estimate of h.
    #[must_use]
    pub fn sophia(learning_rate: f32) -> Optimizer {
        let rule = Rule::Sophia { beta1: 0.96, beta2: 0.99, gamma: 0.01, eps: 1e-12 };
        rule.at(learning_rate).clip_update(1.0)
    }

    /// η
    #[must_use]
    pub fn learning_rate(self, learning_rate: f32) -> Optimizer {
        Optimizer { learning_rate, ..self }
    }

    /// Decoupled weight decay λ.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f32) -> Optimizer {
        Optimizer { weight_decay, ..self }
    }

    /// Clips each element of the gradient at ±`most`: see [`Limits`].
    #[must_use]
    pub fn clip_gradient(mut self, most: f32) -> Optimizer {
        self.limits.gradient = Some(most);
        self
    }

    /// Scales the gradient so that its norm is at most `most`: see [`Limits`].
    #[must_use]
    pub fn clip_gradient_norm(mut self, most: f32) -> Optimizer {
        self.limits.gradient_norm = Some(most);
        self
    }

    /// Clips each update at ±η ρ: see [`Limits`].
    #[must_use]
    pub fn clip_update(mut self, most: f32) -> Optimizer {
        self.limits.update = Some(most);
        self
    }

    /// Scales a step so that `½ Σ d u²` is at most δ: see [`Limits`]. Of Adam, AdaHesScale and its kind, and Sophia.
    #[must_use]
    pub fn trust(mut self, delta: f32) -> Optimizer {
        match self.rule.divides() {
            true => self.limits.trust = Some(delta),
            false => self.misplace("trust"),
        }
        self
    }

    /// Without limits: the bare rule.
    #[must_use]
    pub fn unlimited(self) -> Optimizer {
        self.limits(Limits::NONE)
    }

    /// These limits in the place of all others.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Optimizer {
        Optimizer { limits, ..self }
    }

    /// Keeps a mean of the parameters, see [`Optimizer::average`].
    #[must_use]
    pub fn average(self, keep: f32) -> Optimizer {
        Optimizer { average: Some(keep), ..self }
    }

    /// Momentum μ of SGD and RMSProp.
    #[must_use]
    pub fn momentum(mut self, value: f32) -> Optimizer {
        match &mut self.rule {
            Rule::Sgd { momentum, .. } | Rule::RmsProp { momentum, .. } => *momentum = value,
            _ => self.misplace("momentum"),
        }
        self
    }

    /// SGD with Nesterov's look-ahead.
    #[must_use]
    pub fn nesterov(mut self) -> Optimizer {
        match &mut self.rule {
            Rule::Sgd { nesterov, .. } => *nesterov = true,
            _ => self.misplace("nesterov"),
        }
        self
    }

    /// β₁ and β₂ of the rules that have both.
    #[must_use]
    pub fn betas(mut self, first: f32, second: f32) -> Optimizer {
        match &mut self.rule {
            Rule::Adam { beta1, beta2, .. }
            | Rule::AdaHesScale { beta1, beta2, .. }
            | Rule::AdaHesScaleGn { beta1, beta2, .. }
            | Rule::AdaHesScaleAbs { beta1, beta2, .. }
            | Rule::Sophia { beta1, beta2, .. }
            | Rule::Lion { beta1, beta2 } => (*beta1, *beta2) = (first, second),
            _ => self.misplace("betas"),
        }
        self
    }

    /// γλ of ObGD: the discount times the decay of traces.
    #[must_use]
    pub fn trace(mut self, value: f32) -> Optimizer {
        match &mut self.rule {
            Rule::ObGd { trace, .. } | Rule::AdaptiveObGd { trace, .. } => *trace = value,
            _ => self.misplace("trace"),
        }
        self
    }

    /// κ of ObGD.
    #[must_use]
    pub fn kappa(mut self, value: f32) -> Optimizer {
        match &mut self.rule {
            Rule::ObGd { kappa, .. } | Rule::AdaptiveObGd { kappa, .. } => *kappa = value,
            _ => self.misplace("kappa"),
        }
        self
    }

    /// What is said of ObGD's next step.
    #[must_use]
    pub fn transition(mut self, value: Transition) -> Optimizer {
        match &mut self.rule {
            Rule::ObGd { transition, .. } | Rule::AdaptiveObGd { transition, .. } => *transition = value,
            _ => self.misplace("transition"),
        }
        self
    }

    /// β₂ of RMSProp, PyTorch's alpha, and of adaptive ObGD.
    #[must_use]
    pub fn alpha(mut self, value: f32) -> Optimizer {
        match &mut self.rule {
            Rule::RmsProp { beta2, .. } | Rule::AdaptiveObGd { beta2, .. } => *beta2 = value,
            _ => self.misplace("alpha"),
        }
        self
    }

    /// ε of the rules that divide.
    #[must_use]
    pub fn eps(mut self, value: f32) -> Optimizer {
        match &mut self.rule {
            Rule::Adam { eps, .. }
            | Rule::AdaHesScale { eps, .. }
            | Rule::AdaHesScaleGn { eps, .. }
            | Rule::AdaHesScaleAbs { eps, .. }
            | Rule::Sophia { eps, .. }
            | Rule::RmsProp { eps, .. }
            | Rule::AdaptiveObGd { eps, .. } => *eps = value,
            Rule::Sgd { .. } | Rule::Lion { .. } | Rule::ObGd { .. } => self.misplace("eps"),
        }
        self
    }

    /// γ of Sophia.
    #[must_use]
    pub fn gamma(mut self, value: f32) -> Optimizer {
        match &mut self.rule {
            Rule::Sophia { gamma, .. } => *gamma = value,
            _ => self.misplace("gamma"),
        }
        self
    }

    /// √v̂ in the denominator of [`Optimizer::ada_hesscale_abs`].
    #[must_use]
    pub fn root(mut self) -> Optimizer {
        match &mut self.rule {
            Rule::AdaHesScaleAbs { root, .. } => *root = true,
            _ => self.misplace("root"),
        }
        self
    }

    fn misplace(&mut self, setting: &'static str) {
        self.misplaced.get_or_insert(self.rule.lacks(setting));
    }

    /// Checks every number, and that the rule has every setting it was given.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting of another rule, for instance Adam's momentum; [`Error::Value`] for a learning rate, weight
    /// decay, momentum, β, γ, ε, limit or average outside its domain, NaN included.
    pub fn validate(&self) -> Result<()> {
        self.misplaced.map_or(Ok(()), |misplaced| Err(misplaced.error()))?;
        let check = |name, value: f32, ok: bool, needed| {
            if ok {
                Ok(())
            } else {
                Err(Error::Value { place: "optimizer".into(), name, value: f64::from(value), needed })
            }
        };
        let not_negative = |name, x: f32| check(name, x, x.is_finite() && x >= 0.0, "finite and >= 0");
        let positive = |name, x: f32| check(name, x, x.is_finite() && x > 0.0, "finite and > 0");
        let finite = |name, x: f32| check(name, x, x.is_finite(), "finite");
        let fraction = |name, x: f32| check(name, x, (0.0..1.0).contains(&x), "in [0, 1)");
        not_negative("learning rate", self.learning_rate)?;
        not_negative("weight decay", self.weight_decay)?;
        let limits = self.limits.each();
        limits
            .into_iter()
            .try_for_each(|(name, limit)| limit.map_or(Ok(()), |limit| positive(name, limit)))?;
        if self.limits.trust.is_some() && !self.rule.divides() {
            return Err(self.rule.lacks("trust").error());
        }
        self.average.map_or(Ok(()), |keep| fraction("average", keep))?;
        match self.rule {
            Rule::Sgd { momentum, .. } => fraction("momentum", momentum),
            Rule::Adam { beta1, beta2, eps }
            | Rule::AdaHesScale { beta1, beta2, eps }
            | Rule::AdaHesScaleGn { beta1, beta2, eps }
            | Rule::AdaHesScaleAbs { beta1, beta2, eps, .. } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                positive("eps", eps)
            }
            Rule::Sophia { beta1, beta2, gamma, eps } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                positive("gamma", gamma)?;
                positive("eps", eps)
            }
            Rule::RmsProp { beta2, eps, momentum } => {
                fraction("beta2", beta2)?;
                positive("eps", eps)?;
                fraction("momentum", momentum)
            }
            Rule::Lion { beta1, beta2 } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)
            }
            Rule::ObGd { trace, kappa, transition } => {
                fraction("trace", trace)?;
                positive("kappa", kappa)?;
                finite("temporal-difference error", transition.error)
            }
            Rule::AdaptiveObGd { trace, beta2, eps, kappa, transition } => {
                fraction("trace", trace)?;
                fraction("beta2", beta2)?;
                positive("eps", eps)?;
                positive("kappa", kappa)?;
                finite("temporal-difference error", transition.error)
            }
        }
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
            Rule::AdaHesScale { .. } | Rule::AdaHesScaleAbs { .. } | Rule::Sophia { .. } => Mode::HesScale,
            Rule::AdaHesScaleGn { .. } => Mode::HesScaleGn,
        }
    }

    /// `sgd`, `adam`, `adahesscale`, `adahesscale_gn`, `adahesscale_abs`, `adahesscale_abs_root`, `sophia`, `rmsprop`, `lion`,
    /// `obgd` or `adaptive_obgd`.
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
        }
    }

    /// Whether a second moment is kept.
    pub(crate) fn has_second_moment(&self) -> bool {
        !matches!(self, Rule::Sgd { .. } | Rule::Lion { .. } | Rule::ObGd { .. })
    }

    /// Whether its step is `m̂` over a denominator, which [`Limits::trust`] reads.
    fn divides(&self) -> bool {
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
            Rule::AdaptiveObGd { .. } => "trace, kappa, transition, alpha, eps",
        }
    }

    fn lacks(&self, setting: &'static str) -> Misplaced {
        Misplaced { rule: self.name(), setting, settings: self.settings() }
    }
}

/// An optimiser's state between steps, in the flat layout of the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState<T> {
    /// The mean of gradients; the momentum buffer of SGD and RMSProp.
    pub m: Vec<T>,
    /// The mean of `q`: squared gradients, squared diagonals, or what else the rule averages.
    pub v: Vec<T>,
    /// The mean of the parameters, where the optimiser keeps one ([`Optimizer::average`]); empty before the first step.
    pub average: Vec<T>,
    /// Updates of the parameters so far.
    pub step: u64,
    /// Updates of `v` so far: fewer than `step` where curvature is computed only now and then.
    pub curvature_steps: u64,
}

impl<T: Clone + Default> OptimizerState<T> {
    /// The state before the first step, for parameters of `len` elements.
    #[must_use]
    pub fn new(len: usize) -> OptimizerState<T> {
        let zeros = || vec![T::default(); len];
        OptimizerState { m: zeros(), v: zeros(), average: Vec::new(), step: 0, curvature_steps: 0 }
    }
}

#[cfg(feature = "train")]
impl OptimizerState<f32> {
    /// As [`OptimizerState::new`], or an error where memory does not suffice.
    pub(crate) fn zeroed(len: usize) -> Result<OptimizerState<f32>> {
        let moment = || zeros("an optimiser's moment", Some(len));
        let average = Vec::new();
        Ok(OptimizerState { m: moment()?, v: moment()?, average, step: 0, curvature_steps: 0 })
    }
}
