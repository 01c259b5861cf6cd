//! Losses, and the sum over a batch.

use super::{Operation, SHOWN, is};
use crate::model::{ClassTargets, Loss, Mode, Reduction, Variance};
use crate::ops::loss::{CountedMean, LossKernel, Reduce, SampleWeights, Shares};
use crate::shader::{DeviceClass, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: |kernel| {
        let shown = |loss: &LossKernel| (loss.mode() == SHOWN || loss.is_along()) && !loss.adds_up();
        if kernel.get().is_some_and(shown) { vec![vec![F32, F32, F32, F16]] } else { vec![] }
    },
    family: |kernel| {
        let factor = is::<Shares>(kernel) || is::<CountedMean>(kernel);
        (is::<LossKernel>(kernel) || is::<Reduce>(kernel) || factor).then_some("loss")
    },
};

fn all(class: DeviceClass) -> Vec<Kernel> {
    let shares = |loss| Shares::new(class, loss, 100, &[64]);
    let mut kernels = vec![Reduce::new(class, 100, 1.0).into()];
    kernels.push(CountedMean { batch: 100 }.into());
    for shares in [shares(Loss::cross_entropy().into()), shares(Loss::mse())] {
        kernels.extend([false, true].map(|partial| shares.clone().partial(partial).into()));
    }
    for (loss, mode) in losses().into_iter().flat_map(modes) {
        for outputs in [64, 1000] {
            let kernel = LossKernel::new(class, loss.clone(), mode, 32, outputs, 1, 32_000);
            kernels.extend(
                [SampleWeights::None, SampleWeights::Given].map(|w| kernel.clone().weighing(w).into()),
            );
        }
    }
    // Modes that differ from others in their start alone.
    for mode in [Mode::Fisher, Mode::HesScaleS1, Mode::HesScaleS2] {
        let there = losses().into_iter().filter(|loss| loss.check_mode(mode, &[64]).is_ok());
        for (loss, outputs) in there.flat_map(|loss| [(loss.clone(), 64), (loss, 1000)]) {
            let kernel = LossKernel::new(class, loss, mode, 32, outputs, 1, 32_000);
            kernels.extend(
                [SampleWeights::None, SampleWeights::Given].map(|w| kernel.clone().weighing(w).into()),
            );
        }
    }
    let curved = losses()
        .into_iter()
        .filter(|loss| !matches!(loss, Loss::PpoDiscrete { .. } | Loss::PpoGaussian { .. }));
    for (loss, outputs) in curved.flat_map(|loss| [(loss.clone(), 64), (loss, 1000)]) {
        let kernel = LossKernel::new(class, loss, Mode::None, 32, outputs, 1, 32_000).along(true);
        kernels
            .extend([SampleWeights::None, SampleWeights::Given].map(|w| kernel.clone().weighing(w).into()));
    }
    kernels
}

/// With each mode that it has.
pub(crate) fn modes(loss: Loss) -> impl Iterator<Item = (Loss, Mode)> {
    let there = Mode::ALL.into_iter().filter(|mode| loss.check_mode(*mode, &[64]).is_ok());
    there.map(|mode| (loss.clone(), mode)).collect::<Vec<_>>().into_iter()
}

/// Every loss, in every way it changes the shader.
pub(crate) fn losses() -> Vec<Loss> {
    let reduction = Reduction::Mean;
    let mut losses = vec![
        Loss::Mse { reduction },
        Loss::BceWithLogits { reduction, pos_weight: None },
        Loss::GaussianNll { reduction, var: Variance::Log },
        Loss::GaussianNll { reduction, var: Variance::Softplus },
    ];
    for targets in [ClassTargets::ClassIndex, ClassTargets::Soft] {
        for class_weights in [None, Some(vec![1.0; 64])] {
            let (label_smoothing, ignore_index) = (0.1, Some(3));
            losses.push(Loss::SoftmaxCrossEntropy {
                targets,
                reduction,
                class_weights,
                label_smoothing,
                ignore_index,
            });
        }
    }
    losses.extend([
        Loss::huber(0.5),
        Loss::l1(),
        Loss::relative_mse(0.125),
        Loss::bce_with_pos_weight([1.0; 64]),
    ]);
    losses.extend([Loss::ppo_discrete(0.2, 0.125), Loss::ppo_gaussian(0.2, 0.125)]);
    losses
}
