//! Two products in one dispatch, in every way that changes the text, with two activations for all, updates in the mode of
//! their rule.

use super::{
    NARROW, OFFSETS, Operation, SLICED, STAGED, TANH, conv, is, is_sliceable, only_f32, optimizer, rules,
    tiles,
};
use crate::gemm::{Gemm, GradientSink, Join, Product, Tile, Use};
use crate::model::{Activation, Mode};
use crate::ops::optimizer::Update;
use crate::shader::{DeviceClass, Kernel, Key};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: only_f32,
    family: |kernel| is::<Join>(kernel).then_some("dense: two in one dispatch"),
};

fn all(class: DeviceClass) -> Vec<Kernel> {
    let each = tiles(class).iter().copied();
    each.flat_map(|tile| [pairs(class, [tile; 2]), convolutions(class, tile)].concat()).collect()
}

fn tiled(gemm: Gemm, tile: Option<Tile>) -> Product {
    let tile = match tile {
        Some(SLICED) if !is_sliceable(&gemm) => NARROW,
        tile => tile.unwrap_or(gemm.tile()),
    };
    Product { gemm: gemm.with_tile(tile), offsets: OFFSETS }
}

/// In the tiles of the class, or in these.
fn pairs(class: DeviceClass, tiles: [Option<Tile>; 2]) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let mut add = |first: Gemm, second: Gemm| {
        let [one, other] = tiles;
        kernels.extend(Join::new(class.into(), tiled(first, one), tiled(second, other)).map(Kernel::from));
    };
    let flags = [false, true];
    let signal = |mode, below, n, k| Gemm::new(class, Use::Signal { mode, below }, 32, n, k);
    let parameters = |mode: Mode, bias, sink, n, k| {
        let diagonal = mode.has_diagonal();
        Gemm::new(class, Use::Parameters { diagonal, bias, sink }, k, n, 32)
    };
    for below in [Activation::Identity, TANH] {
        for (mode, (n, k)) in Mode::ALL
            .into_iter()
            .flat_map(|mode| [(64, 64), (64, 33), (33, 64), (33, 33)].map(|sizes| (mode, sizes)))
        {
            for (bias, sink) in flags
                .into_iter()
                .flat_map(|b| [GradientSink::Replace, GradientSink::Accumulate].map(|l| (b, l)))
            {
                add(signal(mode, below, n, k), parameters(mode, bias, sink, n, k));
            }
        }
        for bias in flags {
            let mut both = |mode: Mode, update: Update| {
                let update = parameters(mode, bias, GradientSink::Update(update), 64, 64);
                add(signal(mode, below, 64, 64), update);
                add(update, update);
            };
            for rule in rules() {
                for mode in [rule.mode(), Mode::None] {
                    both(mode, Update::new(&rule, 4096, mode.has_diagonal()));
                }
            }
            for update in optimizer::limited() {
                both(if update.reads_diagonal() { Mode::HesScale } else { Mode::None }, update);
            }
        }
    }
    kernels
}

/// A convolution's signal beside parts of its parameters.
fn convolutions(class: DeviceClass, tile: Option<Tile>) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    for convolution in conv::small() {
        for (mode, below) in Mode::ALL.into_iter().flat_map(|m| [Activation::Identity, TANH].map(|a| (m, a)))
        {
            let signal = tiled(convolution.signal(class, 2, Use::Signal { mode, below }), tile);
            let join = Join::new(class.into(), signal, tiled(convolution.partial(class, 2, mode), tile));
            kernels.extend(join.map(Kernel::from));
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
        ] {
            let found = labels.iter().any(|label| label.contains(one) && label.contains(other));
            assert!(found, "{class:?}: no {one} {other}");
        }
    }
}

/// One in registers or slices, the other through workgroup memory: what plans may lead to, and no job does.
#[test]
fn products_of_two_families_are_valid_together() {
    for tiles in [[NARROW, STAGED], [STAGED, NARROW], [SLICED, STAGED]].map(|tiles| tiles.map(Some)) {
        let kernels = pairs(DeviceClass::Discrete, tiles);
        assert!(kernels.len() > 100);
        for kernel in kernels {
            let text = kernel.source();
            let (module, info) =
                crate::texts::valid(&text).unwrap_or_else(|e| panic!("{}: {e}", kernel.label()));
            crate::texts::translate(&module, &info).unwrap_or_else(|e| panic!("{}: {e}", kernel.label()));
        }
    }
}

/// An update touches its layer's parameters and moments, whatever of the model is bound with them.
#[test]
fn two_touch_what_each_touches() {
    let class = DeviceClass::Software;
    let adam = Update::new(&rules()[2], 4096, false);
    let update = Gemm::new(
        class,
        Use::Parameters { diagonal: false, bias: false, sink: GradientSink::Update(adam) },
        8,
        12,
        2,
    );
    let signal = Gemm::new(class, Use::Signal { mode: Mode::None, below: TANH }, 2, 16, 8);
    let (a, x, model, moments) = (1, 2, 1 << 20, 1 << 21);
    let product = |gemm| Product { gemm, offsets: OFFSETS };
    let alone = product(update).bytes(&[a, x, model, moments]);
    assert_eq!(alone, 1 + 2 + 4 * 8 * 12 * 3);
    let join =
        |first, second| Join::new(class.into(), product(first), product(second)).expect("can be joined");
    assert_eq!(join(update, update).bytes(&[a, x, model, moments, a, x]), 2 * alone);
    let (out, below) = (1000, 1000);
    let beside = join(signal, update).bytes(&[a, out, below, a, x, model, moments]);
    assert_eq!(beside, 1 + 2000 + 4 * 16 * 8 + alone);
}
