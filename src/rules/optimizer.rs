//! Optimisers and their state.

use super::Mode;
#[cfg(feature = "train")]
use crate::memory::zeros;
use crate::{Error, Result};
use serde::{Deserialize, Serialize, Serializer};

/// The update rule. `q` is what the second moment averages; [`OptimizerState::step`] has the formulas.
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
    /// The first setting it was given that its rule does not have: [`Optimizer::validate`] refuses it.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none", serialize_with = "refuse")]
    misplaced: Option<Misplaced>,
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

    /// AdaHesScale with β = (0.9, 0.999), ε = 1e-8.
    #[must_use]
    pub fn ada_hesscale(learning_rate: f32) -> Optimizer {
        Rule::AdaHesScale { beta1: 0.9, beta2: 0.999, eps: 1e-8 }.at(learning_rate)
    }

    /// AdaHesScaleGN with β = (0.9, 0.999), ε = 1e-8.
    #[must_use]
    pub fn ada_hesscale_gn(learning_rate: f32) -> Optimizer {
        Rule::AdaHesScaleGn { beta1: 0.9, beta2: 0.999, eps: 1e-8 }.at(learning_rate)
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

    /// SGD's momentum μ.
    #[must_use]
    pub fn momentum(mut self, value: f32) -> Optimizer {
        match &mut self.rule {
            Rule::Sgd { momentum, .. } => *momentum = value,
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

    /// β₁ and β₂ of Adam, AdaHesScale and AdaHesScaleGN.
    #[must_use]
    pub fn betas(mut self, first: f32, second: f32) -> Optimizer {
        match &mut self.rule {
            Rule::Adam { beta1, beta2, .. }
            | Rule::AdaHesScale { beta1, beta2, .. }
            | Rule::AdaHesScaleGn { beta1, beta2, .. } => (*beta1, *beta2) = (first, second),
            Rule::Sgd { .. } => self.misplace("betas"),
        }
        self
    }

    /// ε of Adam, AdaHesScale and AdaHesScaleGN.
    #[must_use]
    pub fn eps(mut self, value: f32) -> Optimizer {
        match &mut self.rule {
            Rule::Adam { eps, .. } | Rule::AdaHesScale { eps, .. } | Rule::AdaHesScaleGn { eps, .. } => {
                *eps = value;
            }
            Rule::Sgd { .. } => self.misplace("eps"),
        }
        self
    }

    fn misplace(&mut self, setting: &'static str) {
        let (rule, settings) = (self.rule.name(), self.rule.settings());
        self.misplaced.get_or_insert(Misplaced { rule, setting, settings });
    }

    /// Checks every number, and that the rule has every setting it was given.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting of another rule, for instance Adam's momentum; [`Error::Value`] for a learning rate, weight
    /// decay, momentum, β or ε outside its domain, NaN included.
    pub fn validate(&self) -> Result<()> {
        self.misplaced.map_or(Ok(()), |misplaced| Err(misplaced.error()))?;
        let check = |name, value: f32, ok: bool, needed| {
            if ok {
                Ok(())
            } else {
                Err(Error::Value { place: "optimizer".into(), name, value: f64::from(value), needed })
            }
        };
        let not_negative = |x: f32| x.is_finite() && x >= 0.0;
        let fraction = |x: f32| (0.0..1.0).contains(&x);
        check("learning rate", self.learning_rate, not_negative(self.learning_rate), "finite and >= 0")?;
        check("weight decay", self.weight_decay, not_negative(self.weight_decay), "finite and >= 0")?;
        match self.rule {
            Rule::Sgd { momentum, .. } => check("momentum", momentum, fraction(momentum), "in [0, 1)"),
            Rule::Adam { beta1, beta2, eps }
            | Rule::AdaHesScale { beta1, beta2, eps }
            | Rule::AdaHesScaleGn { beta1, beta2, eps } => {
                check("beta1", beta1, fraction(beta1), "in [0, 1)")?;
                check("beta2", beta2, fraction(beta2), "in [0, 1)")?;
                check("eps", eps, eps.is_finite() && eps > 0.0, "finite and > 0")
            }
        }
    }
}

impl Rule {
    /// This rule at a learning rate, without weight decay.
    #[must_use]
    pub fn at(self, learning_rate: f32) -> Optimizer {
        Optimizer { rule: self, learning_rate, weight_decay: 0.0, misplaced: None }
    }

    /// The mode whose diagonal the rule reads: [`Mode::None`] where it reads none.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Rule::Sgd { .. } | Rule::Adam { .. } => Mode::None,
            Rule::AdaHesScale { .. } => Mode::HesScale,
            Rule::AdaHesScaleGn { .. } => Mode::HesScaleGn,
        }
    }

    /// `sgd`, `adam`, `adahesscale` or `adahesscale_gn`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Rule::Sgd { .. } => "sgd",
            Rule::Adam { .. } => "adam",
            Rule::AdaHesScale { .. } => "adahesscale",
            Rule::AdaHesScaleGn { .. } => "adahesscale_gn",
        }
    }
}

impl Rule {
    /// What [`Optimizer`] has methods for, besides the learning rate and weight decay.
    fn settings(&self) -> &'static str {
        match self {
            Rule::Sgd { .. } => "momentum, nesterov",
            Rule::Adam { .. } | Rule::AdaHesScale { .. } | Rule::AdaHesScaleGn { .. } => "betas, eps",
        }
    }
}

/// An optimiser's state between steps, in the flat layout of the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState<T> {
    /// The mean of gradients; SGD's momentum buffer.
    pub m: Vec<T>,
    /// The mean of `q`: squared gradients, or squared diagonals.
    pub v: Vec<T>,
    /// Updates of the parameters so far.
    pub step: u64,
    /// Updates of `v` so far: fewer than `step` where curvature is computed only now and then.
    pub curvature_steps: u64,
}

impl<T: Clone + Default> OptimizerState<T> {
    /// The state before the first step, for parameters of `len` elements.
    #[must_use]
    pub fn new(len: usize) -> OptimizerState<T> {
        OptimizerState { m: vec![T::default(); len], v: vec![T::default(); len], step: 0, curvature_steps: 0 }
    }
}

#[cfg(feature = "train")]
impl OptimizerState<f32> {
    /// As [`OptimizerState::new`], or an error where memory does not suffice.
    pub(crate) fn zeroed(len: usize) -> Result<OptimizerState<f32>> {
        let moment = || zeros("an optimiser's moment", Some(len));
        Ok(OptimizerState { m: moment()?, v: moment()?, step: 0, curvature_steps: 0 })
    }
}
