//! Dense layers.

pub(crate) mod host;
