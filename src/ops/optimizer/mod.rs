//! The optimizers' steps.

pub(crate) mod host;
