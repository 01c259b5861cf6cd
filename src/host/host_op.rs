//! The two kinds of operations on the CPU.

use super::SampleOp;

/// What an operation is on the CPU.
#[derive(Debug)]
pub(crate) enum HostOp {
    /// A dense layer, on the whole batch: its inputs and outputs.
    Dense([usize; 2]),
    /// On each sample by itself.
    Sample(Box<dyn SampleOp>),
}

impl<T: SampleOp + 'static> From<T> for HostOp {
    fn from(op: T) -> HostOp {
        HostOp::Sample(Box::new(op))
    }
}
