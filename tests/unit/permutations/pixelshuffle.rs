//! Pixel shuffle and its inverse.

use super::{BATCH, CHANNELS, Operation, TANH, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::pixelshuffle::{Shuffle, ShuffleForward, ShuffleSignal};
use crate::shader::{Dtype::F16, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<ShuffleSignal>() {
        Some(signal) => backward(&signal.flow, &[]),
        None if is::<ShuffleForward>(kernel) => vec![vec![F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<ShuffleForward>(kernel) || is::<ShuffleSignal>(kernel)).then_some("pixel shuffle"),
};

fn all() -> Vec<Kernel> {
    let shuffle = Shuffle { batch: BATCH, channels: CHANNELS, large: [4, 6], factor: 2 };
    let mut kernels: Vec<Kernel> = Vec::new();
    for enlarges in [true, false] {
        kernels.push(ShuffleForward { shuffle, enlarges }.into());
        for (mode, below) in
            Mode::ALL.into_iter().flat_map(|mode| [(mode, Activation::Identity), (mode, TANH)])
        {
            kernels.push(ShuffleSignal { shuffle, enlarges, flow: flow(mode, below) }.into());
        }
    }
    kernels
}
