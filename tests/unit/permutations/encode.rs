//! Encodings of single numbers.

use super::{Operation, TANH, backward, flow, is};
use crate::model::{Activation, Encoding, Mode};
use crate::ops::encode::{Encode, EncodeForward, EncodeSignal};
use crate::shader::{Dtype::F16, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<EncodeSignal>() {
        Some(signal) => backward(&signal.flow, &[F16]),
        None if is::<EncodeForward>(kernel) => vec![vec![F16, F16]],
        None => vec![],
    },
    family: |kernel| (is::<EncodeForward>(kernel) || is::<EncodeSignal>(kernel)).then_some("encoding"),
};

fn all() -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    for encoding in [Encoding::Frequency { octaves: 3 }, Encoding::OneBlob { bins: 5 }] {
        let encode = Encode { encoding, numbers: 70, positions: 7 };
        kernels.push(EncodeForward(encode).into());
        for (mode, below) in
            Mode::ALL.into_iter().flat_map(|mode| [(mode, Activation::Identity), (mode, TANH)])
        {
            kernels.push(EncodeSignal { encode, flow: flow(mode, below) }.into());
        }
    }
    kernels
}
