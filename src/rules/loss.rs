//! Losses and their targets.

use super::{CrossEntropy, Mode, nothing};
use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};

/// How the losses of a batch are reduced to one value. The factor multiplies value, gradient and diagonal alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reduction {
    /// Divide by the number of samples N for cross-entropy (by N·positions if every position of an image is classified), by N·K
    /// for MSE and BCE, and by N·K for a Gaussian with K targets. Weights and ignored samples do not change the divisor.
    #[default]
    Mean,
    /// Do not divide.
    Sum,
}

/// The kind of targets of a cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClassTargets {
    /// One class index per sample (`u32`).
    #[default]
    ClassIndex,
    /// Masses per sample, `[N, C]`: a distribution, or values of any sign. If a row's sum is not positive, HesScale-R carries no
    /// vector for it, and all of its curvature, `m (p − p²)`, is in `h`.
    Soft,
}

/// How the second half of a Gaussian's outputs becomes its variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Variance {
    /// `v = e^ρ`
    Log,
    /// `v = log(1 + e^ρ)`
    Softplus,
}

/// `log(1/v)` of a Gaussian is held at this in its derivatives: at a vanishing variance they stay finite in f32.
pub(crate) const MAX_LOG_PRECISION: f64 = 80.0;

/// The loss, with all options that decide its value, gradient and diagonal at the logits. What takes a loss takes a
/// [`CrossEntropy`] as well.
///
/// ```
/// use hesscale::{Loss, Model};
///
/// # fn main() -> hesscale::Result<()> {
/// let regression = Model::builder([4]).dense(3).loss(Loss::mse().sum())?;
/// let smooth = Model::builder([4]).dense(3).loss(Loss::cross_entropy().soft().label_smoothing(0.1).sum())?;
/// // Where the type must be `Loss`:
/// let losses: [Loss; 2] = [Loss::mse(), Loss::cross_entropy().into()];
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
#[non_exhaustive]
pub enum Loss {
    /// `−Σ_c y_c log p_c` with `p = softmax(z)`. The effective target is `y_c = w_c ((1−ε) t_c + ε m_t/C)`, `t` the
    /// one-hot class or the soft target of mass `m_t`, `w` the class weights, ε the label smoothing. Logits `[C]`, or `[C, …]`
    /// with one target for each position after the class dimension.
    #[serde(rename = "softmax_ce")]
    SoftmaxCrossEntropy {
        /// Class indices or distributions.
        #[serde(default)]
        targets: ClassTargets,
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
        /// One weight per class, each finite and not negative.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class_weights: Option<Vec<f32>>,
        /// ε in [0, 1].
        #[serde(default)]
        label_smoothing: f32,
        /// Samples of this class index are ignored: they add exactly 0, as in PyTorch, even if their logits are NaN. JSON may
        /// have it negative, like PyTorch's default of −100: that is the index with the same bits, which `class as u32` gives for
        /// a negative target.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "index")]
        ignore_index: Option<u32>,
    },
    /// `Σ (z − t)²`, no ½.
    #[serde(rename = "mse")]
    Mse {
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
    },
    /// `Σ softplus(z) − t z`.
    #[serde(rename = "bce_logits")]
    BceWithLogits {
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
    },
    /// `½ (log v + (μ − t)²/v)`: the first half of the outputs is μ, the second decides v.
    #[serde(rename = "gaussian_nll")]
    GaussianNll {
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
        /// How ρ becomes v.
        var: Variance,
    },
    /// None: the host supplies the signal at the network's outputs, an [`OutputSignal`](crate::model::OutputSignal), and the
    /// backward pass begins there. There are no targets and no value, and no factor: what the host writes is what flows.
    #[serde(rename = "external", deserialize_with = "nothing")]
    External,
}

/// Reads a class index, or a negative number for the one with its bits.
fn index<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<u32>, D::Error> {
    let Some(given) = Option::<i64>::deserialize(deserializer)? else { return Ok(None) };
    let index = u32::try_from(given).or_else(|_| i32::try_from(given).map(i32::cast_unsigned));
    index
        .map(Some)
        .map_err(|_| serde::de::Error::custom(format_args!("ignore_index {given} has more than 32 bits")))
}

