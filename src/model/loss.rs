//! Losses and their targets.

use serde::{Deserialize, Deserializer, Serialize};

/// How the losses of a batch are reduced to one value. The factor multiplies value, gradient and diagonal alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Divide by the number of samples N for cross-entropy (by N·positions if every position of an image is classified), by N·K
    /// for MSE and BCE, and by N·K for a Gaussian with K targets. Weights and ignored samples do not change the divisor.
    #[default]
    Mean,
    /// Do not divide.
    Sum,
}

/// The kind of cross-entropy's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
pub enum Variance {
    /// `v = e^ρ`
    Log,
    /// `v = log(1 + e^ρ)`
    Softplus,
}

/// The loss, with everything that determines its value, gradient and diagonal at the logits.
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
        /// Samples of this class index are ignored: they add exactly 0, even if their logits are NaN, as in PyTorch. In JSON it may
        /// be negative, like PyTorch's default −100: that stands for the index with the same bits, which `class as u32` gives for
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
}

/// Reads a class index; a negative number stands for the index with the same bits.
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

    /// The ignored class index, if any.
    #[must_use]
    pub fn ignore_index(&self) -> Option<u32> {
        match self {
            Loss::SoftmaxCrossEntropy { ignore_index, .. } => *ignore_index,
            _ => None,
        }
    }

    /// Class weights, if any.
    #[must_use]
    pub fn class_weights(&self) -> Option<&[f32]> {
        match self {
            Loss::SoftmaxCrossEntropy { class_weights, .. } => class_weights.as_deref(),
            _ => None,
        }
    }

    /// Number of target elements per sample for logits of shape `output`: 1 class index (for `[classes, …]` one per
    /// position), as many as logits, or half as many for a Gaussian. A shape without dimensions has one element. If the
    /// number overflows, which no valid model's does, it saturates.
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

/// The number of elements of a shape; saturates on overflow.
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
