//! Activations by themselves.

use super::{Operation, SHOWN, TANH, is};
use crate::model::{Activation, Mode};
use crate::ops::act::{ActForward, ActSignal};
use crate::shader::{Dtype::F16, Flow, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| {
        if kernel.get::<ActForward>().is_some_and(|forward| forward.activation == TANH) {
            return vec![vec![F16, F16]];
        }
        let shown = |signal: &ActSignal| signal.flow.mode == SHOWN && signal.flow.below == TANH;
        if kernel.get().is_some_and(shown) { vec![vec![F16, F16, F16]] } else { vec![] }
    },
    family: |kernel| (is::<ActForward>(kernel) || is::<ActSignal>(kernel)).then_some("activation by itself"),
};

fn all() -> Vec<Kernel> {
    let (elements, plane_in, plane_out) = (100, 128, 128);
    let mut kernels = Vec::new();
    for activation in Activation::ALL {
        kernels.push(ActForward { activation, elements }.into());
        let flows = Mode::ALL.map(|mode| Flow { mode, below: activation, plane_in, plane_out });
        kernels.extend(flows.map(|flow| ActSignal { flow, elements }.into()));
    }
    kernels
}
