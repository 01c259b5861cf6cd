//! Elementwise activation functions.

pub(crate) mod host;
