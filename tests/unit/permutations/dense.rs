//! Products of dense layers.

use super::{OFFSETS, Operation, TANH, is_shown, keeps, optimizer};
use crate::gemm::{Gemm, GradientSink, Product, Use};
use crate::model::{Activation, Mode};
use crate::shader::{DeviceClass, Dtype, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation { all, stored, family };

/// Sizes that lead to vec4s, and to single elements.
const SIZES: [u32; 2] = [64, 33];

fn product(kernel: &Kernel) -> Option<&Gemm> {
    kernel.product().map(|product| &product.gemm).filter(|gemm| gemm.image.is_none())
}

fn stored(kernel: &Kernel) -> Vec<Vec<Dtype>> {
    match product(kernel).filter(|gemm| gemm.k <= 1_000).map(|gemm| gemm.usage) {
        Some(Use::Forward { activation: Activation::Identity, bias: true, .. }) => vec![vec![F16]],
        Some(Use::Forward { activation: TANH, bias: true, keep: true }) => {
            vec![vec![F32, F32, F16], vec![F16, F32, F16]]
        }
        Some(Use::Signal { mode, below }) if is_shown(mode, below) => {
            let input = (below != Activation::Identity).then_some(F16);
            vec![[F16, F32, F16].into_iter().chain(input).collect()]
        }
        Some(Use::Parameters { diagonal: true, bias: true, sink: GradientSink::Replace }) => {
            vec![vec![F16, F16], vec![F16]]
        }
        _ => vec![],
    }
}

fn family(kernel: &Kernel) -> Option<&'static str> {
    Some(match product(kernel)?.usage {
        Use::Forward { .. } => "dense: forward",
        Use::Signal { .. } => "dense: signal",
        Use::Parameters { .. } | Use::Partial { .. } => "dense: parameters",
    })
}

fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let flags = [false, true];
    let mut add = |usage, n, k, m| {
        let gemm = Gemm::new(class, usage, m, n, k);
        kernels.push(Product { gemm, offsets: OFFSETS }.into());
    };
    for (n, k) in SIZES.into_iter().flat_map(|n| SIZES.map(|k| (n, k))) {
        for activation in Activation::ALL {
            let keep = flags.into_iter().filter(|keep| !keep || keeps(activation));
            for (bias, keep) in keep.flat_map(|keep| flags.map(|bias| (bias, keep))) {
                add(Use::Forward { activation, bias, keep }, n, k, 32);
            }
            for mode in Mode::ALL {
                add(Use::Signal { mode, below: activation }, n, k, 32);
            }
        }
        for (diagonal, bias) in flags.into_iter().flat_map(|diagonal| flags.map(|bias| (diagonal, bias))) {
            for sink in [GradientSink::Replace, GradientSink::Accumulate] {
                add(Use::Parameters { diagonal, bias, sink }, n, 32, k);
            }
            let updates = optimizer::updates().chain(optimizer::limited());
            let updates = updates.filter(|update| update.reads_diagonal() == diagonal);
            for update in updates.filter(|_| n == SIZES[0]) {
                add(Use::Parameters { diagonal, bias, sink: GradientSink::Update(update) }, n, 32, k);
            }
        }
    }
    let long = 100_000;
    add(Use::Forward { activation: Activation::Identity, bias: true, keep: false }, 64, long, 32);
    for mode in Mode::ALL {
        add(Use::Signal { mode, below: TANH }, 64, long, 32);
    }
    kernels
}
