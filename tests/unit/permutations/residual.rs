//! Where residual blocks end, and where they begin.

use super::{Operation, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::residual::{Add, AddSignal};
use crate::shader::{Dtype::F16, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<AddSignal>() {
        Some(signal) => backward(&signal.flow, &[F16]),
        None if is::<Add>(kernel) => vec![vec![F16, F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<Add>(kernel) || is::<AddSignal>(kernel)).then_some("sum"),
};

fn all() -> Vec<Kernel> {
    let mut kernels = Vec::new();
    for add in [Add { elements: 64 }, Add { elements: 33 }] {
        kernels.push(add.into());
        // Where branches meet nothing is fused.
        let flow = |mode| flow(mode, Activation::Identity);
        kernels.extend(Mode::ALL.map(|mode| AddSignal { add, flow: flow(mode) }.into()));
    }
    kernels
}
