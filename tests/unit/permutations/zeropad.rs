//! Zeros around images.

use super::{BATCH, CHANNELS, Operation, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::zeropad::{PadForward, PadSignal};
use crate::shader::{Dtype::F16, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<PadSignal>() {
        Some(signal) => backward(&signal.flow, &[]),
        None if is::<PadForward>(kernel) => vec![vec![F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<PadForward>(kernel) || is::<PadSignal>(kernel)).then_some("padding"),
};

fn all() -> Vec<Kernel> {
    let pad = PadForward { batch: BATCH, channels: CHANNELS, image: [4, 5], padding: [1, 2, 3, 4] };
    let mut kernels = vec![pad.into()];
    for mode in Mode::ALL {
        kernels.extend(Activation::ALL.map(|below| PadSignal { pad, flow: flow(mode, below) }.into()));
    }
    kernels
}
