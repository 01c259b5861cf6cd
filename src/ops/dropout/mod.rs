mod kernel;
pub(crate) use kernel::{AdvanceNoise, DropoutForward, DropoutSignal};
