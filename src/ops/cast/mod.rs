mod kernel;
pub(crate) use kernel::Cast;
