//! The choice of a tile for a product: from a measured table, among matrix units, or by estimate.

use super::cooperative::{self, Cooperative};
use super::costs::Costs;
use super::product::LONGEST_SLICE;
use super::sizes::{Sizes, TileUse};
use super::table::TileTable;
use super::tile::{BIAS_PARTS, Family, Order, Tile};
use crate::model::Mode;
use crate::shader::{DeviceClass, Workgroup};
use crate::{Error, Result};
use std::collections::BTreeSet;

/// What the choice of tiles depends on: the class of device, its limits, and a measured table if there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning<'a> {
    pub class: DeviceClass,
    pub table: Option<&'a TileTable>,
    pub allowed: TileLimits,
}

/// Limits of a device that bound tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TileLimits {
    /// Bytes of workgroup memory.
    pub storage: u32,
    /// Invocations of a workgroup: in all, along x, along y.
    pub invocations: [u32; 3],
    /// The matrix units that may be used.
    pub cooperative: Option<Cooperative>,
}

impl Default for TileLimits {
    fn default() -> TileLimits {
        TileLimits { storage: 16_384, invocations: [256; 3], cooperative: None }
    }
}

impl TileLimits {
    pub(crate) fn has(&self, workgroup: Workgroup) -> bool {
        let [most, most_x, most_y] = self.invocations;
        let [x, y] = workgroup.size;
        workgroup.invocations() <= most && x <= most_x && y <= most_y && workgroup.bytes <= self.storage
    }

    /// Invocations that a workgroup in a row may have.
    pub(crate) fn in_a_row(&self) -> u32 {
        self.invocations[0].min(self.invocations[1])
    }

    /// That the device has room for such a workgroup.
    pub(crate) fn check(&self, place: &str, workgroup: Workgroup) -> Result<()> {
        let [most, most_x, most_y] = self.invocations;
        let [x, y] = workgroup.size;
        let limits = [
            ("max_compute_invocations_per_workgroup", workgroup.invocations(), most),
            ("max_compute_workgroup_size_x", x, most_x),
            ("max_compute_workgroup_size_y", y, most_y),
            ("max_compute_workgroup_storage_size", workgroup.bytes, self.storage),
        ];
        let limits = limits.map(|(limit, needed, available)| (limit, needed.into(), available.into()));
        Error::check_limits(place, limits)
    }
}

impl From<DeviceClass> for Tuning<'static> {
    fn from(class: DeviceClass) -> Tuning<'static> {
        Tuning { class, table: None, allowed: TileLimits::default() }
    }
}

/// How much more work than the best tiles' is acceptable if it saves a dispatch, beside what that costs. A guess.
const WORTH: f64 = 1.1;

/// Outputs so few that a loss may follow in the same dispatch, if a tile has whole rows.
const CLASSES: u32 = 64;

