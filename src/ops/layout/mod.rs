//! The order of an image's elements: the user's, and the kernels'.

pub(crate) mod host;
