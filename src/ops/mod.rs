//! One folder for each operation: what it is, its kernels on a GPU, its path on the CPU.

pub(crate) mod act;
pub(crate) mod batchnorm;
pub(crate) mod conv;
pub(crate) mod dense;
pub(crate) mod depthwise;
pub(crate) mod dropout;
pub(crate) mod layout;
pub(crate) mod optimizer;
pub(crate) mod pool;
pub(crate) mod residual;
pub(crate) mod zeropad;
