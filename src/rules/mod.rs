//! What every path must agree on, as data: modes, losses, activations, optimisers, and the random numbers of dropout.
//!
//! The reference, the CPU's path and the kernels each compute by these definitions and share no arithmetic, so that
//! comparing them means something.

mod activation;
mod json;
mod loss;
mod mode;
mod noise;
mod optimizer;

pub use activation::Activation;
pub use loss::{ClassTargets, Loss, Reduction, Targets, Variance};
pub use mode::Mode;
pub use noise::Noise;
pub use optimizer::{Optimizer, OptimizerState, Rule};

pub(crate) use json::nothing;
pub(crate) use loss::MAX_LOG_PRECISION;
pub(crate) use noise::threshold;
