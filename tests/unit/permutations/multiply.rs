//! Elementwise products.

use super::{Operation, TANH, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::multiply::{Multiply, MultiplySignal};
use crate::shader::{Dtype::F16, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<MultiplySignal>() {
        Some(signal) => backward(&signal.flow, &[F16]),
        None if is::<Multiply>(kernel) => vec![vec![F16, F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<Multiply>(kernel) || is::<MultiplySignal>(kernel)).then_some("product of values"),
};

fn all() -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    for multiply in [Multiply { elements: 64 }, Multiply { elements: 33 }] {
        kernels.push(multiply.into());
        for (mode, below) in
            Mode::ALL.into_iter().flat_map(|mode| [(mode, Activation::Identity), (mode, TANH)])
        {
            kernels.push(MultiplySignal { multiply, flow: flow(mode, below) }.into());
        }
    }
    kernels
}
