//! Tile shapes as data: which shapes a class of device may use, and how one is chosen for a product.

use super::cooperative::{self, Cooperative};
use super::table::TileTable;
use super::workgroup::Workgroup;
use serde::{Deserialize, Serialize};

/// What kind of machine runs the shaders. Decides tile shapes, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceClass {
    /// A CPU behind a graphics API (llvmpipe, SwiftShader): few wide cores, dear loads and barriers, a large cache.
    Software,
    /// A GPU that shares the CPU's memory.
    Integrated,
    /// A GPU of its own.
    Discrete,
}

impl DeviceClass {
    /// Every class that has tiles of its own.
    pub const ALL: [DeviceClass; 3] = [DeviceClass::Software, DeviceClass::Integrated, DeviceClass::Discrete];
}

/// How a workgroup makes its share of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Family {
    /// Every invocation by itself, from storage: `shaders/gemm/registers.wgsl`.
    Registers,
    /// Together, through workgroup memory: `shaders/gemm/workgroup.wgsl`.
    Workgroup {
        /// Steps along k that are staged at a time: a multiple of 4.
        steps: u32,
        /// 2: one stage is filled while the other is read. 1: for half the memory, a barrier more.
        buffers: u32,
    },
    /// Together, by matrix units: `shaders/gemm/cooperative.wgsl`. Only for dense layers' [`TileUse::Forward`] and
    /// [`TileUse::Signal`].
    Cooperative {
        /// What the units multiply.
        matrices: Cooperative,
        /// Steps along k that are staged at a time: 16 or 32.
        steps: u32,
    },
}

/// The shape of one workgroup's share of a product; see `shaders/gemm/gemm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// What it is made by.
    pub family: Family,
    /// Rows an invocation owns.
    pub rows: u32,
    /// vec4 columns an invocation owns.
    pub vectors: u32,
    /// Invocations along the columns.
    pub width: u32,
    /// Invocations along the rows.
    pub height: u32,
}

impl Tile {
    /// For sums so short that memory is all that counts, on software.
    pub(crate) const SLIM: Tile =
        Tile { family: Family::Registers, rows: 4, vectors: 1, width: 8, height: 1 };

    /// Whether matrix units make it.
    pub(super) fn is_cooperative(self) -> bool {
        matches!(self.family, Family::Cooperative { .. })
    }

    /// Tiles along n, and in all, of an m × n product.
    pub(crate) fn grid(self, m: u32, n: u32) -> (u32, u32) {
        let along_n = n.div_ceil(4 * self.vectors * self.width);
        (along_n, along_n * m.div_ceil(self.rows * self.height))
    }

    /// Invocations of a workgroup.
    pub(crate) fn lanes(self) -> u32 {
        self.width * self.height
    }

    /// vec4s of A, of one number, and of B that a workgroup needs for one step along k.
    fn sides(self) -> (u32, u32) {
        (self.height * self.rows / 4, self.width * self.vectors)
    }

    /// Accumulators of an invocation, of one number.
    fn sums(self) -> u32 {
        4 * self.rows * self.vectors
    }

    /// Bytes of workgroup memory for `numbers` per element of A.
    pub(super) fn storage(self, numbers: u32) -> u32 {
        match self.family {
            Family::Cooperative { matrices, steps } => matrices.storage(self, steps, numbers),
            _ => self.staged(numbers).into_iter().sum(),
        }
    }

    /// Bytes of what is staged of A and of B, where no matrix units are used.
    fn staged(self, numbers: u32) -> [u32; 2] {
        let (a, b) = self.sides();
        match self.family {
            Family::Workgroup { steps, buffers } => {
                [numbers * a, b].map(|fours| 16 * buffers * steps * fours)
            }
            _ => [0, 0],
        }
    }

    pub(super) fn workgroup(self, numbers: u32) -> Workgroup {
        Workgroup::new([self.width, self.height], self.storage(numbers))
    }

    /// Of two products in one dispatch that stage in the same memory: for each its tile and its numbers.
    pub(super) fn workgroup_of_both([one, other]: [(Tile, u32); 2]) -> Workgroup {
        let [staged, others] = [one, other].map(|(tile, numbers)| tile.staged(numbers));
        let bytes = staged.into_iter().zip(others).map(|(a, b)| a.max(b)).sum();
        Workgroup::new([one.0.width, one.0.height], bytes)
    }
}

