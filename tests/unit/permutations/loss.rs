//! Losses, and the sum over a batch.

use super::{Operation, SHOWN, is};
use crate::model::{ClassTargets, Loss, Mode, Reduction, Variance};
use crate::ops::loss::{LossKernel, Reduce};
use crate::shader::{DeviceClass, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: |kernel| {
        let shown = |loss: &LossKernel| loss.mode() == SHOWN && !loss.adds_up();
        if kernel.get().is_some_and(shown) { vec![vec![F32, F32, F32, F16]] } else { vec![] }
    },
    family: |kernel| (is::<LossKernel>(kernel) || is::<Reduce>(kernel)).then_some("loss"),
};

fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels = vec![Reduce::new(class, 100, 1.0).into()];
    for (loss, mode) in losses().into_iter().flat_map(|loss| Mode::ALL.map(|mode| (loss.clone(), mode))) {
        kernels.extend(
            [64, 1000]
                .map(|outputs| LossKernel::new(class, loss.clone(), mode, 32, outputs, 1, 32_000).into()),
        );
    }
    kernels
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
    losses
}
