//! Products by themselves, up to sizes that no plan of `plans.rs` has.

use crate::gemm::{Gemm, GradientSink, Offsets, Product, Use};
use crate::model::{Activation, Conv2d, Mode};
use crate::ops::optimizer::Update;
use crate::shader::{DeviceClass, Kernel};
use crate::{Layer, Optimizer};

/// Batch, outputs, inputs.
const DENSE: [[u32; 3]; 7] = [
    [32, 512, 512],
    [128, 512, 512],
    [512, 512, 512],
    [512, 1024, 1024],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
    [4096, 4096, 4096],
];

/// Inputs, outputs, kernel, height and width.
const CONVOLUTIONS: [[usize; 4]; 2] = [[64, 64, 3, 32], [256, 256, 3, 16]];

const MODES: [Mode; 4] = [Mode::None, Mode::HesScale, Mode::HesScaleR1, Mode::HesScaleR2];
const TANH: Activation = Activation::Tanh;
const OFFSETS: Offsets = Offsets { a_plane: 1 << 20, c_plane: 1 << 20, bias: 1 << 20, scale: 1.0, first: 0 };
const FORWARD: Use = Use::Forward { activation: TANH, bias: true, keep: false };

fn signal(mode: Mode) -> Use {
    Use::Signal { mode, below: TANH }
}

/// Each product with its sizes.
pub(super) fn all(class: DeviceClass, mut take: impl FnMut(&Kernel, &str)) {
    let mut add = |gemm: Gemm, sizes: &str| take(&Kernel::from(Product { gemm, offsets: OFFSETS }), sizes);
    for [batch, outputs, inputs] in DENSE {
        let sizes = format!("{inputs}-{outputs} batch {batch}");
        add(Gemm::new(class, FORWARD, batch, outputs, inputs), &sizes);
        for mode in MODES {
            add(Gemm::new(class, signal(mode), batch, inputs, outputs), &sizes);
        }
        let updates = [Optimizer::adam(1e-3), Optimizer::ada_hesscale(1e-3)];
        let updates = updates.map(|optimizer| Update::new(&optimizer.rule, 1 << 20, false));
        let sums = [false, true].map(|diagonal| (diagonal, GradientSink::Replace));
        let steps = updates.map(|update| (update.reads_diagonal(), GradientSink::Update(update)));
        for (diagonal, sink) in sums.into_iter().chain(steps) {
            let usage = Use::Parameters { diagonal, bias: true, sink };
            add(Gemm::new(class, usage, outputs, inputs, batch), &sizes);
        }
    }
    for [inputs, outputs, kernel, size] in CONVOLUTIONS {
        let layer: Layer = Conv2d::new(outputs, kernel).inputs(inputs).padding(1).into();
        let conv = layer.convolution("conv", &[inputs, size, size]).expect("valid").expect("a convolution");
        let sizes = format!("{inputs}-{outputs} {kernel}x{kernel} on {size}x{size} batch 128");
        add(conv.forward(class, 128, FORWARD), &sizes);
        for mode in MODES {
            add(conv.signal(class, 128, signal(mode)), &sizes);
            add(conv.partial(class, 128, mode), &sizes);
        }
    }
}
