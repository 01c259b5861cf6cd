mod kernel;
pub(crate) use kernel::{ChannelSums, Parameters};
