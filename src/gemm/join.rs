//! Two products in one dispatch. Where one alone would leave a GPU partly idle, both together leave less of it so; and there
//! is one launch for two.

use super::gemm::{Gemm, GemmUniform, Leave, Use};
use super::source::{self, Header};
use super::splice::{Part, Slot, splice};
use super::tile::{Tile, Tuning};
use super::{Binding, Binding::*, GemmPlaces, Number, Numbers, Workgroup, is_bindable};

/// Two products, neither of which reads or writes what the other writes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Join {
    first: (Gemm, GemmPlaces),
    second: (Gemm, GemmPlaces),
    pair: Pair,
}

/// What stands beside what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pair {
    /// The signal through a layer, and the layer's gradient and diagonal, or parts of a convolution's: both read the signal
    /// above.
    SameLayer,
    /// The signal through a layer, and the update of another: weights are read where the others are written.
    SignalAndUpdate,
    /// The updates of two layers.
    Updates,
}

impl Pair {
    fn of(first: &Gemm, second: &Gemm) -> Option<Pair> {
        let update = |usage| matches!(usage, Use::Parameters { leave: Leave::Update(_), .. });
        match (first.usage, second.usage) {
            (Use::Signal { .. }, usage) if update(usage) => Some(Pair::SignalAndUpdate),
            (Use::Signal { .. }, Use::Parameters { .. } | Use::Partial { .. }) => Some(Pair::SameLayer),
            (one, other) if update(one) && update(other) => Some(Pair::Updates),
            _ => None,
        }
    }
}

/// The uniform of `shaders/join/products.wgsl`: workgroups of the first, and those of a row of the grid.
type JoinUniform = [u32; 2];

impl Join {
    /// The two side by side, in tiles of one shape of workgroup; nothing where that cannot be, or would take longer.
    pub(crate) fn new(
        tuning: Tuning<'_>,
        first: (Gemm, GemmPlaces),
        second: (Gemm, GemmPlaces),
    ) -> Option<Join> {
        let pair = Pair::of(&first.0, &second.0)?;
        if first.0.tile().is_cooperative() || second.0.tile().is_cooperative() {
            return None;
        }
        // Parameters that are updated are bound in vec4s, so weights are read so.
        let readable = first.0.image.is_none() && first.0.sizes().vectors;
        if pair == Pair::SignalAndUpdate && !readable {
            return None;
        }
        let sized = |gemm: &Gemm| (gemm.tile(), gemm.sizes());
        let (one, other) = tuning.choose_together(sized(&first.0), sized(&second.0))?;
        let (first, second) = ((first.0.with_tile(one), first.1), (second.0.with_tile(other), second.1));
        let join = Join { first, second, pair };
        (is_bindable(&join.bindings()) && join.workgroup().fits(&tuning.allowed)).then_some(join)
    }

    pub(super) fn workgroup(&self) -> Workgroup {
        let sized = |gemm: &Gemm| (gemm.tile(), gemm.sizes().numbers);
        Tile::workgroup_of_both([sized(&self.first.0), sized(&self.second.0)])
    }

    /// The least workgroups that one of the two has.
    pub(crate) fn fewest_groups(&self) -> u32 {
        self.first.0.groups().min(self.second.0.groups())
    }

    pub(crate) fn label(&self) -> String {
        format!("{} beside {}", self.first.0.label(), self.second.0.label())
    }

    /// Where both's bindings go: 0 says which workgroups are whose, 1 and 2 are their own uniforms.
    fn slots(&self) -> [Vec<Slot>; 2] {
        let shared: [&[_]; 2] = match self.pair {
            Pair::SameLayer => [&[], &[(1, "a_data")]],
            Pair::SignalAndUpdate => [&[(2, "parameters")], &[]],
            Pair::Updates => [&[], &[(3, "parameters"), (4, "memory")]],
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
        [slots(&self.first.0, 1, shared[0]), slots(&self.second.0, 2, shared[1])]
    }

    /// What is bound of what both bind, in order; uniforms are left out.
    pub(crate) fn bound<T>(&self, first: Vec<T>, second: Vec<T>) -> Vec<T> {
        let [of_first, of_second] = self.slots();
        let both = first.into_iter().zip(of_first.into_iter().skip(1));
        let both = both.chain(second.into_iter().zip(of_second.into_iter().skip(1)));
        both.filter_map(|(what, slot)| matches!(slot, Slot::At(_)).then_some(what)).collect()
    }

    pub(crate) fn bindings(&self) -> Vec<Binding> {
        let [first, second] = [&self.first.0, &self.second.0].map(|gemm| gemm.bindings().split_off(1));
        [vec![Uniform; 3], self.bound(first, second)].concat()
    }

    pub(crate) fn source(&self) -> String {
        let text = |(gemm, _): &(Gemm, GemmPlaces), weights| {
            Numbers::default().with(&gemm.source_with(Number::F32, weights), Number::F32)
        };
        let (weights, foreign): (_, &[_]) = match self.pair {
            Pair::SignalAndUpdate => (Some("gemm/b_updated"), &["parameters"]),
            _ => (None, &[]),
        };
        let [one, other] = [text(&self.first, weights), text(&self.second, None)];
        let [of_one, of_other] = self.slots();
        let tile = self.first.0.tile();
        let mut header = Header::default();
        header.number("WIDTH", tile.width).number("HEIGHT", tile.height);
        let both = splice([
            Part { text: &one, slots: &of_one, foreign },
            Part { text: &other, slots: &of_other, foreign: &[] },
        ]);
        source::compose(&header, &["join/products"]) + &both
    }

    pub(crate) fn groups(&self) -> u32 {
        self.first.0.groups() + self.second.0.groups()
    }

    /// Its own and both's, in the order they are bound.
    pub(crate) fn uniforms(&self, grid_x: u32) -> (JoinUniform, [GemmUniform; 2]) {
        let each = [self.first, self.second].map(|(gemm, places)| gemm.uniform(1, &places));
        ([self.first.0.groups(), grid_x], each)
    }

    /// Bytes that both touch of what is bound; `bound` has the size of each.
    pub(super) fn bytes(&self, bound: &[u64]) -> u64 {
        let [(first, of_first), (second, of_second)] = [&self.first, &self.second];
        let own = |gemm: &Gemm, places, at: usize| gemm.bytes(places, &bound[at..at + 2]);
        match self.pair {
            Pair::SameLayer => bound.iter().sum(),
            Pair::SignalAndUpdate => {
                let at = bound.len() - 4;
                let weights = 4 * u64::from(first.n) * u64::from(first.k);
                bound[..at].iter().sum::<u64>() + weights + own(second, of_second, at)
            }
            Pair::Updates => own(first, of_first, 0) + own(second, of_second, 4),
        }
    }

    pub(crate) fn flops(&self) -> u64 {
        self.first.0.flops() + self.second.0.flops()
    }
}
