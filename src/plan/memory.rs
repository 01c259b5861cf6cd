//! How much memory a plan takes, and what for.

use crate::graph::Purpose;

/// Bytes on the device, by what they hold. [`crate::Plan::memory`] gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Memory {
    /// Parameters with their gradient, diagonal and optimiser's moments, which plans of one [`crate::State`] share; and this
    /// plan's copies of convolution weights in the order its kernels read them.
    pub parameters: u64,
    /// Input, targets, what each layer leaves for the backward pass, losses.
    pub activations: u64,
    /// Signals, and sums for parameters on their way; what is not in use at the same time shares memory.
    pub signals: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.parameters + self.activations + self.signals
    }

    pub(super) fn add(&mut self, purpose: Purpose, bytes: u64) {
        *match purpose {
            Purpose::Parameter => &mut self.parameters,
            Purpose::Activation => &mut self.activations,
            Purpose::Signal => &mut self.signals,
        } += bytes;
    }
}
