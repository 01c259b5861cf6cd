mod kernel;
pub(crate) use kernel::{Advance, Hyper, Update};
