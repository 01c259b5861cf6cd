//! Depthwise convolutions.

pub(crate) mod host;