/// `8x8 of 64x64`: sums of an invocation, of its workgroup; where those are staged ` in 2x16`, buffers and steps along k.
impl std::fmt::Display for Tile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tile { rows, vectors, width, height, .. } = self;
        write!(f, "{rows}x{} of {}x{}", 4 * vectors, rows * height, 4 * vectors * width)?;
        match self.family {
            Family::Registers => Ok(()),
            Family::Workgroup { steps, buffers } => write!(f, " in {buffers}x{steps}"),
            Family::Cooperative { matrices, steps } => write!(f, " in {steps} by {matrices}"),
        }
    }
}

/// A product as the choice of its tile sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sizes {
    pub kind: TileUse,
    /// Numbers per element of A and of the result.
    pub numbers: u32,
    pub m: u32,
    pub n: u32,
    /// Terms of a segment.
    pub k: u32,
    pub segments: u32,
    /// Advance along k of the register family; with an advance of 1, rows are read in fours.
    pub step: u32,
    /// Whether all is read in vec4s.
    pub vectors: bool,
    /// Whether the sum is made in runs.
    pub long: bool,
}

impl Sizes {
    /// Terms of the whole sum.
    pub(crate) fn terms(&self) -> u32 {
        self.k.saturating_mul(self.segments)
    }
}

/// What a product is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TileUse {
    /// A dense layer's forward pass: m is the batch, n the outputs, k the inputs.
    Forward,
    /// A signal through a dense layer: m is the batch, n the inputs, k the outputs.
    Signal,
    /// A dense layer's gradient and diagonal: m are the outputs, n the inputs, k the batch.
    Parameters,
    /// A convolution's forward pass: m are positions, n channels, k taps and channels.
    ConvolutionForward,
    /// A signal through a convolution.
    ConvolutionSignal,
    /// A convolution's gradient and diagonal: m are channels, n taps and channels, k positions of all samples.
    ConvolutionParameters,
}

impl TileUse {
    /// As it stands in a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TileUse::Forward => "forward",
            TileUse::Signal => "signal",
            TileUse::Parameters => "parameters",
            TileUse::ConvolutionForward => "convolution_forward",
            TileUse::ConvolutionSignal => "convolution_signal",
            TileUse::ConvolutionParameters => "convolution_parameters",
        }
    }
}

/// What decides about tiles: a class of device, what it allows, and a table where one was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning<'a> {
    pub class: DeviceClass,
    pub table: Option<&'a TileTable>,
    pub allowed: Allowed,
}

/// Limits of a device that bound tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Bytes of workgroup memory.
    pub storage: u32,
    /// Invocations of a workgroup: in all, along x, along y.
    pub invocations: [u32; 3],
    /// What matrix units there are, where they may be used.
    pub cooperative: Option<Cooperative>,
}

impl Default for Allowed {
    /// Those of wgpu's default limits.
    fn default() -> Allowed {
        Allowed { storage: 16_384, invocations: [256; 3], cooperative: None }
    }
}

impl From<DeviceClass> for Tuning<'static> {
    fn from(class: DeviceClass) -> Tuning<'static> {
        Tuning { class, table: None, allowed: Allowed::default() }
    }
}

/// What a class of device can do, in units of one multiply-add of one invocation.
struct Costs {
    /// One vec4 load from storage, by invocations of which some load the same.
    load: f64,
    /// One vec4 load from storage that no other invocation of the workgroup makes.
    fetch: f64,
    /// One vec4 into workgroup memory or from there.
    staged: f64,
    /// One barrier.
    barrier: f64,
    /// One vec4 store.
    store: f64,
    /// Stores cost twice as much where an invocation writes more long rows than this.
    streams: u32,
    /// Numbers of a long row. Of rows that are n times shorter an invocation may write n times as many.
    long_row: u32,
    /// One trip round the loop over k.
    trip: f64,
    /// Fewer workgroups than this leave the machine partly idle.
    busy: u32,
    /// What each of those costs beside its work: a thread has to wake up.
    wake: f64,
    /// Accumulators an invocation can hold.
    registers: u32,
    /// The same where elements are read one by one, for the code is longer then.
    scalar_registers: u32,
    /// Accumulators beyond which a GPU keeps so few invocations at once that all takes a quarter longer.
    crowded: u32,
    /// Whether the sums of runs that are done take as many again.
    totals: bool,
    tiles: &'static [Tiles],
}

