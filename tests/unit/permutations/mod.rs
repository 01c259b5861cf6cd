//! The shipped permutations as data, a file for each operation: every shader text that a model can lead to, but for the
//! numbers in its header that tiles and sizes decide, and with one activation for all around convolutions and pools.
//! `portability/` leads to those too.

mod act;
mod attention;
mod batchnorm;
mod cast;
mod channel_sums;
mod concat;
mod conv;
pub(crate) mod cooperative;
mod dense;
mod depthwise;
mod dropout;
mod embedding;
mod encode;
mod hashgrid;
mod join;
mod layout;
mod loss;
pub(crate) mod loss_head;
mod multiply;
mod noise;
mod norm;
mod optimizer;
mod outside;
pub(crate) mod own;
mod partial;
mod pixelshuffle;
mod pool;
mod positions;
mod prelu;
mod recurrent;
mod resample;
mod residual;
mod row_sums;
mod tangent;
mod whole;
mod zeropad;

pub(crate) use loss::{losses, modes};
pub(crate) use optimizer::rules;

use crate::gemm::{Family, Gemm, Offsets, Tile, TileUse};
use crate::model::{Activation, Mode, Window};
use crate::shader::{DeviceClass, Dtype, Dtypes, Flow, Kernel, Key};
use Dtype::F16;

/// The permutations of one operation.
struct Operation {
    /// All for one class of device, whatever is bound stored as f32.
    all: fn(DeviceClass) -> Vec<Kernel>,
    /// What the bindings of one of them hold where plans store in f16. Those texts differ from the others in how numbers are read
    /// and written and in nothing else; so one activation, one mode and sums of moderate length stand for all: nothing for the
    /// rest of them, and for what is not this operation's.
    stored: fn(&Kernel) -> Vec<Vec<Dtype>>,
    /// What a kernel belongs to in the table of `portability/`, if it is this operation's.
    family: fn(&Kernel) -> Option<&'static str>,
}

const OPERATIONS: [Operation; 34] = [
    dense::OPERATION,
    conv::OPERATION,
    loss::OPERATION,
    act::OPERATION,
    optimizer::OPERATION,
    layout::OPERATION,
    pool::OPERATION,
    positions::OPERATION,
    prelu::OPERATION,
    recurrent::OPERATION,
    resample::OPERATION,
    pixelshuffle::OPERATION,
    zeropad::OPERATION,
    dropout::OPERATION,
    embedding::OPERATION,
    encode::OPERATION,
    hashgrid::OPERATION,
    row_sums::OPERATION,
    attention::OPERATION,
    batchnorm::OPERATION,
    noise::OPERATION,
    norm::OPERATION,
    residual::OPERATION,
    concat::OPERATION,
    multiply::OPERATION,
    tangent::OPERATION,
    depthwise::OPERATION,
    channel_sums::OPERATION,
    cast::OPERATION,
    outside::OPERATION,
    partial::OPERATION,
    whole::OPERATION,
    join::OPERATION,
    loss_head::OPERATION,
];

/// All of them, for one class of device.
pub(crate) fn all(class: DeviceClass) -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = OPERATIONS.iter().flat_map(|operation| (operation.all)(class)).collect();
    if class == DeviceClass::Discrete {
        // As large products are made on GPUs.
        let products = kernels.iter().filter(|kernel| kernel.product().is_some()).cloned();
        let staged: Vec<Kernel> = products.map(|kernel| kernel.with_tile(STAGED)).collect();
        kernels.extend(staged);
    }
    if class == DeviceClass::Integrated {
        // As small ones are.
        let products =
            kernels.iter().filter(|kernel| kernel.product().is_some_and(|p| is_sliceable(&p.gemm)));
        let sliced: Vec<Kernel> = products.cloned().map(|kernel| kernel.with_tile(SLICED)).collect();
        kernels.extend(sliced);
    }
    // GPUs' own products all go through workgroup memory or are sliced, and the rest is as on software.
    let here = |kernel: &&Kernel| match (class, kernel.product()) {
        (DeviceClass::Software, _) => true,
        (DeviceClass::Discrete, Some(product)) => {
            matches!(product.gemm.tile().family, Family::Workgroup { .. })
        }
        (DeviceClass::Integrated, Some(product)) => product.gemm.tile().family == Family::Sliced,
        _ => false,
    };
    let stored: Vec<Kernel> = kernels.iter().filter(here).flat_map(stored).collect();
    kernels.extend(stored);
    kernels
}

