mod kernel;
pub(crate) use kernel::{NormForward, NormSignal};
