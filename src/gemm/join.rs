//! Two products in one dispatch, which keep a GPU busier than either alone and save a launch.

use super::choose::Tuning;
use super::product::{Gemm, GradientSink, Product, Use};
use super::tile::Tile;
use crate::shader::{
    Binding, Binding::*, Dtype, Dtypes, Header, Key, Part, Slot, Workgroup, bytes_of, compose, is_bindable,
    splice, words,
};

/// Two products, neither of which reads or writes what the other writes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Join {
    first: Product,
    second: Product,
    combination: Combination,
}

/// Which two products share the dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Combination {
    /// The signal through a layer, and the gradient and diagonal of the same layer: both read the signal above.
    SameLayer,
    /// The signal through a layer, and the update of another: weights are read where the others are written.
    SignalAndUpdate,
    /// The updates of two layers.
    Updates,
}

impl Combination {
    fn of(first: &Gemm, second: &Gemm) -> Option<Combination> {
        let update = |usage| matches!(usage, Use::Parameters { sink: GradientSink::Update(_), .. });
        match (first.usage, second.usage) {
            (Use::Signal { .. }, usage) if update(usage) => Some(Combination::SignalAndUpdate),
            (Use::Signal { .. }, Use::Parameters { .. } | Use::Partial { .. }) => {
                Some(Combination::SameLayer)
            }
            (one, other) if update(one) && update(other) => Some(Combination::Updates),
            _ => None,
        }
    }
}

impl Join {
    /// Both side by side, in tiles with equally many invocations; `None` if they cannot be joined or joining would be slower.
    pub(crate) fn new(tuning: Tuning<'_>, first: Product, second: Product) -> Option<Join> {
        let combination = Combination::of(&first.gemm, &second.gemm)?;
        if first.gemm.tile().is_cooperative() || second.gemm.tile().is_cooperative() {
            return None;
        }
        // Updated parameters are bound as vec4s, so the weights must be readable as vec4s.
        let readable = first.gemm.image.is_none() && first.gemm.sizes().vectors;
        if combination == Combination::SignalAndUpdate && !readable {
            return None;
        }
        let sized = |gemm: &Gemm| (gemm.tile(), gemm.sizes());
        let (one, other) = tuning.choose_together(sized(&first.gemm), sized(&second.gemm))?;
        let (first, second) = (first.with_tile(one), second.with_tile(other));
        let join = Join { first, second, combination };
        (is_bindable(&join.bindings()) && tuning.allowed.has(join.workgroup())).then_some(join)
    }

    pub(crate) fn products(&self) -> [&Product; 2] {
        [&self.first, &self.second]
    }

    pub(crate) fn fewest_groups(&self) -> u32 {
        self.first.gemm.groups().min(self.second.gemm.groups())
    }

    /// Where the bindings of each go: 0 tells which workgroups belong to which product, 1 and 2 are their own uniforms.
    fn slots(&self) -> [Vec<Slot>; 2] {
        let shared: [&[_]; 2] = match self.combination {
            Combination::SameLayer => [&[], &[(1, "a_data")]],
            Combination::SignalAndUpdate => [&[(2, "parameters")], &[]],
            Combination::Updates => [&[], &[(3, "parameters"), (4, "memory")]],
        };
        let mut next = 3;
        let mut slots = |gemm: &Gemm, uniform, shared: &[(usize, &'static str)]| -> Vec<Slot> {
            let slot = |index| match shared.iter().find(|(at, _)| *at == index) {
                Some((_, of)) => Slot::Shared(of),
                None if index == 0 => Slot::At(uniform),
                None => {
                    next += 1;
                    Slot::At(next - 1)
                }
            };
            (0..gemm.bindings().len()).map(slot).collect()
        };
        [slots(&self.first.gemm, 1, shared[0]), slots(&self.second.gemm, 2, shared[1])]
    }

    /// What the joined kernel binds out of what each of them binds, in order, uniforms left out.
    pub(crate) fn bound<T>(&self, first: Vec<T>, second: Vec<T>) -> Vec<T> {
        let [of_first, of_second] = self.slots();
        let both = first.into_iter().zip(of_first.into_iter().skip(1));
        let both = both.chain(second.into_iter().zip(of_second.into_iter().skip(1)));
        both.filter_map(|(what, slot)| matches!(slot, Slot::At(_)).then_some(what)).collect()
    }
}

impl Key for Join {
    fn label(&self) -> String {
        format!("{} beside {}", self.first.gemm.label(), self.second.gemm.label())
    }

    fn is_generic(&self) -> bool {
        false
    }

    fn bindings(&self) -> Vec<Binding> {
        let [first, second] = [&self.first.gemm, &self.second.gemm].map(|gemm| gemm.bindings().split_off(1));
        [vec![Uniform; 3], self.bound(first, second)].concat()
    }

    fn source(&self, _: Dtypes) -> String {
        let text = |product: &Product, weights| {
            let text = product.gemm.source_with(Dtype::F32, weights);
            Dtypes::default().complete(&text, product.gemm.bindings().len() - 1, Dtype::F32)
        };
        let (weights, foreign): (_, &[_]) = match self.combination {
            Combination::SignalAndUpdate => (Some("gemm/b_updated"), &["parameters"]),
            _ => (None, &[]),
        };
        let [one, other] = [text(&self.first, weights), text(&self.second, None)];
        let [of_one, of_other] = self.slots();
        let tile = self.first.gemm.tile();
        let mut header = Header::default();
        let [width, height] = tile.shape();
        header.number("WIDTH", width).number("HEIGHT", height);
        let both = splice([
            Part { text: &one, slots: &of_one, foreign },
            Part { text: &other, slots: &of_other, foreign: &[] },
        ]);
        compose(&header, &["gemm/join/products"]) + &both
    }

    fn groups(&self) -> u32 {
        self.first.gemm.groups() + self.second.gemm.groups()
    }

    /// Its own, that of `shaders/gemm/join/products.wgsl`: workgroups of the first, and those of a row of the grid; then both's.
    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let mut all = words(&[self.first.groups(), grid_x]);
        all.extend([self.first, self.second].map(|product| bytes_of(&product.uniform(1))));
        all
    }

    fn workgroup(&self) -> Workgroup {
        let sized = |gemm: &Gemm| (gemm.tile(), gemm.components());
        Tile::workgroup_of_both([sized(&self.first.gemm), sized(&self.second.gemm)])
    }

    fn bytes(&self, bound: &[u64]) -> u64 {
        let (first, second) = (&self.first, &self.second);
        match self.combination {
            Combination::SameLayer => bound.iter().sum(),
            Combination::SignalAndUpdate => {
                let at = bound.len() - 4;
                let weights = 4 * u64::from(first.gemm.n) * u64::from(first.gemm.k);
                bound[..at].iter().sum::<u64>() + weights + second.bytes(&bound[at..at + 2])
            }
            Combination::Updates => first.bytes(&bound[..2]) + second.bytes(&bound[4..6]),
        }
    }

    fn flops(&self) -> u64 {
        self.first.gemm.flops() + self.second.gemm.flops()
    }
}
