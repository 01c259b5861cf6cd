//! Derivatives along a direction.

use super::{BATCH, CHANNELS, Operation, TANH, flow, is, window};
use crate::model::{Activation, Mode};
use crate::ops::pool::Pooling;
use crate::ops::tangent::{Factor, SlopeForward, SlopeSignal, Take};
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| {
        let shown = |forward: &SlopeForward| forward.activation == TANH;
        match (kernel.get::<SlopeSignal>(), kernel.get::<SlopeForward>()) {
            (Some(signal), _) if shown(&signal.forward) => {
                let factors = if signal.factor == Factor::Bend { 2 } else { 1 };
                vec![vec![F16; 2 + factors]]
            }
            (None, Some(forward)) if shown(forward) => vec![vec![F16; 3]],
            (None, None) if is::<Take>(kernel) => vec![vec![F16, F16, F32]],
            _ => vec![],
        }
    },
    family: |kernel| {
        let slope = is::<SlopeForward>(kernel) || is::<SlopeSignal>(kernel);
        (slope || is::<Take>(kernel)).then_some("along a direction")
    },
};

fn all() -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    let activations = Activation::ALL.into_iter().filter(|activation| *activation != Activation::Identity);
    for (activation, elements) in activations.flat_map(|of| [(of, 64), (of, 33)]) {
        let forward = SlopeForward { activation, elements };
        kernels.push(forward.into());
        let factors = [Factor::Slope, Factor::Bend].into_iter();
        for factor in factors.filter(|factor| *factor == Factor::Slope || activation.bends()) {
            kernels
                .push(SlopeSignal { forward, factor, flow: flow(Mode::None, Activation::Identity) }.into());
        }
    }
    for kernel in [[3, 3], [20, 20]] {
        kernels.push(Take { pooling: Pooling::Max(window(kernel)), batch: BATCH, channels: CHANNELS }.into());
    }
    kernels
}
