mod kernel;
pub(crate) use kernel::{ActForward, ActSignal};
