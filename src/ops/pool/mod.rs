//! Max and average pooling.

pub(crate) mod host;