/// Tiles on offer: every shape with every workgroup.
struct Tiles {
    /// Steps of a stage; 0 for the register family.
    steps: &'static [u32],
    /// Invocations along columns and rows.
    workgroups: &'static [(u32, u32)],
    /// Rows and vec4 columns of an invocation.
    shapes: &'static [(u32, u32)],
}

const SMALL: &[(u32, u32)] = &[(1, 1), (1, 2), (1, 4), (2, 2), (4, 1), (4, 2), (4, 3), (4, 4)];

/// Measured on llvmpipe (Mesa 22.3, AVX2) with products of 128 to 1024, 1 to 512 samples: a load takes 12 multiply-adds, a
/// store 100, and twice that where more than 16 rows of 512 and longer are written side by side, for at widths that are powers
/// of two they meet in the same few sets of the cache. Registers are no limit, since the accumulators live in the first-level
/// cache anyway; the time to compile is: 256 accumulators take 0.6 s, 512 take 1.5 s and make two-number products a sixth
/// faster.
const SOFTWARE: Costs = Costs {
    load: 12.0,
    fetch: 12.0,
    staged: 12.0,
    barrier: 2000.0,
    store: 100.0,
    streams: 16,
    long_row: 512,
    trip: 8.0,
    busy: 4,
    wake: 100_000.0,
    registers: 512,
    scalar_registers: 128,
    crowded: u32::MAX,
    totals: false,
    tiles: &[
        Tiles { steps: &[0], workgroups: &[(8, 1)], shapes: SMALL },
        Tiles {
            steps: &[0],
            workgroups: &[(8, 1)],
            shapes: &[(8, 1), (8, 2), (8, 3), (8, 4), (16, 1), (16, 2), (16, 3), (16, 4)],
        },
    ],
};

/// Not measured yet; counted. The workgroup family makes what is large: of 8×8 sums an invocation needs 4 vec4s from
/// workgroup memory for 64 multiply-adds. The register family makes what is small or narrow.
const INTEGRATED: Costs = Costs {
    load: 16.0,
    fetch: 32.0,
    staged: 4.0,
    barrier: 50.0,
    store: 16.0,
    streams: u32::MAX,
    long_row: 1,
    trip: 8.0,
    busy: 64,
    wake: 0.0,
    registers: 128,
    scalar_registers: 64,
    crowded: 96,
    totals: true,
    tiles: &[
        Tiles {
            steps: &[0],
            workgroups: &[(64, 1), (16, 4), (8, 8)],
            shapes: &[(1, 1), (2, 1), (4, 1), (4, 2), (8, 1)],
        },
        Tiles {
            steps: &[4, 8, 16],
            workgroups: &[(8, 8), (16, 4), (8, 16), (16, 8), (16, 16)],
            shapes: &[(4, 1), (4, 2), (8, 1), (8, 2)],
        },
    ],
};

/// Not measured yet: as [`INTEGRATED`], with more workgroups to keep busy.
const DISCRETE: Costs = Costs { busy: 256, ..INTEGRATED };

