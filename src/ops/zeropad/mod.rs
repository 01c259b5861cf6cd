//! Zeros around an image.

pub(crate) mod host;
