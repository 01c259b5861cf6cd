//! Losses: what stands at the network's end, and what it is compared with.

use serde::{Deserialize, Deserializer, Serialize};

/// How the losses of a batch become one number. The factor multiplies value, gradient and diagonal alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reduction {
    /// Divide by the number of samples N (cross-entropy; N·positions where an image is classified point by point), by N·K (MSE, BCE), or by N·K for a Gaussian with K
    /// targets. Weights and ignored samples do not change the divisor.
    #[default]
    Mean,
    /// Divide by nothing.
    Sum,
}

/// What cross-entropy is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClassTargets {
    /// One class index per sample (`u32`).
    #[default]
    ClassIndex,
    /// Masses per sample, `[N, C]` numbers: a distribution, or any of either sign. Where a row's sum is not above 0 HesScale-R carries no
    /// vector of it, and all of its curvature, `m (p − p²)`, is in `h`.
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

/// The loss, with all that decides its value, gradient and diagonal at the logits.
///
/// ```
/// use hesscale::Loss;
///
/// let smooth = Loss::cross_entropy().soft().label_smoothing(0.1).sum();
/// let regression = Loss::mse().sum();
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
#[non_exhaustive]
pub enum Loss {
    /// `−Σ_c y_c log p_c` with `p = softmax(z)`. The effective target is `y_c = w_c ((1−ε) t_c + ε m_t/C)`, `t` the
    /// one-hot class or the soft target of mass `m_t`, `w` the class weights, ε the label smoothing. Logits `[C]`, or `[C, …]`
    /// with one target for each position behind the classes.
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
        /// Samples of this class index count nothing at all: also those whose logits are NaN add exactly 0, as in PyTorch. JSON
        /// may have it negative, as PyTorch's default of −100 is: that is the index with the same bits, as `class as u32` makes
        /// of a negative target.
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
}

/// What a cross-entropy may be given.
struct Given<'a> {
    targets: &'a mut ClassTargets,
    class_weights: &'a mut Option<Vec<f32>>,
    label_smoothing: &'a mut f32,
    ignore_index: &'a mut Option<u32>,
}

/// Reads a class index, or a negative number for the one with its bits.
fn index<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(given) = Option::<i64>::deserialize(deserializer)? else { return Ok(None) };
    let index = u32::try_from(given).or_else(|_| i32::try_from(given).map(i32::cast_unsigned));
    index
        .map(Some)
        .map_err(|_| serde::de::Error::custom(format_args!("ignore_index {given} has more than 32 bits")))
}

impl Loss {
    /// Mean softmax cross-entropy over class indices.
    #[must_use]
    pub fn cross_entropy() -> Loss {
        Loss::SoftmaxCrossEntropy {
            targets: ClassTargets::ClassIndex,
            reduction: Reduction::Mean,
            class_weights: None,
            label_smoothing: 0.0,
            ignore_index: None,
        }
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
        }
        self
    }

    /// Targets are distributions over the classes instead of class indices.
    ///
    /// # Panics
    /// Of a loss that is no cross-entropy.
    #[must_use]
    pub fn soft(self) -> Loss {
        self.cross_entropy_with("soft targets", |given| *given.targets = ClassTargets::Soft)
    }

    /// ε in [0, 1]: so much of each target is spread over all classes. The number is checked when the model is built.
    ///
    /// # Panics
    /// Of a loss that is no cross-entropy.
    #[must_use]
    pub fn label_smoothing(self, epsilon: f32) -> Loss {
        self.cross_entropy_with("label smoothing", |given| *given.label_smoothing = epsilon)
    }

    /// One weight per class, each finite and not negative. They are checked when the model is built.
    ///
    /// # Panics
    /// Of a loss that is no cross-entropy.
    #[must_use]
    pub fn class_weights(self, weights: impl Into<Vec<f32>>) -> Loss {
        self.cross_entropy_with("class weights", |given| *given.class_weights = Some(weights.into()))
    }

    /// Samples of this class count nothing.
    ///
    /// # Panics
    /// Of a loss that is no cross-entropy.
    #[must_use]
    pub fn ignore_index(self, class: u32) -> Loss {
        self.cross_entropy_with("an ignored class", |given| *given.ignore_index = Some(class))
    }

    fn cross_entropy_with(mut self, what: &str, set: impl FnOnce(Given<'_>)) -> Loss {
        match &mut self {
            Loss::SoftmaxCrossEntropy { targets, class_weights, label_smoothing, ignore_index, .. } => {
                set(Given { targets, class_weights, label_smoothing, ignore_index });
            }
            other => panic!("{what} are a cross-entropy's, but the loss is {other:?}"),
        }
        self
    }

    /// Mean or sum.
    #[must_use]
    pub fn reduction(&self) -> Reduction {
        match self {
            Loss::SoftmaxCrossEntropy { reduction, .. }
            | Loss::Mse { reduction }
            | Loss::BceWithLogits { reduction }
            | Loss::GaussianNll { reduction, .. } => *reduction,
        }
    }

    /// The class index whose samples count nothing, where there is one.
    #[must_use]
    pub fn ignored(&self) -> Option<u32> {
        match self {
            Loss::SoftmaxCrossEntropy { ignore_index, .. } => *ignore_index,
            _ => None,
        }
    }

    /// Class weights, where there are any.
    #[must_use]
    pub fn weights(&self) -> Option<&[f32]> {
        match self {
            Loss::SoftmaxCrossEntropy { class_weights, .. } => class_weights.as_deref(),
            _ => None,
        }
    }

    /// Number of target elements per sample for logits of shape `output`: 1 class index (for `[classes, …]` one per
    /// position), as many numbers as logits, or half as many for a Gaussian. A shape without a dimension is one number's; of one that no model has, whose elements
    /// cannot be counted, the largest number is taken.
    #[must_use]
    pub fn target_len(&self, output: &[usize]) -> usize {
        let outputs = count(output);
        match self {
            Loss::SoftmaxCrossEntropy { targets: ClassTargets::ClassIndex, .. } => {
                outputs.min(count(output.get(1..).unwrap_or_default()))
            }
            Loss::GaussianNll { .. } => outputs / 2,
            _ => outputs,
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
}

/// The elements of a shape; more than can be counted are as many as can.
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
