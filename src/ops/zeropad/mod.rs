mod kernel;
pub(crate) use kernel::{PadForward, PadSignal};
