//! Losses and their targets.

use super::{CrossEntropy, CustomLoss, ElementwiseLoss, Mode, RowLoss, nothing, policy};
use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};

/// How the losses of a batch are reduced to one value. The factor multiplies value, gradient and diagonal alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reduction {
    /// Divide by the number of samples N for cross-entropy (by N·positions if every position of an image is classified) and for
    /// PPO, by N for a [`RowLoss`] of the user's own, and by N·K for the others, with K targets a sample. Weights and ignored samples do not change the divisor.
    #[default]
    Mean,
    /// Do not divide.
    Sum,
    /// As [`Reduction::Mean`], but each sample counts in the divisor as often as its weight says, and not at all where it is ignored:
    /// PyTorch's own mean of a weighted cross-entropy. The weight is the sample's, times the class weight of its target where
    /// targets are class indices; class weights of soft targets do not count. Where the weights add up to 0, or cancel to a 100,000th
    /// of their magnitudes, which rounding could leave of nothing, value and signal are 0. Weights of both signs may add up to a
    /// negative divisor.
    WeightedMean,
}

/// Weights whose sum is at most so much of that of their magnitudes cancel.
pub(crate) const CANCELLED: f32 = 1e-5;

/// One over a sum of weights, given that of their magnitudes; 0 where they cancel.
pub(crate) fn weighted_factor(sum: f64, magnitude: f64) -> f64 {
    if sum.abs() <= f64::from(CANCELLED) * magnitude { 0.0 } else { 1.0 / sum }
}

/// The kind of targets of a cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClassTargets {
    /// One class index per sample (`u32`).
    #[default]
    ClassIndex,
    /// Masses per sample, `[N, C]`: a distribution, or values of any sign. If a row's sum is not positive, HesScale-R and -S carry no
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

/// The logarithm of PPO's ratio is held at this: where the old policy all but excluded an action, all stays finite in f32.
pub(crate) const MAX_LOG_RATIO: f64 = 80.0;