impl Costs {
    fn of(class: DeviceClass) -> &'static Costs {
        match class {
            DeviceClass::Software => &SOFTWARE,
            DeviceClass::Integrated => &INTEGRATED,
            DeviceClass::Discrete => &DISCRETE,
        }
    }

    fn registers(&self, sizes: &Sizes) -> u32 {
        match (sizes.vectors, sizes.numbers) {
            (false, _) => self.scalar_registers,
            // Sums over positions with u, squared at each sample's end: at the full number a compiler gives up.
            (true, 3..) if sizes.step == 1 && !self.totals => self.registers / 4 * 3,
            // Measured: a tile of half the size is faster, whatever the batch.
            (true, 2) if sizes.kind == TileUse::Parameters && !self.totals => self.registers / 2,
            (true, _) => self.registers,
        }
    }

    /// Accumulators of an invocation for each sum that it makes.
    fn held(&self, sizes: &Sizes) -> u32 {
        if self.totals && sizes.long { 2 * sizes.numbers } else { sizes.numbers }
    }

    /// Multiply-adds that take as long as the product does in this tile.
    fn estimate(&self, tile: Tile, sizes: &Sizes) -> f64 {
        let (rows, vectors, p) = (f64::from(tile.rows), f64::from(tile.vectors), f64::from(sizes.numbers));
        let groups = tile.grid(sizes.m, sizes.n).1;
        let awake = f64::from(groups.min(self.busy)) * f64::from(self.busy) * self.wake;
        let groups = f64::from(groups.max(self.busy));
        let products = f64::from(tile.sums()) * p;
        let (steps, one) = match tile.family {
            Family::Registers => {
                let step = f64::from(sizes.step);
                let loads = rows * p * if sizes.step == 1 { 0.25 } else { 1.0 / step } + vectors;
                (f64::from(sizes.terms()), self.trip / step + self.load * loads + products)
            }
            Family::Workgroup { steps, buffers } => {
                let (a, b) = tile.sides();
                let fetched = f64::from(sizes.numbers * a + b) / f64::from(tile.lanes());
                let moved = (self.fetch + self.staged) * fetched + self.staged * (p * rows / 4.0 + vectors);
                // With one buffer all wait while it is filled.
                let waits = if buffers == 1 { 3.0 } else { 1.0 };
                let stage = self.trip + self.barrier * waits;
                let stages = f64::from(sizes.k.div_ceil(steps)) * f64::from(sizes.segments);
                (stages * f64::from(steps), stage / f64::from(steps) + moved + products)
            }
            Family::Cooperative { steps, .. } => {
                let (a, b) = (f64::from(tile.height) * rows / 4.0, f64::from(tile.width) * vectors);
                // Four stores of single elements.
                let moved = (self.fetch + 4.0 * self.staged) * (p * a + b) / f64::from(tile.lanes());
                let stage = self.trip + 2.0 * self.barrier;
                let stages = f64::from(sizes.k.div_ceil(steps));
                let one = stage / f64::from(steps) + moved + products / cooperative::FASTER;
                (stages * f64::from(steps), one)
            }
        };
        let streams = self.streams.saturating_mul((self.long_row / sizes.n.max(1)).max(1));
        let store = if tile.rows * sizes.numbers > streams { 2.0 * self.store } else { self.store };
        let crowd = if tile.sums() * self.held(sizes) > self.crowded { 1.25 } else { 1.0 };
        awake + crowd * groups * f64::from(tile.lanes()) * (steps * one + store * rows * vectors * p)
    }
}

impl Tiles {
    fn all(&self) -> impl Iterator<Item = Tile> {
        let with = |steps, (width, height): (u32, u32), (rows, vectors): (u32, u32)| {
            let families = match steps {
                0 => [Some(Family::Registers), None],
                steps => [2, 1].map(|buffers| Some(Family::Workgroup { steps, buffers })),
            };
            let tile = move |family| Tile { family, rows, vectors, width, height };
            families.into_iter().flatten().map(tile)
        };
        self.shapes.iter().flat_map(move |shape| {
            self.workgroups
                .iter()
                .flat_map(move |group| self.steps.iter().flat_map(move |steps| with(*steps, *group, *shape)))
        })
    }
}

/// How much more work than in its best tile a product may be, if that saves a dispatch. A guess.
const WORTH: f64 = 1.1;

