//! PReLU.

use super::{BATCH, CHANNELS, Operation, TANH, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::prelu::{SlopesForward, SlopesSignal};
use crate::shader::{BatchShape, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<SlopesSignal>() {
        Some(signal) => backward(&signal.flow, &[F16, F32]),
        None if is::<SlopesForward>(kernel) => vec![vec![F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<SlopesForward>(kernel) || is::<SlopesSignal>(kernel)).then_some("PReLU"),
};

/// Of channels, which are those of an image, and one for all of a row.
fn all() -> Vec<Kernel> {
    let image = BatchShape::Image { batch: BATCH, channels: CHANNELS, positions: 30 };
    let row = BatchShape::Rows { batch: BATCH, features: 33 };
    let mut kernels = Vec::new();
    for (shape, count) in [(image, CHANNELS), (row, 1)] {
        let slopes = SlopesForward { shape, slopes: count };
        kernels.push(slopes.into());
        for mode in Mode::ALL {
            let signal = |below| SlopesSignal { slopes, flow: flow(mode, below) }.into();
            kernels.extend([Activation::Identity, TANH].map(signal));
        }
    }
    kernels
}
