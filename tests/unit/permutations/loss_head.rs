//! A last layer with the loss behind it: every loss, and two in every other way.

use super::{OFFSETS, Operation, is, losses, modes, only_f32, tiles};
use crate::gemm::{Gemm, LossHead, Product, Use};
use crate::model::{Activation, Loss, Mode};
use crate::ops::loss::LossKernel;
use crate::shader::{DeviceClass, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: only_f32,
    family: |kernel| is::<LossHead>(kernel).then_some("dense: two in one dispatch"),
};

/// Inputs of last layers, and their outputs: in vec4s, and one by one.
pub(crate) const INPUTS: u32 = 8;
pub(crate) const OUTPUTS: [u32; 2] = [12, 31];

/// Samples: for several workgroups, for one, for one row.
pub(crate) const BATCHES: [u32; 3] = [40, 3, 1];

/// What stands behind a last layer: losses, modes, outputs and samples.
pub(crate) fn endings() -> Vec<(Loss, Mode, u32, u32)> {
    let losses = losses();
    let few = [&losses[0], &losses[4]];
    let all = losses.iter().cloned().flat_map(modes);
    let all = all.map(|(loss, mode)| (loss, mode, OUTPUTS[0], BATCHES[0]));
    let each = few.into_iter().flat_map(|loss| {
        let sizes = OUTPUTS.into_iter().flat_map(|outputs| BATCHES.map(|batch| (outputs, batch))).skip(1);
        let modes = [Mode::None, Mode::HesScale, Mode::HesScaleR2];
        sizes.flat_map(move |(n, batch)| modes.map(|mode| (loss.clone(), mode, n, batch)))
    });
    all.chain(each).collect()
}

fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let each = tiles(class).iter().flat_map(|tile| endings().into_iter().map(move |ending| (*tile, ending)));
    for (tile, (loss, mode, outputs, batch)) in each {
        // With class weights and a bias there are too many buffers.
        let bias = loss.output_weights(&[outputs as usize]).is_none();
        let usage = Use::Forward { activation: Activation::Identity, bias, keep: false };
        let gemm = Gemm::new(class, usage, batch, outputs, INPUTS);
        let gemm = gemm.with_tile(tile.unwrap_or(gemm.tile()));
        let alone = LossKernel::new(class, loss, mode, batch, outputs, 1, 4096);
        if batch < BATCHES[0] {
            kernels.push(alone.clone().adding_up(true).into());
        }
        let head = LossHead::new(class.into(), Product { gemm, offsets: OFFSETS }, alone);
        kernels.extend(head.map(|head| Kernel::from(head.adding_up(true))));
    }
    kernels
}

#[test]
fn each_kind_is_there() {
    for class in DeviceClass::ALL {
        let labels: Vec<String> = all(class).iter().map(Kernel::label).collect();
        for (one, other) in [
            ("forward", "with loss mse"),
            ("forward", "with loss cross-entropy"),
            ("forward", "with total loss cross-entropy"),
            ("total", "loss mse"),
        ] {
            let found = labels.iter().any(|label| label.contains(one) && label.contains(other));
            assert!(found, "{class:?}: no {one} {other}");
        }
    }
}