/// Numbers of a sample's policy targets behind its action: the old log-probability, the advantage.
const BEHIND_ACTION: usize = 2;

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
    /// `Σ w t softplus(−z) + (1 − t) softplus(z)`, w the weight of a positive target; without weights `Σ softplus(z) − t z`.
    #[serde(rename = "bce_logits")]
    BceWithLogits {
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
        /// PyTorch's `pos_weight`: one for each output, or for each channel of `[C, …]`; each finite and not negative.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pos_weight: Option<Vec<f32>>,
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
    /// `½ r²` where `|r| ≤ δ`, else `δ (|r| − ½ δ)`, with `r = z − t`; the curvature is 1, then 0.
    #[serde(rename = "huber")]
    Huber {
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
        /// δ, above 0.
        delta: f64,
    },
    /// `|z − t|`; the curvature is 0, and where z = t the gradient is too.
    #[serde(rename = "l1")]
    L1 {
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
    },
    /// `(z − t)²/(z² + ε)`, whose denominator counts as a constant in the derivatives.
    #[serde(rename = "relative_mse")]
    RelativeMse {
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
        /// ε, above 0.
        eps: f64,
    },
    /// Proximal policy optimisation over `softmax(z)`: `−min(r A, clip(r, 1 − c, 1 + c) A) − e H` with the ratio
    /// `r = π(a)/π_old(a)`, the advantage A and the policy's entropy H (Schulman et al., 2017, arXiv 1707.06347). Targets are rows
    /// `[a, log π_old(a), A]`: [`discrete_policy_targets`](crate::model::discrete_policy_targets). Where the clipped branch acts,
    /// its signal is 0. There is no HesScale-R or -S for it: the Hessian is not diagonal, and its leading direction of either sign. log r is
    /// held at 80.
    #[serde(rename = "ppo_discrete")]
    PpoDiscrete {
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
        /// c, finite and not negative.
        clip: f64,
        /// e, the factor of the entropy bonus; finite.
        #[serde(default)]
        entropy: f64,
    },
    /// The same for independent Gaussians: the first half of the outputs is their mean, the second the logarithm of their variance.
    /// Targets are rows `[a₁ … a_K, log π_old(a), A]`: [`gaussian_policy_targets`](crate::model::gaussian_policy_targets).
    #[serde(rename = "ppo_gaussian")]
    PpoGaussian {
        /// Mean or sum.
        #[serde(default)]
        reduction: Reduction,
        /// c, finite and not negative.
        clip: f64,
        /// e, the factor of the entropy bonus; finite.
        #[serde(default)]
        entropy: f64,
    },
    /// In the user's own WGSL: [`CustomLoss`].
    #[serde(rename = "custom")]
    Custom(CustomLoss),
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
    /// Mean softmax cross-entropy over class indices, to be given further options. Over the actions that were taken, with advantages
    /// for the weights of samples, it is the loss of the policy gradient (REINFORCE).
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
        Loss::BceWithLogits { reduction: Reduction::Mean, pos_weight: None }
    }

    /// The same with a weight for the positive targets of each output: see [`Loss::BceWithLogits`].
    #[must_use]
    pub fn bce_with_pos_weight(weights: impl Into<Vec<f32>>) -> Loss {
        Loss::BceWithLogits { reduction: Reduction::Mean, pos_weight: Some(weights.into()) }
    }

    /// Mean Huber loss: see [`Loss::Huber`].
    #[must_use]
    pub fn huber(delta: f64) -> Loss {
        Loss::Huber { reduction: Reduction::Mean, delta }
    }

    /// Mean absolute error.
    #[must_use]
    pub fn l1() -> Loss {
        Loss::L1 { reduction: Reduction::Mean }
    }

    /// Mean squared error relative to the output: see [`Loss::RelativeMse`].
    #[must_use]
    pub fn relative_mse(eps: f64) -> Loss {
        Loss::RelativeMse { reduction: Reduction::Mean, eps }
    }

    /// Mean loss of PPO over classes: see [`Loss::PpoDiscrete`].
    #[must_use]
    pub fn ppo_discrete(clip: f64, entropy: f64) -> Loss {
        Loss::PpoDiscrete { reduction: Reduction::Mean, clip, entropy }
    }

    /// Mean loss of PPO over Gaussians: see [`Loss::PpoGaussian`].
    #[must_use]
    pub fn ppo_gaussian(clip: f64, entropy: f64) -> Loss {
        Loss::PpoGaussian { reduction: Reduction::Mean, clip, entropy }
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

    /// The mean over weights: see [`Reduction::WeightedMean`].
    #[must_use]
    pub fn weighted_mean(self) -> Loss {
        self.reduced(Reduction::WeightedMean)
    }

    fn reduced(mut self, to: Reduction) -> Loss {
        match &mut self {
            Loss::SoftmaxCrossEntropy { reduction, .. }
            | Loss::Mse { reduction }
            | Loss::BceWithLogits { reduction, .. }
            | Loss::GaussianNll { reduction, .. }
            | Loss::Huber { reduction, .. }
            | Loss::L1 { reduction }
            | Loss::RelativeMse { reduction, .. }
            | Loss::PpoDiscrete { reduction, .. }
            | Loss::PpoGaussian { reduction, .. } => *reduction = to,
            Loss::Custom(custom) => *custom.reduction_mut() = to,
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
            | Loss::BceWithLogits { reduction, .. }
            | Loss::GaussianNll { reduction, .. }
            | Loss::Huber { reduction, .. }
            | Loss::L1 { reduction }
            | Loss::RelativeMse { reduction, .. }
            | Loss::PpoDiscrete { reduction, .. }
            | Loss::PpoGaussian { reduction, .. } => *reduction,
            Loss::Custom(custom) => custom.reduction(),
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

    /// What weighs the outputs of a row, if anything does: class weights, or the weight of a positive target for each of the
    /// logits of shape `output`.
    pub(crate) fn output_weights(&self, output: &[usize]) -> Option<Vec<f32>> {
        match self {
            Loss::BceWithLogits { pos_weight: Some(weights), .. } => {
                let positions = count(output.get(1..).unwrap_or_default());
                Some(weights.iter().flat_map(|weight| std::iter::repeat_n(*weight, positions)).collect())
            }
            _ => self.weights().map(<[f32]>::to_vec),
        }
    }

    /// Number of target elements per sample for logits of shape `output`: 1 class index (for `[classes, …]` one per position), as
    /// many numbers as logits, half as many for a Gaussian, what a [`RowLoss`] says; for PPO the action, and two numbers more; none for
    /// [`Loss::External`]. A shape without a dimension is one number's; a shape with more elements than a `usize` can count (no
    /// model has one) counts as the largest number.
    #[must_use]
    pub fn target_len(&self, output: &[usize]) -> usize {
        let outputs = count(output);
        match self {
            Loss::SoftmaxCrossEntropy { targets: ClassTargets::ClassIndex, .. } => {
                outputs.min(count(output.get(1..).unwrap_or_default()))
            }
            Loss::GaussianNll { .. } => outputs / 2,
            Loss::PpoDiscrete { .. } => 1 + BEHIND_ACTION,
            Loss::PpoGaussian { .. } => outputs / 2 + BEHIND_ACTION,
            Loss::Custom(custom) => custom.target_len(outputs),
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
    /// nothing to divide by. Of a [`Reduction::WeightedMean`] it is that of weights of 1.
    #[must_use]
    pub fn factor(&self, batch: usize, output: &[usize]) -> f64 {
        let each = match (self.reduction(), self) {
            (Reduction::Sum, _) => return 1.0,
            (_, Loss::SoftmaxCrossEntropy { .. }) => self.rows(output),
            _ => self.terms(output),
        };
        1.0 / (batch as f64 * each as f64).max(1.0)
    }

    /// What the squared gradients of `samples` are multiplied by in [`Mode::Fisher`], where each carries the factor of all.
    pub(crate) fn spread(&self, samples: usize) -> f64 {
        if self.reduction() == Reduction::Sum { 1.0 } else { samples as f64 }
    }

    /// Terms of a row that a mean divides by.
    pub(crate) fn terms(&self, output: &[usize]) -> usize {
        match self {
            Loss::SoftmaxCrossEntropy { .. }
            | Loss::PpoDiscrete { .. }
            | Loss::PpoGaussian { .. }
            | Loss::Custom(CustomLoss::ByRow(_)) => 1,
            _ => self.target_len(output),
        }
    }

    /// Checks every number, and that the loss fits logits of shape `output`.
    ///
    /// # Errors
    /// [`Error::Value`], [`Error::Length`] for class weights, [`Error::Shape`] for an odd number of a Gaussian's outputs, or more
    /// than a loss by row takes.
    pub(crate) fn validate(&self, output: &[usize]) -> Result<()> {
        let value = |name, value: f64, needed| Err(Error::value("loss", name, value, needed));
        match self {
            Loss::SoftmaxCrossEntropy { class_weights, label_smoothing, .. } => {
                if !(0.0..=1.0).contains(label_smoothing) {
                    return value("label_smoothing", f64::from(*label_smoothing), "in [0, 1]");
                }
                check_weights(["loss: class_weights", "class weight"], class_weights.as_deref(), output[0])
            }
            Loss::GaussianNll { .. } | Loss::PpoGaussian { .. }
                if output.len() != 1 || !count(output).is_multiple_of(2) =>
            {
                let needed = "[2 K]: K means, then K variance heads".into();
                Err(Error::Shape { layer: "loss".into(), got: output.to_vec(), needed })
            }
            Loss::PpoDiscrete { .. } if output.len() != 1 => {
                let needed = "[actions]: the logits of one policy".into();
                Err(Error::Shape { layer: "loss".into(), got: output.to_vec(), needed })
            }
            Loss::BceWithLogits { pos_weight, .. } => {
                check_weights(["loss: pos_weight", "pos_weight"], pos_weight.as_deref(), output[0])
            }
            Loss::Huber { delta: above_0, .. } | Loss::RelativeMse { eps: above_0, .. }
                if !((*above_0 as f32).is_normal() && *above_0 > 0.0) =>
            {
                let name = if let Loss::Huber { .. } = self { "delta" } else { "eps" };
                value(name, *above_0, "a normal number of f32 and > 0")
            }
            Loss::PpoDiscrete { clip, .. } | Loss::PpoGaussian { clip, .. }
                if !((*clip as f32).is_finite() && *clip >= 0.0) =>
            {
                value("clip", *clip, "finite in f32 and >= 0")
            }
            Loss::PpoDiscrete { entropy, .. } | Loss::PpoGaussian { entropy, .. }
                if !(*entropy as f32).is_finite() =>
            {
                value("entropy", *entropy, "finite in f32")
            }
            Loss::Custom(custom) => custom.validate(output, count(output)),
            Loss::PpoDiscrete { .. } | Loss::PpoGaussian { .. } | Loss::GaussianNll { .. } => Ok(()),
            Loss::Mse { .. }
            | Loss::Huber { .. }
            | Loss::L1 { .. }
            | Loss::RelativeMse { .. }
            | Loss::External => Ok(()),
        }
    }

    /// That the CPU can compute it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a [`CustomLoss`] without a closure.
    pub(crate) fn check_on_cpu(&self) -> Result<()> {
        match self {
            Loss::Custom(custom) if !custom.is_on_cpu() => {
                let what = format!("{} without `on_cpu`, on the CPU", custom.name());
                Err(Error::unsupported("loss", what))
            }
            _ => Ok(()),
        }
    }

    /// Checks the weights of `batch` samples.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::Value`] for a weight that is not finite.
    pub(crate) fn check_sample_weights(batch: usize, weights: &[f32]) -> Result<()> {
        Error::check_length("sample weights", weights.len(), batch)?;
        match weights.iter().enumerate().find(|(_, weight)| !weight.is_finite()) {
            Some((index, weight)) => {
                let place = format!("sample {index}");
                Err(Error::value(place, "the weight", f64::from(*weight), "finite"))
            }
            None => Ok(()),
        }
    }

    /// Whether there is a rule for `mode` at logits of shape `output`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for HesScale-R and -S with a cross-entropy at several positions: the vectors of different positions are
    /// independent, so each would have to be carried by itself. And with PPO: the leading direction of its Hessian
    /// is positive or negative as the advantage is, and its diagonal alone does not tell which entries lead: of two actions they
    /// are always equal.
    pub(crate) fn check_mode(&self, mode: Mode, output: &[usize]) -> Result<()> {
        let positions = self.rows(output);
        let what = match self {
            _ if mode.rank() == 0 || mode == Mode::Fisher => return Ok(()),
            Loss::PpoDiscrete { .. } | Loss::PpoGaussian { .. } => "PPO".into(),
            _ if positions == 1 => return Ok(()),
            _ => format!("a cross-entropy at each of {positions} positions"),
        };
        Err(Error::unsupported("loss", format!("{} with {what}", mode.name())))
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
        let (classes, ignored) = (output[0], self.ignored());
        let given = match targets {
            Targets::Classes(given) => given,
            Targets::Values(rows) if matches!(self, Loss::PpoDiscrete { .. }) => {
                return policy::check_actions(classes, rows);
            }
            Targets::Values(_) => return Ok(()),
        };
        let bad = |(_, class): &(usize, &u32)| **class as usize >= classes && Some(**class) != ignored;
        match given.iter().enumerate().find(bad) {
            Some((index, class)) => Err(Error::TargetOutOfRange { index, class: i64::from(*class), classes }),
            None => Ok(()),
        }
    }
}

impl From<CustomLoss> for Loss {
    fn from(loss: CustomLoss) -> Loss {
        Loss::Custom(loss)
    }
}

impl From<ElementwiseLoss> for Loss {
    fn from(loss: ElementwiseLoss) -> Loss {
        Loss::Custom(loss.into())
    }
}

impl From<RowLoss> for Loss {
    fn from(loss: RowLoss) -> Loss {
        Loss::Custom(loss.into())
    }
}

/// Checks weights of the loss by its own name and that of one of them.
fn check_weights([all, one]: [&'static str; 2], weights: Option<&[f32]>, needed: usize) -> Result<()> {
    let Some(weights) = weights else { return Ok(()) };
    Error::check_length(all, weights.len(), needed)?;
    match weights.iter().find(|w| !w.is_finite() || **w < 0.0) {
        Some(weight) => Err(Error::value("loss", one, f64::from(*weight), "finite and >= 0")),
        None => Ok(()),
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
