//! Layer, RMS and group normalisation.

use super::{BATCH, Operation, SHOWN, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::norm::{GroupNormBend, GroupNormForward, GroupNormSignal, NormGroups};
use crate::shader::{BatchShape, DeviceClass, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: |kernel| match kernel.get::<GroupNormSignal>() {
        _ if is::<GroupNormBend>(kernel) => vec![vec![F16, F16, F16, F32, F16]],
        Some(signal) if signal.flow.mode == SHOWN => backward(&signal.flow, &[F16, F32]),
        Some(_) => vec![],
        None if is::<GroupNormForward>(kernel) => vec![vec![F16, F16]],
        None => vec![],
    },
    family: |kernel| {
        (is::<GroupNormForward>(kernel) || is::<GroupNormSignal>(kernel) || is::<GroupNormBend>(kernel))
            .then_some("normalisation of samples")
    },
};

fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    // Several groups a workgroup, and one; how groups lie is in the uniform.
    for features in [33, 3000] {
        let shape = BatchShape::Rows { batch: BATCH, features };
        for (centred, weight) in [true, false].into_iter().flat_map(|c| [true, false].map(|w| (c, w))) {
            let norm =
                NormGroups::new(class, shape, 1, 1e-5).centred(centred).affine(weight, weight && centred);
            kernels.push(GroupNormForward(norm).into());
            let signal = |mode| GroupNormSignal { norm, flow: flow(mode, Activation::Identity) };
            kernels.extend(Mode::ALL.map(|mode| signal(mode).into()));
            if !weight {
                kernels.push(GroupNormBend { norm, flow: flow(Mode::None, Activation::Identity) }.into());
            }
        }
    }
    kernels
}
