//! What every path must agree on, as data: modes, losses, activations, optimisers, and random numbers.
//!
//! The reference, the CPU's path and the kernels each compute by these definitions and share no arithmetic, so that
//! comparing them means something.

mod activation;
mod cross_entropy;
mod custom_activation;
mod custom_loss;
mod loss;
mod mode;
mod noise;
mod optimizer;
mod output_signal;
mod policy;
mod random;
mod schedule;

pub use activation::Activation;
pub use cross_entropy::CrossEntropy;
pub use custom_activation::CustomActivation;
pub use custom_loss::{CustomLoss, ElementwiseLoss, RowLoss, Term};
pub use loss::{ClassTargets, Loss, Reduction, Targets, Variance};
pub use mode::Mode;
pub use noise::Noise;
pub use optimizer::{Limits, Optimizer, OptimizerState, Rule, Span, Transition};
pub use output_signal::OutputSignal;
pub use policy::{discrete_policy_targets, gaussian_policy_targets};
pub use schedule::Schedule;

pub(crate) use loss::{CANCELLED, MAX_LOG_PRECISION, MAX_LOG_RATIO, weighted_factor};
pub(crate) use noise::threshold;
pub(crate) use random::generator;

use serde::de::{Deserialize, Deserializer};

/// An object without fields. Serde's own reading of a tagged unit variant accepts any field; this refuses them.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads a variant that is its tag and no more.
pub(crate) fn nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    Nothing::deserialize(deserializer).map(|Nothing {}| ())
}
