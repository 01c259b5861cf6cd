//! Losses and activations in the user's own WGSL: not shipped, and so in no list of permutations; jobs of the portability run have
//! them. Each goes wherever one of the crate's goes, and has to be valid and translated there as they are.

use super::{NARROW, OFFSETS, flow};
use crate::gemm::{Back, Gemm, LossHead, Product, Use, WholeKernel, WholeLayer, WholeNetwork, WholePass};
use crate::model::{Activation, CustomLoss, Loss, Mode};
use crate::ops::act::{ActForward, ActSignal};
use crate::ops::loss::{LossKernel, SampleWeights};
use crate::plug::INDEXES;
use crate::portability::common::own as texts;
use crate::shader::{DeviceClass, Kernel};

/// Kernels that hold a text of the user's own.
pub(crate) fn all() -> Vec<Kernel> {
    let class = DeviceClass::Discrete;
    let mut kernels = Vec::new();
    for (loss, mode) in texts::losses().into_iter().flat_map(super::modes) {
        for (outputs, weights) in
            [(12, SampleWeights::None), (1000, SampleWeights::None), (1000, SampleWeights::Given)]
        {
            let kernel = LossKernel::new(class, loss.clone(), mode, 32, outputs, 1, 32_000).weighing(weights);
            kernels.push(Kernel::from(kernel));
        }
        let usage = Use::Forward { activation: Activation::Identity, bias: true, keep: false };
        let gemm = Gemm::new(class, usage, 3, 12, 8);
        let gemm = gemm.with_tile(NARROW);
        let alone = LossKernel::new(class, loss.clone(), mode, 3, 12, 1, 4096);
        let head = LossHead::new(class.into(), Product { gemm, offsets: OFFSETS }, alone);
        kernels.push(head.expect("a tile has all outputs").adding_up(true).into());
    }
    let (activation, elements) = (texts::softplus(), 100);
    kernels.push(ActForward { activation, elements }.into());
    for mode in Mode::ALL {
        kernels.push(ActSignal { flow: flow(mode, activation), elements }.into());
        let layer =
            |inputs, outputs, activated| WholeLayer { inputs, outputs, weight: 0, bias: None, activated };
        let layers = vec![layer(5, 9, true), layer(9, 4, false)];
        let net =
            WholeNetwork { class, layers, activation, loss: texts::huber().into(), batch: 7, flat: 1024 };
        let back = Back { mode, scale: 1.0, accumulate: false, update: None };
        kernels.push(WholeKernel { net, pass: WholePass::Back(back) }.into());
        for usage in
            [Use::Forward { activation, bias: true, keep: true }, Use::Signal { mode, below: activation }]
        {
            let gemm = Gemm::new(class, usage, 3, 12, 8);
            kernels.push(Product { gemm, offsets: OFFSETS }.into());
        }
    }
    kernels
}

/// An activation that the loss of the same kernel shares names with: each has its own.
#[test]
fn names_do_not_meet() {
    let text = all()
        .iter()
        .map(Kernel::source)
        .find(|text| ["fn own_loss_term(", "fn own_act_act("].iter().all(|declared| text.contains(declared)));
    let text = text.expect("a whole network's kernel has both");
    assert!(
        text.contains("const own_loss_x") && text.contains("const own_act_g") && !text.contains("crate's")
    );
}

/// A text that computes places marks every shader that it is part of, spliced or not, and no other does.
#[test]
fn computed_places_mark_the_shader() {
    let marked = |kernel: &Kernel| kernel.source().contains(INDEXES);
    assert!(!all().iter().any(marked));
    // What declares nothing is left out where texts are joined.
    let wgsl = "const_assert true; const two = array<f32, 2>(1.0, 2.0);
        fn term(z: f32, y: f32) -> Term { var mine = two; return Term(mine[u32(y)], 0.0, 0.0); }";
    let loss: Loss = CustomLoss::elementwise("table", wgsl).unwrap().into();
    let class = DeviceClass::Software;
    let usage = Use::Forward { activation: Activation::Identity, bias: true, keep: false };
    let gemm = Gemm::new(class, usage, 3, 12, 8).with_tile(NARROW);
    let alone = LossKernel::new(class, loss, Mode::None, 3, 12, 1, 4096);
    let head = LossHead::new(class.into(), Product { gemm, offsets: OFFSETS }, alone.clone());
    assert!(
        marked(&alone.weighing(SampleWeights::Given).into()) && marked(&head.expect("a whole tile").into())
    );
}
