//! Kernels for whole networks. They put together one plug of each kind (activation, loss, rule), too many combinations to list:
//! each plug is here in every mode that changes it, beside one of the others.

use super::permutations::{losses, rules};
use super::{Back, DeviceClass, Gather, Job, Kernel, Layer, Update, Whole, WholeKernel};
use crate::model::{Activation, Loss, Mode};

/// Batches that one workgroup takes, and several.
const BATCHES: [u32; 2] = [7, 100];

pub(super) fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let layer = |inputs: u32, outputs: u32, activated| {
        let (weight, bias) = (0, Some((inputs * outputs).next_multiple_of(64)));
        Layer { inputs, outputs, weight, bias, activated }
    };
    let net = |activation: Activation, loss: Loss, batch| {
        let layers = match activation {
            Activation::Identity => vec![layer(5, 64, false)],
            _ => vec![layer(5, 9, true), layer(9, 4, false)],
        };
        Whole { class, layers, activation, loss, batch, flat: 1024 }
    };
    let mut add = |net: Whole, mode, accumulate, update: Option<Update>| {
        let back = Back { mode, scale: 1.0, accumulate, update };
        if net.chunks() > 1 {
            kernels.push(Kernel::Gather(Gather { net: net.clone(), back }));
        }
        kernels.push(Kernel::Whole(WholeKernel { net: net.clone(), job: Job::Forward }));
        kernels.push(Kernel::Whole(WholeKernel { net, job: Job::Back(back) }));
    };
    // One whose derivative its output does not tell.
    let folding = Activation::LeakyRelu { alpha: -0.5 };
    for mode in Mode::ALL {
        for activation in Activation::ALL.into_iter().chain([folding]).filter(|_| mode != Mode::Bl89) {
            add(net(activation, Loss::mse(), BATCHES[0]), mode, false, None);
        }
        for loss in losses() {
            add(net(Activation::Identity, loss, BATCHES[0]), mode, false, None);
        }
        for (batch, accumulate) in BATCHES.into_iter().flat_map(|b| [(b, false), (b, true)]) {
            if mode != Mode::Bl89 {
                add(net(Activation::Tanh, Loss::mse(), batch), mode, accumulate, None);
            }
        }
    }
    for (rule, batch) in rules().into_iter().flat_map(|rule| BATCHES.map(|batch| (rule, batch))) {
        for mode in [Mode::HesScale, Mode::None] {
            let update = Update::new(&rule, 1024, mode.has_diagonal());
            add(net(Activation::Tanh, Loss::cross_entropy(), batch), mode, false, Some(update));
        }
    }
    kernels
}
