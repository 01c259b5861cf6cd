//! Convolutions of each channel by itself.

use super::{BATCH, CHANNELS, Operation, TANH, backward, flow, is, keeps, window};
use crate::model::{Activation, Mode, Window};
use crate::ops::depthwise::{DepthwiseForward, DepthwiseSignal, DepthwiseSizes};
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| {
        if let Some(signal) = kernel.get::<DepthwiseSignal>() {
            return backward(&signal.flow, &[F32]);
        }
        let shown = |forward: &DepthwiseForward| forward.activation == TANH && forward.keep && forward.bias;
        if kernel.get().is_some_and(shown) { vec![vec![F16, F32, F16]] } else { vec![] }
    },
    family: |kernel| {
        let own = is::<DepthwiseForward>(kernel) || is::<DepthwiseSignal>(kernel);
        own.then_some("depthwise convolution")
    },
};

/// At strides of two, and of one.
pub(super) fn sizes() -> [DepthwiseSizes; 2] {
    let windows = [window([3, 3]), Window { stride: [1, 1], ..window([3, 3]) }];
    windows.map(|window| DepthwiseSizes { window, batch: BATCH, channels: CHANNELS })
}

fn all() -> Vec<Kernel> {
    let (sizes, plane) = (sizes(), 4096);
    let mut kernels = Vec::new();
    for activation in Activation::ALL {
        let all = [(false, false), (true, false), (false, true), (true, true)];
        for (bias, keep) in all.into_iter().filter(|(_, keep)| !keep || keeps(activation)) {
            kernels.push(DepthwiseForward { sizes: sizes[0], bias, activation, keep, plane }.into());
        }
    }
    for (mode, below) in Mode::ALL.into_iter().flat_map(|m| [Activation::Identity, TANH].map(|a| (m, a))) {
        kernels.extend(sizes.map(|sizes| DepthwiseSignal { sizes, flow: flow(mode, below) }.into()));
    }
    kernels
}
