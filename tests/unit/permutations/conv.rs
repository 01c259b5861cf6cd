//! Convolutions.

use super::{OFFSETS, Operation, SHOWN, TANH, is, is_shown};
use crate::gemm::{Gemm, Product, Use};
use crate::model::{Activation, Conv2d, ConvTranspose2d, Convolution, Layer, Mode};
use crate::ops::conv::{Pack, Unpack};
use crate::shader::{DeviceClass, Dtype, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation { all, stored, family };

fn product(kernel: &Kernel) -> Option<&Gemm> {
    kernel.product().map(|product| &product.gemm).filter(|gemm| gemm.image.is_some())
}

fn stored(kernel: &Kernel) -> Vec<Vec<Dtype>> {
    let short = product(kernel).filter(|gemm| gemm.m <= 10_000 && gemm.k <= 1_000);
    match short.map(|gemm| gemm.usage) {
        Some(Use::Forward { activation: TANH, bias: true, keep: true }) => vec![vec![F16, F32, F16]],
        Some(Use::Signal { mode, below }) if is_shown(mode, below) => {
            let input = (below != Activation::Identity).then_some(F16);
            vec![[F16, F32, F16].into_iter().chain(input).collect()]
        }
        Some(Use::Partial { mode: SHOWN, bias: true }) => vec![vec![F16, F16]],
        _ => vec![],
    }
}

fn family(kernel: &Kernel) -> Option<&'static str> {
    if is::<Pack>(kernel) || is::<Unpack>(kernel) {
        return Some("convolution: packing");
    }
    Some(match product(kernel)?.usage {
        Use::Forward { .. } => "convolution: forward",
        Use::Signal { .. } => "convolution: signal",
        Use::Parameters { .. } | Use::Partial { .. } => "convolution: parameters",
    })
}

/// Layers of convolution that differ in more than the numbers of the window.
fn layers() -> [Layer; 4] {
    let conv = Conv2d::new(12, 3).inputs(8).padding(1);
    let transposed = ConvTranspose2d::new(12, [3, 2]).stride(2);
    [
        conv.clone().into(),
        conv.clone().groups(4).stride([2, 1]).bias(false).into(),
        ConvTranspose2d { inputs: 8, ..transposed.clone() }.into(),
        ConvTranspose2d { inputs: 8, ..transposed.groups(2).bias(false) }.into(),
    ]
}

/// The same on small images.
pub(super) fn small() -> Vec<Convolution> {
    let layers = layers();
    let of = layers.iter().map(|layer| layer.convolution("convolution", &[8, 10, 11]));
    of.filter_map(|convolution| convolution.ok().flatten()).collect()
}

/// Convolutions in every way that changes the shader, but for the numbers of the window.
fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let mut add = |conv: &Convolution, batch, short: bool| {
        let product = |gemm| Product { gemm, offsets: OFFSETS }.into();
        let activation = TANH;
        for keep in [false, true] {
            kernels.push(product(conv.forward(
                class,
                batch,
                Use::Forward { activation, bias: conv.bias, keep },
            )));
        }
        for mode in Mode::ALL {
            for below in [Activation::Identity, activation] {
                kernels.push(product(conv.signal(class, batch, Use::Signal { mode, below })));
            }
            let partial = conv.partial(class, batch, mode);
            kernels.push(product(partial));
            for accumulate in [false, true].into_iter().filter(|_| short) {
                kernels.push(Unpack { accumulate, ..Unpack::after(&partial, conv.packing()) }.into());
            }
        }
        kernels.push(Pack(conv.packing()).into());
    };
    small().iter().for_each(|conv| add(conv, 2, true));
    for layer in &layers() {
        // Samples in parts, and sums of more terms than one run has.
        if let Ok(Some(conv)) = layer.convolution("convolution", &[8, 200, 201]) {
            add(&conv, 2, false);
        }
    }
    let deep: Layer = Conv2d::new(8, 3).inputs(2048).into();
    if let Ok(Some(conv)) = deep.convolution("convolution", &[2048, 4, 4]) {
        add(&conv, 2, false);
    }
    kernels
}
