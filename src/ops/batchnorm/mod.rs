//! Batch normalization with fixed statistics.

pub(crate) mod host;
