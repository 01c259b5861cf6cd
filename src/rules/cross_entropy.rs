//! The cross-entropy's options, by methods.

use super::{ClassTargets, Loss, Reduction};

/// Softmax cross-entropy as it is built: [`Loss::cross_entropy`] starts it, and what takes a loss takes it as it is.
///
/// Its options are its own. Another loss does not have them, which the compiler says:
///
/// ```compile_fail,E0599
/// let loss = hesscale::Loss::mse().soft();
/// ```
/// ```compile_fail,E0599
/// let loss = hesscale::Loss::bce_with_logits().label_smoothing(0.1);
/// ```
/// ```compile_fail,E0599
/// let loss = hesscale::Loss::mse().class_weights([1.0, 2.0]);
/// ```
/// ```compile_fail,E0599
/// use hesscale::{Loss, model::Variance};
/// let loss = Loss::gaussian_nll(Variance::Log).ignore_index(1);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct CrossEntropy {
    targets: ClassTargets,
    reduction: Reduction,
    class_weights: Option<Vec<f32>>,
    label_smoothing: f32,
    ignore_index: Option<u32>,
}

impl CrossEntropy {
    pub(super) fn new() -> CrossEntropy {
        CrossEntropy {
            targets: ClassTargets::ClassIndex,
            reduction: Reduction::Mean,
            class_weights: None,
            label_smoothing: 0.0,
            ignore_index: None,
        }
    }

    /// The sum in place of the mean.
    pub fn sum(self) -> CrossEntropy {
        CrossEntropy { reduction: Reduction::Sum, ..self }
    }

    /// The mean, as every loss is made.
    pub fn mean(self) -> CrossEntropy {
        CrossEntropy { reduction: Reduction::Mean, ..self }
    }

    /// The mean over weights, as PyTorch divides: see [`Reduction::WeightedMean`].
    pub fn weighted_mean(self) -> CrossEntropy {
        CrossEntropy { reduction: Reduction::WeightedMean, ..self }
    }

    /// Targets are distributions over the classes instead of class indices.
    pub fn soft(self) -> CrossEntropy {
        CrossEntropy { targets: ClassTargets::Soft, ..self }
    }

    /// ε in [0, 1]: so much of each target is spread over all classes. The number is checked when the model is built.
    pub fn label_smoothing(self, epsilon: f32) -> CrossEntropy {
        CrossEntropy { label_smoothing: epsilon, ..self }
    }

    /// One weight per class, each finite and not negative. They are checked when the model is built.
    pub fn class_weights(self, weights: impl Into<Vec<f32>>) -> CrossEntropy {
        CrossEntropy { class_weights: Some(weights.into()), ..self }
    }

    /// Samples of this class count nothing.
    pub fn ignore_index(self, class: u32) -> CrossEntropy {
        CrossEntropy { ignore_index: Some(class), ..self }
    }
}

impl From<CrossEntropy> for Loss {
    fn from(built: CrossEntropy) -> Loss {
        let CrossEntropy { targets, reduction, class_weights, label_smoothing, ignore_index } = built;
        Loss::SoftmaxCrossEntropy { targets, reduction, class_weights, label_smoothing, ignore_index }
    }
}
