//! Batch normalisation.

use super::{BATCH, CHANNELS, Operation, SHOWN, TANH, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::batchnorm::{
    BatchGroups, BatchSignal, Coefficients, NormBy, NormForward, NormSignal, SignalSums, StatisticsKernel,
    Step,
};
use crate::shader::{BatchShape, DeviceClass, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: |kernel| match (kernel.get::<NormSignal>(), kernel.get::<BatchSignal>()) {
        (Some(signal), _) => backward(&signal.flow, &[F32, F32]),
        (_, Some(signal)) => backward(&signal.flow, &[F16, F32]),
        _ if is::<NormForward>(kernel) => vec![vec![F16, F16]],
        _ if kernel.get().is_some_and(|kernel: &StatisticsKernel| kernel.step == Step::Moments) => {
            vec![vec![F16, F32]]
        }
        _ if kernel.get().is_some_and(|sums: &SignalSums| sums.mode == SHOWN) => vec![vec![F16, F32, F16]],
        _ => vec![],
    },
    family: |kernel| {
        if is::<NormForward>(kernel) || is::<NormSignal>(kernel) {
            return Some("normalisation");
        }
        let sums = is::<SignalSums>(kernel) || is::<Coefficients>(kernel);
        (sums || is::<StatisticsKernel>(kernel) || is::<BatchSignal>(kernel))
            .then_some("normalisation of batches")
    },
};

fn all(class: DeviceClass) -> Vec<Kernel> {
    // Plans normalise images only.
    let shape = BatchShape::Image { batch: BATCH, channels: CHANNELS, positions: 30 };
    let [norm, of_batch] = [NormBy::Given, NormBy::Batch].map(|by| NormForward { shape, by });
    let mut kernels = vec![norm.into(), of_batch.into()];
    for mode in Mode::ALL {
        kernels.extend(
            [Activation::Identity, TANH].map(|below| NormSignal { shape, flow: flow(mode, below) }.into()),
        );
    }
    for (partial, positions) in [(false, 30), (true, 30), (false, 3000), (false, 20_000)] {
        let groups = BatchGroups { class, partial, ..BatchGroups::predicting(shape, 1e-5) };
        let norm = BatchGroups { positions, ..groups };
        for step in [Step::Moments, Step::Statistics, Step::Follow] {
            kernels.push(StatisticsKernel { norm, step }.into());
        }
        for mode in Mode::ALL {
            kernels.push(SignalSums { norm, mode, plane: 4096 }.into());
            kernels.push(Coefficients { norm, mode }.into());
            kernels.push(BatchSignal { norm, flow: flow(mode, Activation::Identity) }.into());
        }
    }
    let norm = BatchGroups::predicting(shape, 1e-5);
    kernels.push(StatisticsKernel { norm, step: Step::Running }.into());
    kernels
}
