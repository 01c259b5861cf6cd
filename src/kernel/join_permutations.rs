//! Two kernels in one dispatch. Pairs of products in every way that changes the text, with two activations for all, updates in
//! the mode of their rule; every loss behind a last layer, and two in every other way.

use super::{
    DeviceClass, Gemm, GemmPlaces, Join, Kernel, LastLayer, Leave, LossKernel, Tile, Update, Use,
    permutations,
};
use crate::model::{Activation, Loss, Mode};

const PLACES: GemmPlaces = GemmPlaces { a_plane: 4096, c_plane: 4096, bias: 4096, ..GemmPlaces::ALONE };

/// Inputs of last layers, and their outputs: in vec4s, and one by one.
pub(crate) const INPUTS: u32 = 8;
pub(crate) const OUTPUTS: [u32; 2] = [12, 31];

/// Samples: for several workgroups, for one, for one row.
pub(crate) const BATCHES: [u32; 3] = [40, 3, 1];

/// What stands behind a last layer: losses, modes, outputs and samples.
pub(crate) fn endings() -> Vec<(Loss, Mode, u32, u32)> {
    let losses = permutations::losses();
    let few = [&losses[0], &losses[4]];
    let all =
        losses.iter().flat_map(|loss| Mode::ALL.map(|mode| (loss.clone(), mode, OUTPUTS[0], BATCHES[0])));
    let each = few.into_iter().flat_map(|loss| {
        let sizes = OUTPUTS.into_iter().flat_map(|outputs| BATCHES.map(|batch| (outputs, batch))).skip(1);
        let modes = [Mode::None, Mode::HesScale, Mode::HesScaleR2];
        sizes.flat_map(move |(n, batch)| modes.map(|mode| (loss.clone(), mode, n, batch)))
    });
    all.chain(each).collect()
}

/// Both of one family: another test has the rest.
pub(super) fn all(class: DeviceClass) -> Vec<Kernel> {
    let tiles: &[_] = match class {
        DeviceClass::Software => &[None],
        DeviceClass::Integrated => &[Some(NARROW)],
        DeviceClass::Discrete => &[Some(NARROW), Some(permutations::STAGED)],
    };
    let mut kernels = Vec::new();
    for tile in tiles.iter().copied() {
        kernels.extend(pairs(class, [tile; 2]));
        kernels.extend(convolutions(class, tile));
        for (loss, mode, outputs, batch) in endings() {
            // With class weights and a bias there are too many buffers.
            let bias = loss.weights().is_none();
            let usage = Use::Forward { activation: Activation::Identity, bias, keep: false };
            let gemm = Gemm::new(class, usage, batch, outputs, INPUTS);
            let gemm = gemm.with_tile(tile.unwrap_or(gemm.tile()));
            let alone = LossKernel::new(class, loss, mode, batch, outputs, 1, 4096);
            if batch < BATCHES[0] {
                kernels.push(Kernel::Loss(alone.clone().adding_up(true)));
            }
            if let Some(last) = LastLayer::new(class.into(), gemm, PLACES, alone) {
                kernels.push(Kernel::LastLayer(Box::new(last.adding_up(true))));
            }
        }
    }
    kernels
}

/// In registers.
const NARROW: Tile = Tile { width: 8, height: 8, ..Tile::SLIM };

