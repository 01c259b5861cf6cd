//! Batch normalisation.

use super::{BATCH, CHANNELS, Operation, TANH, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::batchnorm::{NormForward, NormSignal};
use crate::shader::{BatchShape, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<NormSignal>() {
        Some(signal) => backward(&signal.flow, &[F32, F32]),
        None if is::<NormForward>(kernel) => vec![vec![F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<NormForward>(kernel) || is::<NormSignal>(kernel)).then_some("normalisation"),
};

fn all() -> Vec<Kernel> {
    // Plans normalise images only.
    let shape = BatchShape::Image { batch: BATCH, channels: CHANNELS, positions: 30 };
    let norm = NormForward { shape };
    let mut kernels = vec![norm.into()];
    for mode in Mode::ALL {
        kernels.extend(
            [Activation::Identity, TANH].map(|below| NormSignal { norm, flow: flow(mode, below) }.into()),
        );
    }
    kernels
}
