//! The sum at the end of a residual block.

pub(crate) mod host;
