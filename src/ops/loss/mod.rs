//! Losses: their value, and the signal they start at the logits.

mod host;
#[cfg(test)]
mod tests;

pub(crate) use host::{HostLoss, LossSignal};
