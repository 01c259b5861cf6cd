//! What the network computes, one folder an operation, each on every path it runs on.

pub(crate) mod loss;
