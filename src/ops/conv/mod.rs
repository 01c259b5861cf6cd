mod kernel;
mod packing;
mod product;
pub(crate) use kernel::{Pack, Unpack};
pub(crate) use packing::Packing;