impl Loss {
    /// Mean softmax cross-entropy over class indices, to be given further options.
    pub fn cross_entropy() -> CrossEntropy {
        CrossEntropy::new()
    }

    /// Mean squared error.
    #[must_use]
    pub fn mse() -> Loss {
        Loss::Mse { reduction: Reduction::Mean }
    }

    /// Mean binary cross-entropy of logits.
    #[must_use]
    pub fn bce_with_logits() -> Loss {
        Loss::BceWithLogits { reduction: Reduction::Mean }
    }

    /// Mean negative log-likelihood of a Gaussian whose mean and variance are the outputs.
    #[must_use]
    pub fn gaussian_nll(var: Variance) -> Loss {
        Loss::GaussianNll { reduction: Reduction::Mean, var }
    }

    /// No loss: the signal at the outputs comes from the host.
    #[must_use]
    pub fn external() -> Loss {
        Loss::External
    }

    /// Whether the signal at the outputs comes from the host.
    #[must_use]
    pub fn is_external(&self) -> bool {
        matches!(self, Loss::External)
    }

    /// The sum in place of the mean.
    #[must_use]
    pub fn sum(self) -> Loss {
        self.reduced(Reduction::Sum)
    }

    /// The mean, as every loss is made.
    #[must_use]
    pub fn mean(self) -> Loss {
        self.reduced(Reduction::Mean)
    }

    fn reduced(mut self, to: Reduction) -> Loss {
        match &mut self {
            Loss::SoftmaxCrossEntropy { reduction, .. }
            | Loss::Mse { reduction }
            | Loss::BceWithLogits { reduction }
            | Loss::GaussianNll { reduction, .. } => *reduction = to,
            Loss::External => {}
        }
        self
    }

    /// Mean or sum. A signal from the host is divided by nothing, as a sum.
    #[must_use]
    pub fn reduction(&self) -> Reduction {
        match self {
            Loss::SoftmaxCrossEntropy { reduction, .. }
            | Loss::Mse { reduction }
            | Loss::BceWithLogits { reduction }
            | Loss::GaussianNll { reduction, .. } => *reduction,
            Loss::External => Reduction::Sum,
        }
    }

    /// The class index whose samples are ignored, where there is one.
    #[must_use]
    pub fn ignored(&self) -> Option<u32> {
        match self {
            Loss::SoftmaxCrossEntropy { ignore_index, .. } => *ignore_index,
            _ => None,
        }
    }

    /// Class weights, if any.
    #[must_use]
    pub fn weights(&self) -> Option<&[f32]> {
        match self {
            Loss::SoftmaxCrossEntropy { class_weights, .. } => class_weights.as_deref(),
            _ => None,
        }
    }

    /// Number of target elements per sample for logits of shape `output`: 1 class index (for `[classes, …]` one per position), as
    /// many numbers as logits, half as many for a Gaussian, none for [`Loss::External`]. A shape without a dimension is one
    /// number's; a shape with more elements than a `usize` can count (no model has one) counts as the largest number.
    #[must_use]
    pub fn target_len(&self, output: &[usize]) -> usize {
        let outputs = count(output);
        match self {
            Loss::SoftmaxCrossEntropy { targets: ClassTargets::ClassIndex, .. } => {
                outputs.min(count(output.get(1..).unwrap_or_default()))
            }
            Loss::GaussianNll { .. } => outputs / 2,
            Loss::External => 0,
            _ => outputs,
        }
    }

    /// Rows of a sample: parts of its logits, of shape `output`, that have a loss of their own. A cross-entropy has one at each
    /// position, other losses one in all.
    pub(crate) fn rows(&self, output: &[usize]) -> usize {
        match self {
            Loss::SoftmaxCrossEntropy { .. } => count(output.get(1..).unwrap_or_default()),
            _ => 1,
        }
    }

    /// Whether targets are class indices (`u32`) rather than numbers (`f32`).
    #[must_use]
    pub fn takes_classes(&self) -> bool {
        matches!(self, Loss::SoftmaxCrossEntropy { targets: ClassTargets::ClassIndex, .. })
    }

