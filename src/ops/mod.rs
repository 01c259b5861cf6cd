//! Operations, a folder for each: what its kernels are.

pub(crate) mod act;
pub(crate) mod batchnorm;
pub(crate) mod cast;
pub(crate) mod channel_sums;
pub(crate) mod conv;
pub(crate) mod depthwise;
pub(crate) mod dropout;
pub(crate) mod layout;
pub(crate) mod loss;
pub(crate) mod optimizer;
pub(crate) mod pool;
pub(crate) mod residual;
pub(crate) mod zeropad;
