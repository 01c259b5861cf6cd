//! Dropout.

pub(crate) mod host;
