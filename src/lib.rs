//! Fused forward, gradient and Hessian-diagonal backward passes (HesScale) in portable WGSL compute kernels.

mod error;
pub mod model;

pub use error::{Error, Result};
pub use model::{Activation, Layer, Loss, Mode, Model, Optimizer};
