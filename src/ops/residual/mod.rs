mod kernel;
pub(crate) use kernel::{Add, AddSignal};
