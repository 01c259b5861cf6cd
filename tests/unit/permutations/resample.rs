//! Upsampling, padding by reflection and by the edge.

use super::{BATCH, CHANNELS, Operation, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::resample::{Resample, ResampleForward, ResampleSignal};
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<ResampleSignal>() {
        // The matrices are read as well.
        Some(signal) => backward(&signal.flow, &[F32]),
        None if is::<ResampleForward>(kernel) => vec![vec![F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<ResampleForward>(kernel) || is::<ResampleSignal>(kernel)).then_some("resampling"),
};

/// Pixels that few have a part in, and such that a workgroup shares.
fn all() -> Vec<Kernel> {
    let few = Resample { batch: BATCH, channels: CHANNELS, image: [4, 5], positions: [8, 15], most: 24 };
    let many = Resample { positions: [160, 200], most: 6400, ..few };
    let mut kernels: Vec<Kernel> = vec![ResampleForward(few).into()];
    for (mode, resample) in Mode::ALL.into_iter().flat_map(|mode| [(mode, few), (mode, many)]) {
        let below = [Activation::Identity, super::TANH];
        kernels.extend(below.map(|below| ResampleSignal { resample, flow: flow(mode, below) }.into()));
    }
    kernels
}
