//! Pooling.

use super::{BATCH, CHANNELS, Operation, TANH, backward, flow, is, window};
use crate::model::{Activation, Mode};
use crate::ops::pool::{PoolForward, PoolSignal, Pooling};
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<PoolSignal>() {
        // For max pooling the taps are read as well.
        Some(signal) if matches!(signal.pooling, Pooling::Max(_)) => backward(&signal.flow, &[F32]),
        Some(signal) => backward(&signal.flow, &[]),
        None if is::<PoolForward>(kernel) => vec![vec![F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<PoolForward>(kernel) || is::<PoolSignal>(kernel)).then_some("pooling"),
};

/// Small windows, windows whose elements need more than a byte, and windows that a workgroup shares; each kind.
fn poolings() -> Vec<Pooling> {
    let windows = [[3, 3], [20, 20], [80, 80]].map(window);
    let mut poolings: Vec<Pooling> = windows.into_iter().map(Pooling::Max).collect();
    for count_padding in [false, true] {
        poolings.extend(windows.into_iter().map(|window| Pooling::Mean { window, count_padding }));
    }
    for (image, positions) in [([7, 7], [3, 3]), ([300, 300], [1, 1]), ([1, 1], [300, 300])] {
        poolings.push(Pooling::Adaptive { image, positions });
    }
    poolings
}

fn all() -> Vec<Kernel> {
    let (batch, channels) = (BATCH, CHANNELS);
    let mut kernels: Vec<Kernel> = Vec::new();
    for pooling in poolings() {
        kernels.extend([false, true].map(|keep| PoolForward { pooling, batch, channels, keep }.into()));
        for mode in Mode::ALL {
            kernels.extend(
                [Activation::Identity, TANH]
                    .map(|below| PoolSignal { pooling, batch, channels, flow: flow(mode, below) }.into()),
            );
        }
    }
    kernels
}
