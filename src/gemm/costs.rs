//! A cost model for each class of device: the tiles on offer, and an estimate of a product's time in each.

use super::cooperative;
use super::sizes::{Sizes, TileUse};
use super::tile::{Family, Tile};
use crate::shader::DeviceClass;

/// What a class of device can do, in units of one multiply-add of one invocation.
pub(super) struct Costs {
    /// One vec4 load from storage, by invocations of which some load the same.
    load: f64,
    /// One vec4 load from storage that no other invocation of the workgroup makes.
    fetch: f64,
    /// One vec4 into workgroup memory or from there.
    staged: f64,
    barrier: f64,
    store: f64,
    /// Stores cost twice as much where an invocation writes more long rows than this.
    streams: u32,
    /// Numbers of a long row. Of rows that are n times shorter an invocation may write n times as many.
    long_row: u32,
    trip: f64,
    /// Fewer workgroups than this leave the machine partly idle.
    pub(super) busy: u32,
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
    /// A dispatch.
    pub(super) launch: f64,
    tiles: &'static [Tiles],
    /// Workgroups of the sliced family: invocations along columns, and slices.
    sliced: &'static [(u32, u32)],
}

/// Tiles on offer: every shape with every workgroup.
pub(super) struct Tiles {
    /// Steps of a stage; 0 for the register family.
    steps: &'static [u32],
    /// Invocations along columns and rows.
    workgroups: &'static [(u32, u32)],
    /// Rows and vec4 columns of an invocation.
    shapes: &'static [(u32, u32)],
}

/// Rows and vec4 columns of an invocation of the sliced family. Three columns are for last layers of few classes.
const SLICED: &[(u32, u32)] =
    &[(1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (2, 2), (4, 2), (1, 3), (2, 3), (4, 3), (8, 3)];

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
    launch: 0.0,
    // Barriers are dear.
    sliced: &[],
    tiles: &[
        Tiles { steps: &[0], workgroups: &[(8, 1)], shapes: SMALL },
        Tiles {
            steps: &[0],
            workgroups: &[(8, 1)],
            shapes: &[(8, 1), (8, 2), (8, 3), (8, 4), (16, 1), (16, 2), (16, 3), (16, 4)],
        },
    ],
};

/// Not measured yet; counted. The workgroup family is for large products: for 8×8 sums an invocation needs 4 vec4s from workgroup
/// memory for 64 multiply-adds. The register family is for small or narrow ones, the sliced one for those with few samples or
/// outputs. A launch is 2 µs of 3,000 multiply-adds a nanosecond.
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
    launch: 6e6,
    sliced: &[
        (1, 64),
        (2, 32),
        (4, 16),
        (8, 8),
        (1, 128),
        (2, 64),
        (4, 32),
        (8, 16),
        (2, 128),
        (4, 64),
        (8, 32),
        (16, 16),
    ],
    tiles: &[
        Tiles {
            steps: &[0],
            workgroups: &[(64, 1), (16, 4), (8, 8), (64, 2), (64, 4)],
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
const DISCRETE: Costs = Costs { busy: 256, launch: 24e6, ..INTEGRATED };

impl Costs {
    pub(super) fn of(class: DeviceClass) -> &'static Costs {
        match class {
            DeviceClass::Software => &SOFTWARE,
            DeviceClass::Integrated => &INTEGRATED,
            DeviceClass::Discrete => &DISCRETE,
        }
    }

    pub(super) fn registers(&self, sizes: &Sizes) -> u32 {
        match (sizes.vectors, sizes.components) {
            (false, _) => self.scalar_registers,
            // Sums over positions with u, squared at each sample's end: at the full number a compiler gives up.
            (true, 3..) if sizes.step == 1 && !self.totals => self.registers / 4 * 3,
            // Measured: a tile of half the size is faster, whatever the batch.
            (true, 2) if sizes.kind == TileUse::Parameters && !self.totals => self.registers / 2,
            (true, _) => self.registers,
        }
    }

    /// Accumulators of an invocation for each sum that it makes.
    pub(super) fn held(&self, sizes: &Sizes) -> u32 {
        if self.totals && sizes.long { 2 * sizes.components } else { sizes.components }
    }

    /// Multiply-adds that take as long as the product does in this tile.
    pub(super) fn estimate(&self, tile: Tile, sizes: &Sizes) -> f64 {
        let (rows, vectors, p) = (f64::from(tile.rows), f64::from(tile.vectors), f64::from(sizes.components));
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
                let fetched = f64::from(sizes.components * a + b) / f64::from(tile.lanes());
                let moved = (self.fetch + self.staged) * fetched + self.staged * (p * rows / 4.0 + vectors);
                // With one buffer all wait while it is filled.
                let waits = if buffers == 1 { 3.0 } else { 1.0 };
                let stage = self.trip + self.barrier * waits;
                let stages = f64::from(sizes.k.div_ceil(steps)) * f64::from(sizes.segments);
                (stages * f64::from(steps), stage / f64::from(steps) + moved + products)
            }
            Family::Sliced => return self.estimate_sliced(tile, sizes),
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
        let store = if tile.rows * sizes.components > streams { 2.0 * self.store } else { self.store };
        let crowd = if tile.sums() * self.held(sizes) > self.crowded { 1.25 } else { 1.0 };
        awake + crowd * groups * f64::from(tile.lanes()) * (steps * one + store * rows * vectors * p)
    }

    /// The same of the sliced family. Here a workgroup keeps as much of the machine busy as it has invocations.
    fn estimate_sliced(&self, tile: Tile, sizes: &Sizes) -> f64 {
        let (rows, vectors, p) = (f64::from(tile.rows), f64::from(tile.vectors), f64::from(sizes.components));
        let fours = f64::from(sizes.k.div_ceil(4).div_ceil(tile.height));
        let four =
            self.trip + 4.0 * vectors * self.fetch + rows * p * self.load + 4.0 * f64::from(tile.sums()) * p;
        let level = |fan: u32| if fan > 1 { self.barrier + f64::from(fan) * self.staged } else { 0.0 };
        let tree = level(tile.height.min(16)) + level(tile.height / 16);
        let sums = p * (rows * vectors * self.staged + tree + self.store);
        let crowd = if tile.sums() * self.held(sizes) > self.crowded { 1.25 } else { 1.0 };
        let lanes = f64::from(tile.grid(sizes.m, sizes.n).1) * f64::from(tile.lanes());
        crowd * lanes.max(64.0 * f64::from(self.busy)) * (fours * four + sums)
    }

    /// Every tile on offer.
    pub(super) fn offers(&self) -> impl Iterator<Item = Tile> {
        let sliced = SLICED.iter().flat_map(|shape| self.sliced.iter().map(move |group| (*shape, *group)));
        let sliced = sliced.map(|((rows, vectors), (width, height))| Tile {
            family: Family::Sliced,
            rows,
            vectors,
            width,
            height,
        });
        self.tiles.iter().flat_map(Tiles::all).chain(sliced)
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
