//! Kernels for whole networks. They put together one plug of each kind (activation, loss, rule), too many combinations to list:
//! each plug is here in every mode that changes it, beside one of the others.

use super::{Operation, is, losses, modes, only_f32, optimizer, rules};
use crate::gemm::{Back, Gather, WholeKernel, WholeLayer, WholeNetwork, WholePass};
use crate::model::{Activation, Loss, Mode, Rule};
use crate::ops::optimizer::Update;
use crate::shader::{DeviceClass, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: only_f32,
    family: |kernel| (is::<WholeKernel>(kernel) || is::<Gather>(kernel)).then_some("whole network"),
};

/// Batches that one workgroup takes, and several.
const BATCHES: [u32; 2] = [7, 100];

fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let layer = |inputs: u32, outputs: u32, activated| {
        let (weight, bias) = (0, Some((inputs * outputs).next_multiple_of(64)));
        WholeLayer { inputs, outputs, weight, bias, activated }
    };
    let net = |activation: Activation, loss: Loss, batch| {
        let layers = match activation {
            Activation::Identity => vec![layer(5, 64, false)],
            _ => vec![layer(5, 9, true), layer(9, 4, false)],
        };
        WholeNetwork { class, layers, activation, loss, batch, flat: 1024 }
    };
    let mut add = |net: WholeNetwork, mode, accumulate, update: Option<Update>| {
        let back = Back { mode, scale: 1.0, accumulate, update };
        if net.chunks() > 1 {
            kernels.push(Gather { net: net.clone(), back }.into());
        }
        kernels.push(WholeKernel { net: net.clone(), pass: WholePass::Forward }.into());
        kernels.push(WholeKernel { net, pass: WholePass::Back(back) }.into());
    };
    // One whose derivative its output does not tell.
    let folding = Activation::LeakyRelu { alpha: -0.5 };
    for mode in Mode::ALL {
        for activation in Activation::ALL.into_iter().chain([folding]).filter(|_| mode != Mode::Bl89) {
            add(net(activation, Loss::mse(), BATCHES[0]), mode, false, None);
        }
        for (loss, _) in losses().into_iter().flat_map(modes).filter(|(_, of)| *of == mode) {
            add(net(Activation::Identity, loss, BATCHES[0]), mode, false, None);
        }
        for (batch, accumulate) in BATCHES.into_iter().flat_map(|b| [(b, false), (b, true)]) {
            if mode != Mode::Bl89 {
                add(net(Activation::Tanh, Loss::mse(), batch), mode, accumulate, None);
            }
        }
    }
    let bare = |rule: Rule| [true, false].map(|diagonal| (diagonal, Update::new(&rule, 1024, diagonal)));
    let limited = optimizer::limited().map(|update| (update.reads_diagonal(), update));
    for (diagonal, update) in rules().into_iter().flat_map(bare).chain(limited) {
        let mode = if diagonal { Mode::HesScale } else { Mode::None };
        for batch in BATCHES {
            add(net(Activation::Tanh, Loss::cross_entropy().into(), batch), mode, false, Some(update));
        }
    }
    kernels
}
