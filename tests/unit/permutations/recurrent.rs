//! Recurrent layers.

use super::{BATCH, Operation, SHOWN, TANH, flow, is};
use crate::model::{Activation, Cell, Mode, Recurrence};
use crate::ops::recurrent::{Before, Recurrent, RecurrentForward, RecurrentSignal};
use crate::shader::{DeviceClass, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: |kernel| match kernel.get::<RecurrentSignal>() {
        Some(signal) if signal.flow.mode == SHOWN => {
            let below = (signal.flow.below != Activation::Identity).then_some(F16);
            let around = if signal.continues { vec![F16, F16] } else { vec![F16] };
            vec![[around, vec![F32; 4], below.into_iter().collect()].concat()]
        }
        None if is::<RecurrentForward>(kernel) => vec![vec![F16, F16, F32, F32, F32]],
        _ => vec![],
    },
    family: |kernel| {
        (is::<RecurrentForward>(kernel) || is::<RecurrentSignal>(kernel)).then_some("recurrent layers")
    },
};

fn all(_: DeviceClass) -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    // Single units, and vec4s of them.
    for (cell, hidden) in [(Cell::Gru, 5), (Cell::Gru, 4), (Cell::Lstm, 5), (Cell::Lstm, 4)] {
        let layer = Recurrent::new(Recurrence { cell, hidden, positions: 3, bias: true }, BATCH);
        for keep in [false, true] {
            kernels.push(RecurrentForward { layer, position: 1, before: Before::State, keep }.into());
        }
        for mode in Mode::ALL {
            for (below, continues) in
                [(Activation::Identity, false), (Activation::Identity, true), (TANH, true)]
            {
                let flow = flow(mode, below);
                kernels.push(RecurrentSignal { layer, flow, position: 1, last: false, continues }.into());
            }
        }
    }
    kernels
}
