mod kernel;
pub(crate) use kernel::{Direction, Reorder};
