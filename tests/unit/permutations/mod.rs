//! The shipped permutations as data: every shader text that a model can lead to, but for the numbers in its header that
//! tiles and sizes decide, and with one activation for all around convolutions and pools. `portability/` leads to those too.

use super::{
    Advance, Backward, DeviceClass, Family, Forward, Gemm, GemmPlaces, Kernel, Leave, LossKernel, Pack,
    Reduce, Tile, Unpack, Update, Use,
};
use crate::model::{
    Activation, ClassTargets, Conv2d, ConvTranspose2d, Convolution, Layer, Loss, Mode, Reduction, Rule,
    Variance,
};

/// Sizes that lead to vec4s, and to single elements.
const SIZES: [u32; 2] = [64, 33];

const PLACES: GemmPlaces = GemmPlaces { a_plane: 4096, c_plane: 4096, bias: 4096, ..GemmPlaces::ALONE };

/// Every loss, in every way it changes the shader.
pub(crate) fn losses() -> Vec<Loss> {
    let reduction = Reduction::Mean;
    let mut losses = vec![
        Loss::Mse { reduction },
        Loss::BceWithLogits { reduction },
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

/// Every rule, in every way it changes the shader.
pub(crate) fn rules() -> Vec<Rule> {
    let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
    vec![
        Rule::Sgd { momentum: 0.9, nesterov: false },
        Rule::Sgd { momentum: 0.9, nesterov: true },
        Rule::Adam { beta1, beta2, eps },
        Rule::AdaHesScale { beta1, beta2, eps },
        Rule::AdaHesScaleGn { beta1, beta2, eps },
    ]
}

/// Every update of theirs, with a diagonal and without.
fn updates() -> impl Iterator<Item = Update> {
    rules().into_iter().flat_map(|rule| [false, true].map(|diagonal| Update::new(&rule, 4096, diagonal)))
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
pub(super) fn convolution_layers() -> Vec<Convolution> {
    let layers = layers();
    let of = layers.iter().map(|layer| layer.convolution("convolution", &[8, 10, 11]));
    of.filter_map(|convolution| convolution.ok().flatten()).collect()
}

/// Convolutions in every way that changes the shader, but for the numbers of the window.
fn convolutions(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let mut add = |conv: &Convolution, batch, short: bool| {
        let gemm = |gemm| Kernel::Gemm(gemm, PLACES);
        let activation = Activation::Tanh;
        for keep in [false, true] {
            kernels.push(gemm(conv.forward(
                class,
                batch,
                Use::Forward { activation, bias: conv.bias, keep },
            )));
        }
        for mode in Mode::ALL {
            for below in [Activation::Identity, activation] {
                kernels.push(gemm(conv.signal(class, batch, Use::Signal { mode, below })));
            }
            let partial = conv.partial(class, batch, mode);
            kernels.push(gemm(partial));
            for accumulate in [false, true].into_iter().filter(|_| short) {
                kernels
                    .push(Kernel::Unpack(Unpack { accumulate, ..Unpack::after(&partial, conv.packing()) }));
            }
        }
        kernels.push(Kernel::Pack(Pack(conv.packing())));
    };
    convolution_layers().iter().for_each(|conv| add(conv, 2, true));
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

/// Whether plans may ask a forward kernel to keep what its activation reads. These two's derivatives follow from the output.
pub(super) fn keeps(activation: Activation) -> bool {
    !matches!(activation, Activation::Identity | Activation::Relu)
}

/// A product of the sizes here through workgroup memory, as large ones are made on GPUs.
fn staged(kernel: Kernel) -> Option<Kernel> {
    kernel.product().is_some().then(|| kernel.with_tile(STAGED))
}

pub(super) const STAGED: Tile = {
    let family = Family::Workgroup { steps: 8, buffers: 2 };
    Tile { family, rows: 4, vectors: 1, width: 8, height: 8 }
};

/// All of them, for one class of device.
pub(crate) fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let flags = [false, true];
    let mut gemm = |usage, n, k, m| kernels.push(Kernel::Gemm(Gemm::new(class, usage, m, n, k), PLACES));
    for (n, k) in SIZES.into_iter().flat_map(|n| SIZES.map(|k| (n, k))) {
        for activation in Activation::ALL {
            let keep = flags.into_iter().filter(|keep| !keep || keeps(activation));
            for (bias, keep) in keep.flat_map(|keep| flags.map(|bias| (bias, keep))) {
                gemm(Use::Forward { activation, bias, keep }, n, k, 32);
            }
            for mode in Mode::ALL {
                gemm(Use::Signal { mode, below: activation }, n, k, 32);
            }
        }
        for (diagonal, bias) in flags.into_iter().flat_map(|diagonal| flags.map(|bias| (diagonal, bias))) {
            for leave in [Leave::Replace, Leave::Accumulate] {
                gemm(Use::Parameters { diagonal, bias, leave }, n, 32, k);
            }
            for update in updates().filter(|update| n == SIZES[0] && update.reads_diagonal() == diagonal) {
                gemm(Use::Parameters { diagonal, bias, leave: Leave::Update(update) }, n, 32, k);
            }
        }
    }
    let long = 100_000;
    gemm(Use::Forward { activation: Activation::Identity, bias: true, keep: false }, 64, long, 32);
    for mode in Mode::ALL {
        gemm(Use::Signal { mode, below: Activation::Tanh }, 64, long, 32);
    }
    kernels.extend(convolutions(class));
    if class == DeviceClass::Discrete {
        kernels.extend(kernels.clone().into_iter().filter_map(staged));
    }
    for loss in losses() {
        for mode in Mode::ALL {
            for outputs in [64, 1000] {
                kernels.push(Kernel::Loss(LossKernel::new(
                    class,
                    loss.clone(),
                    mode,
                    32,
                    outputs,
                    1,
                    32_000,
                )));
            }
        }
    }
    kernels.push(Kernel::Reduce(Reduce::new(class, 100, 1.0)));
    for activation in Activation::ALL {
        kernels.push(Kernel::Forward(Forward { activation, elements: 100 }));
        for mode in Mode::ALL {
            let (elements, plane_in, plane_out) = (100, 128, 128);
            kernels.push(Kernel::Backward(Backward { activation, mode, elements, plane_in, plane_out }));
        }
    }
    for update in updates() {
        kernels.push(Kernel::Advance(Advance::of(&update)));
        kernels.push(Kernel::Update(update));
    }
    kernels.extend(super::image_permutations::all());
    kernels.extend(super::whole_permutations::all(class));
    kernels.extend(super::half_permutations::halves(class, &kernels));
    kernels.extend(super::join_permutations::all(class));
    kernels
}
