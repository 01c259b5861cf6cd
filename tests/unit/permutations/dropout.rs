//! Dropout.

use super::{BATCH, CHANNELS, Operation, TANH, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::dropout::{DropoutForward, DropoutSignal};
use crate::shader::{BatchShape, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<DropoutSignal>() {
        Some(signal) => backward(&signal.flow, &[F32]),
        None if is::<DropoutForward>(kernel) => vec![vec![F16, F16]],
        None => vec![],
    },
    family: |kernel| {
        let own = is::<DropoutForward>(kernel) || is::<DropoutSignal>(kernel);
        own.then_some("dropout")
    },
};

fn all() -> Vec<Kernel> {
    let rows = BatchShape::Rows { batch: BATCH, features: CHANNELS };
    let image = BatchShape::Image { batch: BATCH, channels: CHANNELS, positions: 30 };
    let mut kernels = Vec::new();
    for shape in [rows, image] {
        let dropout = DropoutForward { shape, node: 3, p: 0.2 };
        kernels.push(dropout.into());
        for mode in Mode::ALL {
            kernels.extend(
                [Activation::Identity, TANH]
                    .map(|below| DropoutSignal { dropout, flow: flow(mode, below) }.into()),
            );
        }
    }
    kernels
}