impl Tuning<'_> {
    /// The table's tile for a product, else the one with the least estimated work. In which order it is summed is decided as in
    /// plain backprop, among the orders that every mode can have, so that the gradient has the same bits in every mode.
    pub(crate) fn choose(&self, sizes: &Sizes) -> Tile {
        let first = |sizes: &Sizes, orders: &[Order]| {
            let measured = self.measured(sizes, orders);
            let matrices = || self.cheapest(self.matrices(sizes), sizes, orders);
            measured.or_else(matrices).or_else(|| self.cheapest(self.plain(sizes), sizes, orders))
        };
        let widest = widest(sizes);
        let entries =
            || self.table.into_iter().flat_map(|table| table.entries.iter().map(|entry| entry.tile));
        let orders = entries().filter(|tile| self.can(*tile, &widest)).chain(self.legal(&widest));
        let orders: BTreeSet<Order> = orders.map(|tile| tile.order(sizes.kind)).collect();
        let orders: Vec<Order> = orders.into_iter().collect();
        let plain = first(&Sizes { components: 1, ..*sizes }, &orders).unwrap_or(Tile::SLIM);
        if sizes.components == 1 {
            return plain;
        }
        let order = plain.order(sizes.kind);
        let any = || entries().find(|tile| tile.order(sizes.kind) == order && self.can(*tile, sizes));
        first(sizes, &[order]).or_else(any).unwrap_or(Tile::SLIM)
    }

    fn measured(&self, sizes: &Sizes, orders: &[Order]) -> Option<Tile> {
        let fits = |tile: Tile| orders.contains(&tile.order(sizes.kind)) && self.can(tile, sizes);
        self.table.and_then(|table| table.find(sizes, fits))
    }

    /// Tiles with equally many invocations for two products that share a dispatch: the given ones if they match, else the cheapest
    /// pair that sums in the same order, unless it costs more than the dispatch or one of the tiles was measured.
    pub(crate) fn choose_together(&self, one: (Tile, Sizes), other: (Tile, Sizes)) -> Option<(Tile, Tile)> {
        if one.0.lanes() == other.0.lanes() {
            return Some((one.0, other.0));
        }
        if [&one, &other]
            .into_iter()
            .any(|(tile, sizes)| self.measured(sizes, &[tile.order(sizes.kind)]).is_some())
        {
            return None;
        }
        let best = |(given, sizes): &(Tile, Sizes), lanes: u32| {
            let tiles = self.plain(sizes).filter(|tile| tile.lanes() == lanes);
            let tile = self.cheapest(tiles, sizes, &[given.order(sizes.kind)])?;
            Some((self.estimate(tile, sizes), tile))
        };
        let lanes: BTreeSet<u32> = Costs::of(self.class).offers().map(Tile::lanes).collect();
        let pairs = lanes.into_iter().filter_map(|lanes| {
            let ((cost, tile), (other_cost, other_tile)) = (best(&one, lanes)?, best(&other, lanes)?);
            Some((cost + other_cost, (tile, other_tile)))
        });
        let (cost, tiles) = pairs.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let apart = self.estimate(one.0, &one.1) + self.estimate(other.0, &other.1);
        self.is_worth(cost, apart).then_some(tiles)
    }

    /// The tile if it covers whole rows, else the cheapest that does and sums in the same order, unless it costs more than the
    /// dispatch or the tile was measured.
    pub(crate) fn choose_whole_rows(&self, tile: Tile, sizes: &Sizes) -> Option<Tile> {
        let whole = |tile: &Tile| tile.grid(sizes.m, sizes.n).0 == 1;
        if whole(&tile) {
            return Some(tile);
        }
        if self.measured(sizes, &[tile.order(sizes.kind)]).is_some() {
            return None;
        }
        let best = self.cheapest(self.plain(sizes).filter(whole), sizes, &[tile.order(sizes.kind)]);
        best.filter(|best| self.is_worth(self.estimate(*best, sizes), self.estimate(tile, sizes)))
    }

    /// Whether one dispatch at a cost is better than two that together cost `apart`.
    fn is_worth(&self, cost: f64, apart: f64) -> bool {
        cost <= WORTH * apart + Costs::of(self.class).launch
    }

    /// The tiles of matrix units, where those pay.
    fn matrices(&self, sizes: &Sizes) -> impl Iterator<Item = Tile> {
        self.cooperative(sizes).filter(|_| cooperative::pays(sizes))
    }

    /// The tile with the least estimated work, of those that sum in one of these orders.
    fn cheapest(&self, tiles: impl Iterator<Item = Tile>, sizes: &Sizes, orders: &[Order]) -> Option<Tile> {
        let tiles = tiles.filter(|tile| orders.contains(&tile.order(sizes.kind)));
        tiles.min_by(|a, b| self.estimate(*a, sizes).total_cmp(&self.estimate(*b, sizes)))
    }

    fn estimate(&self, tile: Tile, sizes: &Sizes) -> f64 {
        let costs = Costs::of(self.class);
        let classes = sizes.kind == TileUse::Forward && sizes.n <= CLASSES;
        let apart = classes && tile.grid(sizes.m, sizes.n).0 > 1;
        costs.estimate(tile, sizes) + if apart { costs.launch } else { 0.0 }
    }

    /// Every tile that the class has on offer and the device can make.
    pub(crate) fn legal(&self, sizes: &Sizes) -> impl Iterator<Item = Tile> {
        self.plain(sizes).chain(self.cooperative(sizes))
    }

    /// The legal tiles of matrix units.
    fn cooperative(&self, sizes: &Sizes) -> impl Iterator<Item = Tile> {
        let tiles = self.allowed.cooperative.into_iter().flat_map(Cooperative::tiles);
        tiles.filter(move |tile| {
            // The teams' sums, and what invocations have collected of them.
            2 * tile.sums() * sizes.components <= Costs::of(self.class).registers(sizes)
                && self.can(*tile, sizes)
        })
    }

    /// The legal tiles that use no matrix units. An invocation of the register family sums a bias alone, waiting for each load:
    /// where others can share it, they do.
    fn plain(&self, sizes: &Sizes) -> impl Iterator<Item = Tile> {
        let shared = |tile: &Tile| tile.order(TileUse::Parameters) == Order::Biases;
        let biased = matches!(sizes.kind, TileUse::Parameters | TileUse::ConvolutionParameters);
        let only_shared = biased && self.offered(widest(sizes)).any(|tile| shared(&tile));
        self.offered(*sizes).filter(move |tile| !only_shared || shared(tile))
    }

    /// What the class has on offer and the device can make, but for matrix units.
    fn offered(&self, sizes: Sizes) -> impl Iterator<Item = Tile> {
        let costs = Costs::of(self.class);
        let (held, most) = (costs.held(&sizes), costs.registers(&sizes));
        let fits = move |tile: Tile| match tile.family {
            // All sums of a component fit in workgroup memory, much is fetched ahead beside them, and where B lies along n, what
            // neighbours read together is 64 bytes at least.
            Family::Sliced => {
                let at_once = tile.sums() / 4 * tile.lanes() <= 1024;
                at_once
                    && 2 * tile.sums() * held <= most
                    && (sizes.kind != TileUse::Signal || tile.width >= 4)
            }
            _ => tile.sums() * held <= most,
        };
        costs.offers().filter(move |tile| fits(*tile) && self.can(*tile, &sizes))
    }

    /// Whether the device and the shaders can make a tile.
    pub(crate) fn can(&self, tile: Tile, sizes: &Sizes) -> bool {
        let (a, b) = tile.sides();
        let family = match tile.family {
            Family::Registers => sizes.step > 1 || tile.rows.is_multiple_of(4),
            // Invocations of one slice stage whole rows of vec4s, and its sums fit where A was staged.
            Family::Workgroup { steps, buffers, slices } => {
                let lanes = tile.width * tile.height;
                let whole = tile.rows.is_multiple_of(4) && lanes.is_multiple_of(a) && lanes.is_multiple_of(b);
                let fits = match sizes.kind {
                    TileUse::Forward | TileUse::Signal => slices == 1 || 2 * b <= buffers * steps,
                    // The parts of a bias, too.
                    TileUse::Parameters | TileUse::ConvolutionParameters => {
                        slices == 1 && lanes.is_multiple_of(BIAS_PARTS) && lanes <= a * buffers * steps
                    }
                    // Runs of 64 terms end where a stage does.
                    _ => slices == 1 && (!sizes.long || sizes.k.is_multiple_of(steps) || 64 % sizes.k == 0),
                };
                whole && fits
            }
            Family::Sliced => {
                matches!(sizes.kind, TileUse::Forward | TileUse::Signal)
                    && tile.is_sliceable()
                    && sizes.k.div_ceil(tile.height) <= LONGEST_SLICE
            }
            Family::Cooperative { matrices, .. } => {
                self.allowed.cooperative == Some(matrices)
                    && matches!(sizes.kind, TileUse::Forward | TileUse::Signal)
                    && matrices.share(tile).is_some()
            }
        };
        family && self.allowed.has(tile.workgroup(sizes.components))
    }

    pub(crate) fn busy(&self) -> u32 {
        Costs::of(self.class).busy
    }

    /// The same without a measured table.
    pub(crate) fn shipped(&self) -> Tuning<'static> {
        Tuning { class: self.class, table: None, allowed: self.allowed }
    }
}