    /// The factor that value, g and h carry for a batch of `batch` samples with logits of shape `output`; 1 where there is
    /// nothing to divide by.
    #[must_use]
    pub fn factor(&self, batch: usize, output: &[usize]) -> f64 {
        let positions = count(output.get(1..).unwrap_or_default());
        let each = match (self.reduction(), self) {
            (Reduction::Sum, _) => return 1.0,
            (_, Loss::SoftmaxCrossEntropy { .. }) => positions,
            _ => self.target_len(output),
        };
        1.0 / (batch as f64 * each as f64).max(1.0)
    }

    /// Checks every number, and that the loss fits logits of shape `output`.
    ///
    /// # Errors
    /// [`Error::Value`], [`Error::Length`] for class weights, [`Error::Shape`] for an odd number of a Gaussian's outputs.
    pub(crate) fn validate(&self, output: &[usize]) -> Result<()> {
        let value = |name, value: f32, needed| {
            Err(Error::Value { place: "loss".into(), name, value: f64::from(value), needed })
        };
        match self {
            Loss::SoftmaxCrossEntropy { class_weights, label_smoothing, .. } => {
                if !(0.0..=1.0).contains(label_smoothing) {
                    return value("label_smoothing", *label_smoothing, "in [0, 1]");
                }
                let weights = class_weights.as_deref().unwrap_or_default();
                if class_weights.is_some() && weights.len() != output[0] {
                    let tensor = "loss: class_weights".into();
                    return Err(Error::Length { tensor, got: weights.len(), needed: output[0] });
                }
                match weights.iter().find(|w| !w.is_finite() || **w < 0.0) {
                    Some(weight) => value("class weight", *weight, "finite and >= 0"),
                    None => Ok(()),
                }
            }
            Loss::GaussianNll { .. } if output.len() != 1 || !count(output).is_multiple_of(2) => {
                let needed = "[2 K]: K means, then K variance heads".into();
                Err(Error::Shape { layer: "loss".into(), got: output.to_vec(), needed })
            }
            Loss::GaussianNll { .. } | Loss::Mse { .. } | Loss::BceWithLogits { .. } | Loss::External => {
                Ok(())
            }
        }
    }

    /// Whether there is a rule for `mode` at logits of shape `output`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for HesScale-R with a cross-entropy at several positions: the vectors of different positions are
    /// independent, so each would have to be carried by itself.
    pub(crate) fn check_mode(&self, mode: Mode, output: &[usize]) -> Result<()> {
        let positions = self.rows(output);
        if mode.rank() == 0 || positions == 1 {
            return Ok(());
        }
        let kind = format!("{} with a cross-entropy at each of {positions} positions", mode.name());
        Err(Error::Unsupported { layer: "loss".into(), kind })
    }

    /// Checks the targets of `batch` samples with logits of shape `output`: kind, length, class range.
    ///
    /// # Errors
    /// [`Error::TargetKind`], [`Error::Length`], or [`Error::TargetOutOfRange`] naming the index.
    pub(crate) fn check_targets(&self, batch: usize, output: &[usize], targets: Targets<'_>) -> Result<()> {
        let kind = |classes| if classes { "class-index" } else { "numeric" };
        let (got, given_classes) = match targets {
            Targets::Classes(classes) => (classes.len(), true),
            Targets::Values(values) => (values.len(), false),
        };
        let needed = if self.is_external() { "no" } else { kind(self.takes_classes()) };
        if needed != kind(given_classes) {
            return Err(Error::TargetKind { needed, got: kind(given_classes) });
        }
        let needed = batch.saturating_mul(self.target_len(output));
        if got != needed {
            return Err(Error::Length { tensor: "targets".into(), got, needed });
        }
        let Targets::Classes(given) = targets else { return Ok(()) };
        let (classes, ignored) = (output[0], self.ignored());
        let bad = |(_, class): &(usize, &u32)| **class as usize >= classes && Some(**class) != ignored;
        match given.iter().enumerate().find(bad) {
            Some((index, class)) => Err(Error::TargetOutOfRange { index, class: i64::from(*class), classes }),
            None => Ok(()),
        }
    }
}

/// The number of elements of a shape, saturating.
fn count(shape: &[usize]) -> usize {
    match shape.contains(&0) {
        true => 0,
        false => shape.iter().fold(1, |all, size| all.saturating_mul(*size)),
    }
}

/// Targets of one batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Targets<'a> {
    /// One class index per sample.
    Classes(&'a [u32]),
    /// `[N, K]` numbers, row by row.
    Values(&'a [f32]),
}
