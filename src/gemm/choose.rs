//! The choice of a tile for a product: from a measured table, among matrix units, or by estimate.

use super::cooperative::{self, Cooperative};
use super::costs::{Costs, Tiles};
use super::sizes::{Sizes, TileUse};
use super::table::TileTable;
use super::tile::{Family, Tile};
use crate::model::Mode;
use crate::shader::{DeviceClass, Workgroup};
use crate::{Error, Result};
use std::collections::BTreeMap;

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

/// How much more work than the best tile's is acceptable if it saves a dispatch. A guess.
const WORTH: f64 = 1.1;

impl Tuning<'_> {
    /// The table's tile for a product, else the one with the least estimated work.
    pub(crate) fn choose(&self, sizes: &Sizes) -> Tile {
        self.measured(sizes).or_else(|| self.by_matrices(sizes)).unwrap_or_else(|| self.guess(sizes))
    }

    fn measured(&self, sizes: &Sizes) -> Option<Tile> {
        let slices = self.slices(sizes);
        let fits = |tile: Tile| self.can(tile, sizes) && (tile.is_cooperative() || tile.slices() == slices);
        self.table.and_then(|table| table.find(sizes, fits))
    }

    /// Tiles with the same workgroup shape for two products that share a dispatch: the given ones if their shapes match, else the
    /// cheapest pair, unless it costs over a tenth and a launch more or one of the tiles was measured.
    pub(crate) fn choose_together(&self, one: (Tile, Sizes), other: (Tile, Sizes)) -> Option<(Tile, Tile)> {
        if one.0.shape() == other.0.shape() {
            return Some((one.0, other.0));
        }
        if self.measured(&one.1).or_else(|| self.measured(&other.1)).is_some() {
            return None;
        }
        let best = |sizes: &Sizes| {
            let mut best: BTreeMap<[u32; 2], (f64, Tile)> = BTreeMap::new();
            for tile in self.plain(sizes) {
                let found = (self.estimate(tile, sizes), tile);
                let known = best.entry(tile.shape()).or_insert(found);
                if found.0 < known.0 {
                    *known = found;
                }
            }
            best
        };
        let others = best(&other.1);
        let pairs = best(&one.1).into_iter().filter_map(|(shape, (cost, tile))| {
            let (other_cost, other_tile) = others.get(&shape)?;
            Some((cost + other_cost, (tile, *other_tile)))
        });
        let (cost, tiles) = pairs.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let apart = self.estimate(one.0, &one.1) + self.estimate(other.0, &other.1);
        self.pays(cost, apart).then_some(tiles)
    }

    /// The tile if it covers whole rows, else the cheapest that does, unless it costs over a tenth and a launch more or the tile was measured.
    pub(crate) fn choose_whole_rows(&self, tile: Tile, sizes: &Sizes) -> Option<Tile> {
        let whole = |tile: &Tile| tile.grid(sizes.m, sizes.n).0 == 1;
        if whole(&tile) {
            return Some(tile);
        }
        if self.measured(sizes).is_some() {
            return None;
        }
        let best = self.cheapest(self.plain(sizes).filter(whole), sizes);
        best.filter(|best| self.pays(self.estimate(*best, sizes), self.estimate(tile, sizes)))
    }

    /// Whether kernels that share a dispatch may cost that much, if apart they cost so much and one launch more.
    fn pays(&self, together: f64, apart: f64) -> bool {
        together <= WORTH * apart + Costs::of(self.class).launch
    }

    fn by_matrices(&self, sizes: &Sizes) -> Option<Tile> {
        self.cheapest(self.cooperative(sizes).filter(|_| cooperative::pays(sizes)), sizes)
    }

    fn guess(&self, sizes: &Sizes) -> Tile {
        self.cheapest(self.plain(sizes), sizes).unwrap_or(Tile::SLIM)
    }

    /// The tile with the least estimated work.
    fn cheapest(&self, tiles: impl Iterator<Item = Tile>, sizes: &Sizes) -> Option<Tile> {
        tiles.min_by(|a, b| self.estimate(*a, sizes).total_cmp(&self.estimate(*b, sizes)))
    }

    fn estimate(&self, tile: Tile, sizes: &Sizes) -> f64 {
        Costs::of(self.class).estimate(tile, sizes)
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

    /// The legal tiles that use no matrix units.
    fn plain(&self, sizes: &Sizes) -> impl Iterator<Item = Tile> {
        let slices = self.slices(sizes);
        self.offered(*sizes).filter(move |tile| tile.slices() == slices)
    }

    /// What the class has on offer and the device can make, whatever the order of the sums.
    fn offered(&self, sizes: Sizes) -> impl Iterator<Item = Tile> {
        let costs = Costs::of(self.class);
        let (held, most) = (costs.held(&sizes), costs.registers(&sizes));
        let tiles = costs.tiles.iter().flat_map(Tiles::all);
        tiles.filter(move |tile| tile.sums() * held <= most && self.can(*tile, &sizes))
    }

    /// How many parts k is summed in. The order of a sum follows from it, so it does not depend on the mode, and a tile that any
    /// mode can have must exist.
    pub(crate) fn slices(&self, sizes: &Sizes) -> u32 {
        let mut slices = Costs::of(self.class).slices(sizes);
        let most = Mode::ALL.into_iter().map(Mode::components).max().unwrap_or(1) as u32;
        let most = Sizes { components: most, ..*sizes };
        while slices > 1 && !self.offered(most).any(|tile| tile.slices() == slices) {
            slices /= 2;
        }
        slices
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
                let sliced =
                    matches!(sizes.kind, TileUse::Forward | TileUse::Signal) && 2 * b <= buffers * steps;
                whole && (slices == 1 || sliced)
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

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Whatever the mode, a sum is cut alike; and only on GPUs, where there would be too few workgroups.
    #[test]
    fn small_products_are_shared_out_along_k() {
        for class in DeviceClass::ALL {
            let slices = |size| {
                let each = [1, 2, 3, 4].map(|p| Tuning::from(class).choose(&sizes(p, size)).slices());
                assert_eq!(each, [each[0]; 4], "{class:?} {size:?}");
                each[0]
            };
            let on_gpus = |slices| if class == DeviceClass::Software { 1 } else { slices };
            assert_eq!(slices([2048; 3]), 1);
            assert!(slices([32, 512, 784]) >= on_gpus(2), "{class:?}");
            assert!(slices([8, 512, 784]) >= on_gpus(8), "{class:?}");
            assert_eq!(slices([32, 512, 63]), 1);
        }
    }
}