/// The same product in the mode that has most components.
fn widest(sizes: &Sizes) -> Sizes {
    let components = match sizes.kind {
        TileUse::Forward | TileUse::ConvolutionForward => 1,
        TileUse::Parameters => 2,
        _ => Mode::ALL.into_iter().map(Mode::components).max().unwrap_or(1) as u32,
    };
    Sizes { components, ..*sizes }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `add_slices` in `workgroup.wgsl` puts the sums of half the slices, of all components, where A was staged.
    #[test]
    fn sums_of_slices_fit_where_a_was_staged() {
        let mut found = 0;
        for (class, p) in DeviceClass::ALL.into_iter().flat_map(|class| (1..=4).map(move |p| (class, p))) {
            let sizes = sizes(p, [32, 512, 512]);
            for tile in Tuning::from(class).legal(&sizes) {
                let Family::Workgroup { steps, buffers, slices: slices @ 2.. } = tile.family else {
                    continue;
                };
                let staged = slices * buffers * p * steps * tile.height * tile.rows;
                let sums = slices / 2 * tile.width * tile.height * tile.sums() * p;
                assert!(sums <= staged, "{class:?} {tile} of {p}: {sums} of {staged}");
                found += 1;
            }
        }
        assert!(found > 100, "{found}");
    }

    fn sizes(components: u32, [m, n, k]: [u32; 3]) -> Sizes {
        let kind = TileUse::Signal;
        Sizes { kind, components, m, n, k, segments: 1, step: 4, vectors: true, long: false }
    }

    #[test]
    fn legal_tiles_keep_to_what_the_device_allows() {
        for (class, components, long) in DeviceClass::ALL
            .into_iter()
            .flat_map(|class| (1..=4).flat_map(move |p| [false, true].map(move |long| (class, p, long))))
        {
            let sizes = Sizes { long, ..sizes(components, [512; 3]) };
            for storage in [16_384, 16_352, 4096, 0] {
                let allowed = TileLimits { storage, invocations: [128, 128, 8], cooperative: None };
                let tuning = Tuning { allowed, ..class.into() };
                let mut found = 0;
                for tile in tuning.legal(&sizes) {
                    assert!(tile.storage(components) <= storage && tile.lanes() <= 128 && tile.height <= 8);
                    let registers = 4 * tile.rows * tile.vectors * components * (1 + u32::from(long));
                    assert!(class == DeviceClass::Software || registers <= 128, "{}", tile);
                    found += 1;
                }
                assert!(found > 0, "{class:?} {components} {storage}");
            }
        }
    }

    /// What the tuner found on llvmpipe: the estimate comes to the same.
    #[test]
    fn software_gets_what_was_measured() {
        use TileUse::{Forward, Parameters, Signal};
        for (kind, components, size, best) in [
            (Forward, 1, [8, 512, 512], "8x16 of 8x128"),
            (Forward, 1, [128, 512, 512], "16x16 of 16x128"),
            (Signal, 2, [1, 1024, 1024], "1x16 of 1x128"),
            (Signal, 2, [128, 128, 128], "16x16 of 16x128"),
            (Signal, 2, [128, 1024, 1024], "16x16 of 16x128"),
            (Signal, 3, [512, 128, 128], "8x16 of 8x128"),
            (Signal, 4, [512, 1024, 1024], "8x16 of 8x128"),
            (Parameters, 1, [1024, 1024, 512], "16x16 of 16x128"),
            (Parameters, 2, [128, 128, 512], "8x16 of 8x128"),
            (Parameters, 2, [512, 512, 512], "8x16 of 8x128"),
        ] {
            let step = if kind == Parameters { 1 } else { 4 };
            let sizes = Sizes { kind, step, ..sizes(components, size) };
            let chosen = Tuning::from(DeviceClass::Software).choose(&sizes);
            assert_eq!(chosen.to_string(), best, "{} of {components}, {size:?}", kind.name());
        }
    }

    /// The order of a sum depends on the mode nowhere.
    #[test]
    fn every_mode_has_the_same_order() {
        let mut sliced = 0;
        for class in DeviceClass::ALL {
            for size in [1, 3, 8, 33, 128, 600].into_iter().flat_map(|m| {
                let widths = [1, 10, 64, 513, 4096, 100_000];
                widths.into_iter().flat_map(move |n| widths.map(|k| [m, n, k]))
            }) {
                for (vectors, long) in [(true, false), (false, false), (true, true)] {
                    let order = |components| {
                        let sizes = Sizes { vectors, long, ..sizes(components, size) };
                        Tuning::from(class).choose(&sizes).order(sizes.kind)
                    };
                    assert!((2..=4).all(|p| order(p) == order(1)), "{class:?} {size:?}");
                    let in_turn = order(1) == Order::InTurn;
                    sliced += u32::from(!in_turn);
                    assert!(class != DeviceClass::Software || in_turn, "{size:?}");
                }
            }
        }
        assert!(sliced > 100, "{sliced}");
    }

    #[test]
    fn gpus_stage_what_is_large_and_software_nothing() {
        for (class, components) in
            DeviceClass::ALL.into_iter().flat_map(|class| (1..=4).map(move |p| (class, p)))
        {
            let staged = |size| {
                let tile = Tuning::from(class).choose(&sizes(components, size));
                matches!(tile.family, Family::Workgroup { .. })
            };
            assert_eq!(staged([2048; 3]), class != DeviceClass::Software, "{class:?} {components}");
        }
    }
}