/// The same kernel in every way in which plans store in f16.
fn stored(kernel: &Kernel) -> Vec<Kernel> {
    let ways = OPERATIONS.iter().flat_map(|operation| (operation.stored)(kernel));
    ways.map(|dtypes| kernel.clone().storing(Dtypes::of(dtypes.into_iter()))).collect()
}

/// What a kernel belongs to in the table of `portability/`.
pub(crate) fn family(kernel: &Kernel) -> &'static str {
    let family = OPERATIONS.iter().find_map(|operation| (operation.family)(kernel));
    let family = family.unwrap_or_else(|| panic!("{} is no operation's", kernel.label()));
    if kernel.dtypes().all_f32() { family } else { "storage in f16" }
}

fn is<K: Key>(kernel: &Kernel) -> bool {
    kernel.get::<K>().is_some()
}

/// Of kernels that are never stored in f16.
fn only_f32(_: &Kernel) -> Vec<Vec<Dtype>> {
    Vec::new()
}

/// The mode, and the activation beside the identity, that stand for all where numbers are stored in f16.
const SHOWN: Mode = Mode::HesScale;
const TANH: Activation = Activation::Tanh;

fn is_shown(mode: Mode, below: Activation) -> bool {
    mode == SHOWN && [Activation::Identity, TANH].contains(&below)
}

/// What a backward kernel binds: the signals, `extras` that it reads beside them, what the activation below had as its input.
fn backward(flow: &Flow, extras: &[Dtype]) -> Vec<Vec<Dtype>> {
    let below = (flow.below != Activation::Identity).then_some(F16);
    let bound = [F16, F16].into_iter().chain(extras.iter().copied()).chain(below).collect();
    if is_shown(flow.mode, flow.below) { vec![bound] } else { vec![] }
}

/// Whether plans may ask a forward kernel to keep what its activation reads. A leaky rectifier's depends on its slope, which is a
/// number as others.
fn keeps(activation: Activation) -> bool {
    !activation.is_told_by_output() || matches!(activation, Activation::LeakyRelu { .. })
}

fn flow(mode: Mode, below: Activation) -> Flow {
    Flow { mode, below, plane_in: 4096, plane_out: 4096 }
}

/// Sizes of small images.
const BATCH: u32 = 2;
const CHANNELS: u32 = 5;

/// A window of `kernel` at stride 2 over an image with one row and column of padding.
fn window(kernel: [usize; 2]) -> Window {
    let image = [512, 512];
    let positions = kernel.map(|k| (512 + 2 - k) / 2 + 1);
    Window { image, kernel, stride: [2, 2], dilation: [1, 1], before: [1, 1], after: [1, 1], positions }
}

const OFFSETS: Offsets = Offsets { a_plane: 4096, c_plane: 4096, bias: 4096, ..Offsets::ALONE };

/// Through workgroup memory.
const STAGED: Tile = {
    let family = Family::Workgroup { steps: 8, buffers: 2, slices: 1 };
    Tile { family, rows: 4, vectors: 1, width: 8, height: 8 }
};

/// In slices.
const SLICED: Tile = Tile { family: Family::Sliced, rows: 4, vectors: 1, width: 8, height: 8 };

/// Whether it may be.
fn is_sliceable(gemm: &Gemm) -> bool {
    matches!(gemm.sizes().kind, TileUse::Forward | TileUse::Signal)
}

/// In registers.
const NARROW: Tile = Tile { width: 8, height: 8, ..Tile::SLIM };

/// Tiles of products that share a dispatch; `None`: those of the class. Both of one family where they can: another test has the
/// rest.
fn tiles(class: DeviceClass) -> &'static [Option<Tile>] {
    match class {
        DeviceClass::Software => &[None],
        DeviceClass::Integrated => &[Some(NARROW), Some(SLICED)],
        DeviceClass::Discrete => &[Some(NARROW), Some(STAGED)],
        _ => &[Some(NARROW)],
    }
}

#[test]
fn what_is_stored_in_f16_is_said_so() {
    let kernels = all(DeviceClass::Software);
    let halves: Vec<&Kernel> = kernels.iter().filter(|kernel| !kernel.dtypes().all_f32()).collect();
    assert!(halves.len() > 100, "{}", halves.len());
    for kernel in halves {
        let text = kernel.source();
        let begins = text.starts_with(crate::shader::ENABLE);
        assert!(begins && kernel.label().ends_with(" in f16"), "{}", kernel.label());
    }
}

#[test]
fn every_kernel_is_one_operations() {
    for class in DeviceClass::ALL {
        for kernel in all(class) {
            let of = OPERATIONS.iter().filter(|operation| (operation.family)(&kernel).is_some());
            assert_eq!(of.count(), 1, "{}", kernel.label());
        }
    }
}
