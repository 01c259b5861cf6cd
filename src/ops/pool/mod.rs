mod kernel;
pub(crate) use kernel::{PoolForward, PoolSignal, Pooling};
