//! Concatenation.

use super::{Operation, TANH, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::concat::{Concat, ConcatSignal};
use crate::shader::{Dtype::F16, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<ConcatSignal>() {
        Some(signal) => backward(&signal.flow, &[]),
        None if is::<Concat>(kernel) => vec![vec![F16, F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<Concat>(kernel) || is::<ConcatSignal>(kernel)).then_some("concatenation"),
};

/// Whole vec4s, and not.
fn all() -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    for channels in [[4, 5], [5, 4]] {
        let concat = Concat { positions: 6, channels, padded: true };
        kernels.push(concat.into());
        for (mode, below) in
            Mode::ALL.into_iter().flat_map(|mode| [(mode, Activation::Identity), (mode, TANH)])
        {
            kernels.push(ConcatSignal { concat, input: 1, flow: flow(mode, below) }.into());
        }
    }
    kernels
}
