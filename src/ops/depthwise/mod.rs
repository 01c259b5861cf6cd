mod kernel;
pub(crate) use kernel::{DepthwiseForward, DepthwiseSignal, DepthwiseSizes};
