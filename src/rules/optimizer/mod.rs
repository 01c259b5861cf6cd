//! Optimisers: a rule, its rate and decay, its limits.

mod limits;
mod rule;
mod state;

pub use limits::Limits;
pub use rule::{Rule, Transition};
pub use state::{OptimizerState, Span};

use crate::{Error, Result};
use serde::{Deserialize, Serialize, Serializer};

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

    /// UPGD with β = 0.9999, noise of deviation 0.01, and 0 for a seed.
    #[must_use]
    pub fn upgd(learning_rate: f32) -> Optimizer {
        Rule::Upgd { trace: 0.9999, noise: 0.01, seed: 0 }.at(learning_rate)
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

    /// γλ of ObGD, the discount times the decay of traces; β of UPGD, of the mean of utilities.
    #[must_use]
    pub fn trace(mut self, value: f32) -> Optimizer {
        match &mut self.rule {
            Rule::ObGd { trace, .. } | Rule::AdaptiveObGd { trace, .. } | Rule::Upgd { trace, .. } => {
                *trace = value;
            }
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

    /// The deviation of UPGD's noise.
    #[must_use]
    pub fn noise(mut self, deviation: f32) -> Optimizer {
        match &mut self.rule {
            Rule::Upgd { noise, .. } => *noise = deviation,
            _ => self.misplace("noise"),
        }
        self
    }

    /// The seed of UPGD's noise.
    #[must_use]
    pub fn seed(mut self, value: u32) -> Optimizer {
        match &mut self.rule {
            Rule::Upgd { seed, .. } => *seed = value,
            _ => self.misplace("seed"),
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
            Rule::Sgd { .. } | Rule::Lion { .. } | Rule::ObGd { .. } | Rule::Upgd { .. } => {
                self.misplace("eps");
            }
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
    /// decay, momentum, β, γ, ε, noise, limit or average outside its domain, NaN included.
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
            Rule::Upgd { trace, noise, .. } => {
                fraction("trace", trace)?;
                not_negative("noise", noise)
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
