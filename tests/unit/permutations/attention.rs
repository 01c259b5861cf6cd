//! Attention.

use super::{BATCH, Operation, SHOWN, TANH, backward, flow, is};
use crate::model::{Activation, Heads, Mode};
use crate::ops::attention::{
    Attention, AttentionForward, AttentionScores, AttentionSignal, AttentionWeights,
};
use crate::shader::{DeviceClass, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: |kernel| match (kernel.get::<AttentionSignal>(), kernel.get::<AttentionScores>()) {
        (Some(signal), _) if signal.flow.mode == SHOWN => backward(&signal.flow, &[F16, F32, F32]),
        (_, Some(scores)) if scores.mode == SHOWN => vec![vec![F16, F32, F16, F32]],
        (None, None) if is::<AttentionWeights>(kernel) => vec![vec![F16, F32]],
        (None, None) if is::<AttentionForward>(kernel) => vec![vec![F16, F16, F32]],
        _ => vec![],
    },
    family: |kernel| {
        let forward = is::<AttentionWeights>(kernel) || is::<AttentionForward>(kernel);
        let back = is::<AttentionScores>(kernel) || is::<AttentionSignal>(kernel);
        (forward || back).then_some("attention")
    },
};

fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    // Single numbers and vec4s; queries of one invocation, and such as several share.
    for (width, positions, causal) in [(3, 9, true), (4, 9, false), (4, 300, true)] {
        let attention = Attention::new(class, Heads { count: 2, width, positions, causal }, BATCH);
        kernels.push(AttentionWeights(attention).into());
        kernels.push(AttentionForward(attention).into());
        for mode in Mode::ALL {
            kernels.push(AttentionScores { attention, mode, plane: 4096 }.into());
            for below in [Activation::Identity, TANH] {
                kernels.push(AttentionSignal { attention, flow: flow(mode, below) }.into());
            }
        }
    }
    kernels
}