impl Tuning<'_> {
    /// The table's tile for a product, else the one with the least estimated work.
    pub(crate) fn choose(&self, sizes: &Sizes) -> Tile {
        self.measured(sizes).or_else(|| self.by_matrices(sizes)).unwrap_or_else(|| self.guess(sizes))
    }

    fn measured(&self, sizes: &Sizes) -> Option<Tile> {
        self.table.and_then(|table| table.find(sizes, |tile| self.can(tile, sizes)))
    }

    /// Tiles of one shape of workgroup for two products that are to stand in one dispatch, each with its own tile: those, if
    /// they are so, else the least estimated work, if that is a tenth more at most and none of the two was measured.
    pub(crate) fn choose_together(&self, one: (Tile, Sizes), other: (Tile, Sizes)) -> Option<(Tile, Tile)> {
        let shape = |tile: &Tile| (tile.width, tile.height);
        if shape(&one.0) == shape(&other.0) {
            return Some((one.0, other.0));
        }
        if self.measured(&one.1).or_else(|| self.measured(&other.1)).is_some() {
            return None;
        }
        let costs = Costs::of(self.class);
        let best = |sizes: &Sizes, wanted: (u32, u32)| {
            let tiles = self.plain(sizes).filter(|tile| shape(tile) == wanted);
            let estimates = tiles.map(|tile| (costs.estimate(tile, sizes), tile));
            estimates.min_by(|a, b| a.0.total_cmp(&b.0))
        };
        let shapes = costs.tiles.iter().flat_map(|tiles| tiles.workgroups);
        let pairs = shapes.filter_map(|wanted| {
            let ((cost, tile), (other_cost, other_tile)) = (best(&one.1, *wanted)?, best(&other.1, *wanted)?);
            Some((cost + other_cost, (tile, other_tile)))
        });
        let (cost, tiles) = pairs.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let apart = costs.estimate(one.0, &one.1) + costs.estimate(other.0, &other.1);
        (cost <= WORTH * apart).then_some(tiles)
    }

    /// The tile, if it has all columns of its rows; else the one with the least estimated work that has, if that is a tenth
    /// more at most and it was not measured.
    pub(crate) fn choose_whole_rows(&self, tile: Tile, sizes: &Sizes) -> Option<Tile> {
        let whole = |tile: &Tile| tile.grid(sizes.m, sizes.n).0 == 1;
        if whole(&tile) {
            return Some(tile);
        }
        if self.measured(sizes).is_some() {
            return None;
        }
        let costs = Costs::of(self.class);
        let estimate = |tile: &Tile| costs.estimate(*tile, sizes);
        let best = self.plain(sizes).filter(whole).min_by(|a, b| estimate(a).total_cmp(&estimate(b)));
        best.filter(|best| estimate(best) <= WORTH * estimate(&tile))
    }

    /// By matrix units, where they may be used and the product is worth it.
    fn by_matrices(&self, sizes: &Sizes) -> Option<Tile> {
        let costs = Costs::of(self.class);
        let estimate = |tile: &Tile| costs.estimate(*tile, sizes);
        let tiles = self.cooperative(sizes).filter(|_| cooperative::pays(sizes));
        tiles.min_by(|a, b| estimate(a).total_cmp(&estimate(b)))
    }

    fn guess(&self, sizes: &Sizes) -> Tile {
        let costs = Costs::of(self.class);
        let estimate = |tile: &Tile| costs.estimate(*tile, sizes);
        let best = self.plain(sizes).min_by(|a, b| estimate(a).total_cmp(&estimate(b)));
        best.unwrap_or(Tile::SLIM)
    }

    /// Every tile that the class has on offer and the device can make.
    pub(crate) fn legal(&self, sizes: &Sizes) -> impl Iterator<Item = Tile> {
        self.plain(sizes).chain(self.cooperative(sizes))
    }

    /// Those of matrix units.
    fn cooperative(&self, sizes: &Sizes) -> impl Iterator<Item = Tile> {
        let tiles = self.allowed.cooperative.into_iter().flat_map(Cooperative::tiles);
        tiles.filter(move |tile| {
            // The teams' sums, and what invocations have collected of them.
            2 * tile.sums() * sizes.numbers <= Costs::of(self.class).registers(sizes)
                && self.can(*tile, sizes)
        })
    }

    /// Those without.
    fn plain(&self, sizes: &Sizes) -> impl Iterator<Item = Tile> {
        let costs = Costs::of(self.class);
        let held = costs.held(sizes);
        let most = costs.registers(sizes);
        let tiles = costs.tiles.iter().flat_map(Tiles::all);
        tiles.filter(move |tile| tile.sums() * held <= most && self.can(*tile, sizes))
    }

    /// Whether the device and the shaders can make a tile.
    pub(crate) fn can(&self, tile: Tile, sizes: &Sizes) -> bool {
        let (a, b) = tile.sides();
        let family = match tile.family {
            Family::Registers => sizes.step > 1 || tile.rows.is_multiple_of(4),
            // Whole rows of invocations stage whole rows of blocks.
            Family::Workgroup { .. } => {
                tile.rows.is_multiple_of(4)
                    && tile.lanes().is_multiple_of(a)
                    && tile.lanes().is_multiple_of(b)
            }
            Family::Cooperative { matrices, .. } => {
                self.allowed.cooperative == Some(matrices)
                    && matches!(sizes.kind, TileUse::Forward | TileUse::Signal)
                    && matrices.share(tile).is_some()
            }
        };
        family && tile.workgroup(sizes.numbers).fits(&self.allowed)
    }

    /// Fewer workgroups than this leave the machine partly idle.
    pub(crate) fn busy(&self) -> u32 {
        Costs::of(self.class).busy
    }

    /// The same without a table.
    pub(crate) fn shipped(&self) -> Tuning<'static> {
        Tuning { class: self.class, table: None, allowed: self.allowed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(numbers: u32, [m, n, k]: [u32; 3]) -> Sizes {
        let kind = TileUse::Signal;
        Sizes { kind, numbers, m, n, k, segments: 1, step: 4, vectors: true, long: false }
    }

    #[test]
    fn legal_tiles_keep_to_what_the_device_allows() {
        for (class, numbers, long) in DeviceClass::ALL
            .into_iter()
            .flat_map(|class| (1..=4).flat_map(move |p| [false, true].map(move |long| (class, p, long))))
        {
            let sizes = Sizes { long, ..sizes(numbers, [512; 3]) };
            for storage in [16_384, 16_352, 4096, 0] {
                let allowed = Allowed { storage, invocations: [128, 128, 8], cooperative: None };
                let tuning = Tuning { allowed, ..class.into() };
                let mut found = 0;
                for tile in tuning.legal(&sizes) {
                    assert!(tile.storage(numbers) <= storage && tile.lanes() <= 128 && tile.height <= 8);
                    let registers = 4 * tile.rows * tile.vectors * numbers * (1 + u32::from(long));
                    assert!(class == DeviceClass::Software || registers <= 128, "{}", tile);
                    found += 1;
                }
                assert!(found > 0, "{class:?} {numbers} {storage}");
            }
        }
    }

    /// Bytes of workgroup memory as they stand in the shader.
    #[test]
    fn storage_is_what_the_shader_declares() {
        let family = Family::Workgroup { steps: 8, buffers: 2 };
        let tile = Tile { family, rows: 8, vectors: 2, width: 8, height: 16 };
        // 128 rows of A for each number, 64 columns of B, 8 steps, twice.
        assert_eq!(tile.storage(1), 4 * (128 + 64) * 8 * 2);
        assert_eq!(tile.storage(3), 4 * (3 * 128 + 64) * 8 * 2);
    }

    /// What the tuner found on llvmpipe: the estimate comes to the same.
    #[test]
    fn software_gets_what_was_measured() {
        use TileUse::{Forward, Parameters, Signal};
        for (kind, numbers, size, best) in [
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
            let sizes = Sizes { kind, step, ..sizes(numbers, size) };
            let chosen = Tuning::from(DeviceClass::Software).choose(&sizes);
            assert_eq!(chosen.to_string(), best, "{} of {numbers}, {size:?}", kind.name());
        }
    }

    #[test]
    fn gpus_stage_what_is_large_and_software_nothing() {
        for (class, numbers) in
            DeviceClass::ALL.into_iter().flat_map(|class| (1..=4).map(move |p| (class, p)))
        {
            let staged = |size| {
                let tile = Tuning::from(class).choose(&sizes(numbers, size));
                matches!(tile.family, Family::Workgroup { .. })
            };
            assert_eq!(staged([2048; 3]), class != DeviceClass::Software, "{class:?} {numbers}");
            assert!(!staged([1, 512, 784]), "{class:?} {numbers}");
        }
    }
}