/// In the tiles of the class, or in these.
fn pairs(class: DeviceClass, tiles: [Option<Tile>; 2]) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let mut add = |first: Gemm, second: Gemm| {
        let [one, other] = tiles;
        let first = (first.with_tile(one.unwrap_or(first.tile())), PLACES);
        let second = (second.with_tile(other.unwrap_or(second.tile())), PLACES);
        kernels.extend(Join::new(class.into(), first, second).map(|join| Kernel::Join(Box::new(join))));
    };
    let flags = [false, true];
    let signal = |mode, below, n, k| Gemm::new(class, Use::Signal { mode, below }, 32, n, k);
    let parameters = |mode: Mode, bias, leave, n, k| {
        let diagonal = mode.has_diagonal();
        Gemm::new(class, Use::Parameters { diagonal, bias, leave }, k, n, 32)
    };
    for below in [Activation::Identity, Activation::Tanh] {
        for (mode, (n, k)) in Mode::ALL
            .into_iter()
            .flat_map(|mode| [(64, 64), (64, 33), (33, 64), (33, 33)].map(|sizes| (mode, sizes)))
        {
            for (bias, leave) in
                flags.into_iter().flat_map(|b| [Leave::Replace, Leave::Accumulate].map(|l| (b, l)))
            {
                add(signal(mode, below, n, k), parameters(mode, bias, leave, n, k));
            }
        }
        for (rule, bias) in permutations::rules().into_iter().flat_map(|rule| flags.map(|bias| (rule, bias)))
        {
            for mode in [rule.mode(), Mode::None] {
                let leave = Leave::Update(Update::new(&rule, 4096, mode.has_diagonal()));
                let update = parameters(mode, bias, leave, 64, 64);
                add(signal(mode, below, 64, 64), update);
                add(update, update);
            }
        }
    }
    kernels
}

/// A convolution's signal beside parts of its parameters.
fn convolutions(class: DeviceClass, tile: Option<Tile>) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let tiled = |gemm: Gemm| (gemm.with_tile(tile.unwrap_or(gemm.tile())), PLACES);
    for convolution in permutations::convolution_layers() {
        for (mode, below) in
            Mode::ALL.into_iter().flat_map(|m| [Activation::Identity, Activation::Tanh].map(|a| (m, a)))
        {
            let signal = tiled(convolution.signal(class, 2, Use::Signal { mode, below }));
            let join = Join::new(class.into(), signal, tiled(convolution.partial(class, 2, mode)));
            kernels.extend(join.map(|join| Kernel::Join(Box::new(join))));
        }
    }
    kernels
}

#[test]
fn each_kind_is_there() {
    for class in DeviceClass::ALL {
        let labels: Vec<String> = all(class).iter().map(Kernel::label).collect();
        for (one, other) in [
            ("signal", "beside gemm parameters gradient"),
            ("signal", "beside gemm parameters ada"),
            ("signal", "beside gemm partial"),
            ("parameters ada", "beside gemm parameters ada"),
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

/// One in registers, the other through workgroup memory: what plans may lead to, and no job does.
#[test]
fn products_of_two_families_are_valid_together() {
    let tiles = [NARROW, permutations::STAGED].map(Some);
    for tiles in [tiles, [tiles[1], tiles[0]]] {
        let kernels = pairs(DeviceClass::Discrete, tiles);
        assert!(kernels.len() > 100);
        for kernel in kernels {
            let text = kernel.source();
            let (module, info) =
                super::tests::valid(&text).unwrap_or_else(|e| panic!("{}: {e}", kernel.label()));
            super::tests::translate(&module, &info).unwrap_or_else(|e| panic!("{}: {e}", kernel.label()));
        }
    }
}

/// An update touches its layer's parameters and moments, whatever of the model is bound with them.
#[test]
fn two_touch_what_each_touches() {
    let class = DeviceClass::Software;
    let adam = Update::new(&permutations::rules()[2], 4096, false);
    let update = Gemm::new(
        class,
        Use::Parameters { diagonal: false, bias: false, leave: Leave::Update(adam) },
        8,
        12,
        2,
    );
    let signal = Gemm::new(class, Use::Signal { mode: Mode::None, below: Activation::Tanh }, 2, 16, 8);
    let (a, x, model, moments) = (1, 2, 1 << 20, 1 << 21);
    let alone = Kernel::Gemm(update, PLACES).bytes(&[a, x, model, moments]);
    assert_eq!(alone, 1 + 2 + 4 * 8 * 12 * 3);
    let join =
        |first, second| Join::new(class.into(), (first, PLACES), (second, PLACES)).expect("can be joined");
    assert_eq!(join(update, update).bytes(&[a, x, model, moments, a, x]), 2 * alone);
    let (out, below) = (1000, 1000);
    let beside = join(signal, update).bytes(&[a, out, below, a, x, model, moments]);
    assert_eq!(beside, 1 + 2000 + 4 * 16 * 8 + alone);
}
