//! Convolutions and transposed convolutions.

pub(crate) mod host;
