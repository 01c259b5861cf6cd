mod kernel;
pub(crate) use kernel::{LossKernel, Reduce};
