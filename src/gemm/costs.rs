//! A cost model for each class of device: the tiles on offer, and an estimate of a product's time in each.

use super::cooperative;
use super::occupancy::Cores;
use super::sizes::{Sizes, TileUse};
use super::tile::{Family, Tile};
use crate::shader::DeviceClass;

/// What a class of device can do, in units of one multiply-add of one invocation.
pub(super) struct Costs {
    /// One vec4 load from storage, by invocations of which some load the same.
    load: f64,
    /// One vec4 load from storage that no other invocation of the workgroup makes.
    fetch: f64,
    /// The same by the sliced family, without workgroup memory.
    streamed: f64,
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
    /// Accumulators an invocation can hold of products of 1, 2, 3, 4 components.
    registers: [u32; 4],
    /// The same where elements are read one by one, for the code is longer then.
    scalar_registers: u32,
    /// A GPU's cores: they take turns, and with too few invocations at once all takes longer.
    cores: Option<Cores>,
    /// Whether the sums of runs that are done take as many again.
    totals: bool,
    /// A dispatch.
    pub(super) launch: f64,
    tiles: &'static [Offer],
    /// Workgroups of the sliced family: invocations along columns, and slices.
    sliced: &'static [(u32, u32)],
}

/// Tiles that are offered: every shape with every workgroup.
pub(super) struct Offer {
    /// Steps of a stage; 0 for the register family.
    steps: &'static [u32],
    /// Parts of k.
    slices: &'static [u32],
    /// Invocations of one part along columns and rows.
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
    streamed: 12.0,
    staged: 12.0,
    barrier: 2000.0,
    store: 100.0,
    streams: 16,
    long_row: 512,
    trip: 8.0,
    busy: 4,
    wake: 100_000.0,
    registers: [512; 4],
    scalar_registers: 128,
    cores: None,
    totals: false,
    launch: 0.0,
    // Barriers are dear.
    sliced: &[],
    tiles: &[
        Offer { steps: &[0], slices: &[1], workgroups: &[(8, 1)], shapes: SMALL },
        Offer {
            steps: &[0],
            slices: &[1],
            workgroups: &[(8, 1)],
            shapes: &[(8, 1), (8, 2), (8, 3), (8, 4), (16, 1), (16, 2), (16, 3), (16, 4)],
        },
    ],
};

/// Rows and vec4 columns of the register family on GPUs, for small or narrow products, and its workgroups.
const NARROW: Offer = Offer {
    steps: &[0],
    slices: &[1],
    workgroups: &[(64, 1), (16, 4), (8, 8), (64, 2), (64, 4)],
    shapes: &[(1, 1), (2, 1), (4, 1), (4, 2), (8, 1)],
};

/// The workgroup family where there would be too few workgroups: k is shared out.
const SHARED: Offer = Offer {
    steps: &[4, 8],
    slices: &[2, 4, 8],
    workgroups: &[(4, 2), (4, 4), (8, 2), (8, 4), (8, 8), (8, 16)],
    shapes: &[(4, 1), (4, 2)],
};

/// Of GPUs, not measured yet: counted. Every class has 4×4 of 32×32 by 64 invocations, 8 steps at a time, which others found to
/// reach four fifths of each of four GPUs' own best on average. Apart from that, what a class has on offer is what compilers for
/// its devices make without spilling.
///
/// Desktop GPUs: the workgroup family is for large products: for 8×8 sums an invocation needs 4 vec4s from workgroup memory for
/// 64 multiply-adds. The register family is for small or narrow products, the sliced one for those with few samples or outputs.
/// With 16 steps at a time there would be fewer than 16 warps on a multiprocessor of Ampere.
const DISCRETE: Costs = Costs {
    load: 16.0,
    fetch: 48.0,
    streamed: 64.0,
    staged: 6.0,
    barrier: 36.0,
    store: 16.0,
    streams: u32::MAX,
    long_row: 1,
    trip: 8.0,
    busy: 256,
    wake: 0.0,
    registers: [64, 64, 96, 128],
    scalar_registers: 64,
    cores: Some(Cores { count: 72, lanes: 128, registers: 65_536, memory: 65_536, most: 1536, wanted: 512 }),
    totals: true,
    // 2 µs of 128 multiply-adds a clock.
    launch: 4e5,
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
        NARROW,
        Offer {
            steps: &[4, 8],
            slices: &[1],
            workgroups: &[(8, 8), (16, 4), (8, 16), (16, 8), (16, 16)],
            shapes: &[(4, 1), (4, 2), (8, 1), (8, 2)],
        },
        SHARED,
    ],
};

/// AMD's cores are those of desktop GPUs, only fewer; on Intel's an invocation has 64 registers or 128.
const INTEGRATED: Costs = Costs {
    launch: 6e5,
    load: 32.0,
    fetch: 64.0,
    streamed: 32.0,
    staged: 8.0,
    busy: 64,
    cores: Some(Cores { count: 6, lanes: 128, registers: 65_536, memory: 65_536, most: 1536, wanted: 512 }),
    registers: [64; 4],
    scalar_registers: 32,
    tiles: &[
        NARROW,
        Offer {
            steps: &[4, 8],
            slices: &[1],
            workgroups: &[(8, 8), (16, 4), (8, 16), (16, 8), (16, 16)],
            shapes: &[(4, 1), (4, 2), (8, 1)],
        },
        SHARED,
    ],
    ..DISCRETE
};

/// M1: 128 registers for an invocation at most; with 96 sums its compiler spills, with 64 it does not. A core has 208 KiB of
/// registers and some 60 KiB of workgroup memory.
const APPLE: Costs = Costs {
    streamed: 64.0,
    launch: 8e5,
    staged: 16.0,
    cores: Some(Cores { count: 8, lanes: 128, registers: 53_248, memory: 61_440, most: 1024, wanted: 512 }),
    ..INTEGRATED
};

/// Adreno 730: 192 KiB of registers, 32 KiB of workgroup memory in a core. With 128 sums its compiler spills.
const MOBILE: Costs = Costs {
    launch: 2e6,
    load: 64.0,
    fetch: 128.0,
    streamed: 128.0,
    staged: 16.0,
    busy: 32,
    cores: Some(Cores { count: 4, lanes: 256, registers: 49_152, memory: 32_768, most: 1024, wanted: 512 }),
    tiles: &[
        NARROW,
        Offer {
            steps: &[4, 8],
            slices: &[1],
            workgroups: &[(8, 8), (16, 4), (8, 16), (16, 8)],
            shapes: &[(4, 1), (4, 2), (8, 1)],
        },
        SHARED,
    ],
    ..INTEGRATED
};

impl Costs {
    pub(super) fn of(class: DeviceClass) -> &'static Costs {
        match class {
            DeviceClass::Software => &SOFTWARE,
            DeviceClass::Integrated => &INTEGRATED,
            DeviceClass::Discrete => &DISCRETE,
            DeviceClass::Apple => &APPLE,
            DeviceClass::Mobile => &MOBILE,
        }
    }

    pub(super) fn registers(&self, sizes: &Sizes) -> u32 {
        let most = self.registers[sizes.components as usize - 1];
        match (sizes.vectors, sizes.components) {
            (false, _) => self.scalar_registers,
            // Sums over positions with u, squared at each sample's end: at the full number a compiler gives up.
            (true, 3..) if sizes.step == 1 && !self.totals => most / 4 * 3,
            // Measured: a tile of half the size is faster, whatever the batch.
            (true, 2) if sizes.kind == TileUse::Parameters && !self.totals => most / 2,
            (true, _) => most,
        }
    }

    /// Accumulators of an invocation for each sum that it makes.
    pub(super) fn held(&self, sizes: &Sizes) -> u32 {
        if self.totals && sizes.long { 2 * sizes.components } else { sizes.components }
    }

    /// Multiply-adds that take as long as the product does in this tile.
    pub(super) fn estimate(&self, tile: Tile, sizes: &Sizes) -> f64 {
        let (rows, vectors, p) = (f64::from(tile.rows), f64::from(tile.vectors), f64::from(sizes.components));
        let products = f64::from(tile.sums()) * p;
        let (steps, one) = match tile.family {
            Family::Registers => {
                let step = f64::from(sizes.step);
                let loads = self.load * self.loads(tile, sizes);
                (f64::from(sizes.terms()), self.trip / step + loads + products)
            }
            Family::Workgroup { steps, buffers, slices } => {
                let (a, b) = tile.sides();
                let fetched = f64::from(sizes.components * a + b) / f64::from(tile.width * tile.height);
                let read = self.staged * (fetched + p * rows / 4.0 + vectors);
                // With one buffer all wait while it is filled.
                let waits = if buffers == 1 { 3.0 } else { 1.0 };
                let stage = self.trip + self.barrier * waits;
                let stages = f64::from(sizes.k.div_ceil(slices * steps)) * f64::from(sizes.segments);
                // What is fetched and read for later overlaps.
                (
                    stages * f64::from(steps),
                    stage / f64::from(steps) + products.max(read).max(self.fetch * fetched),
                )
            }
            Family::Sliced => {
                let fours = f64::from(sizes.k.div_ceil(4).div_ceil(tile.height));
                (fours, self.sliced_step(tile, sizes).0)
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
        let store = if tile.rows * sizes.components > streams { 2.0 * self.store } else { self.store };
        let store = match tile.family {
            Family::Sliced => self.sliced_step(tile, sizes).1,
            _ => store * rows * vectors * p,
        };
        let groups = tile.grid(sizes.m, sizes.n).1;
        let Some(cores) = &self.cores else {
            let awake = f64::from(groups.min(self.busy)) * f64::from(self.busy) * self.wake;
            return awake
                + f64::from(groups.max(self.busy)) * f64::from(tile.lanes()) * (steps * one + store);
        };
        let parts = self.parts(groups, sizes);
        let kept = cores.kept(tile, sizes, self.held(sizes));
        let turns = cores.turns(groups * parts, tile.lanes(), kept);
        // A part's first stage is filled before anything is multiplied.
        let filled = match tile.family {
            Family::Workgroup { steps, .. } => f64::from(steps),
            _ => 0.0,
        };
        turns * f64::from(tile.lanes()) * ((steps / f64::from(parts) + filled) * one + store)
    }

    /// Parts that a sum is cut into, each made by workgroups of its own: a convolution's, to keep the machine busy.
    fn parts(&self, groups: u32, sizes: &Sizes) -> u32 {
        match sizes.kind {
            TileUse::ConvolutionParameters => self.busy.div_ceil(groups).min(sizes.segments),
            _ => 1,
        }
    }

    /// What the loads of A and B cost the register family for a step, in loads of neighbours side by side. On a GPU those that read
    /// the same, or the same line, share it, and weights lie along k in a forward product: each column is on a line of its own.
    fn loads(&self, tile: Tile, sizes: &Sizes) -> f64 {
        let step = f64::from(sizes.step);
        let of_a = f64::from(tile.rows * sizes.components) * if sizes.step == 1 { 0.25 } else { 1.0 / step };
        let of_b = f64::from(tile.vectors);
        if self.cores.is_none() {
            return of_a + of_b;
        }
        let side = f64::from(tile.width.min(32)) / 32.0;
        let scattered = matches!(sizes.kind, TileUse::Forward | TileUse::ConvolutionForward);
        0.25 * of_a / side + of_b * side * if scattered { 8.0 } else { 1.0 }
    }

    /// The same for a step of four of the sliced family, and for what an invocation does with its sums then.
    fn sliced_step(&self, tile: Tile, sizes: &Sizes) -> (f64, f64) {
        let (rows, vectors, p) = (f64::from(tile.rows), f64::from(tile.vectors), f64::from(sizes.components));
        let products = 4.0 * f64::from(tile.sums()) * p;
        let level = |fan: u32| if fan > 1 { self.barrier + f64::from(fan) * self.staged } else { 0.0 };
        let tree = level(tile.height.min(16)) + level(tile.height / 16);
        // Those that stand side by side read the same of A.
        let of_a = rows * p * (0.25 * self.load).max(self.streamed / f64::from(tile.width));
        // What is loaded does not go through workgroup memory, and overlaps with products.
        let four = self.trip + products.max(4.0 * vectors * self.streamed + of_a);
        (four, p * (rows * vectors * self.staged + tree + self.store))
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
        self.tiles.iter().flat_map(Offer::all).chain(sliced)
    }
}

impl Offer {
    pub(super) fn all(&self) -> impl Iterator<Item = Tile> {
        let with = |steps, slices, (width, height): (u32, u32), (rows, vectors): (u32, u32)| {
            let families = match steps {
                0 => [Some(Family::Registers), None],
                steps => [2, 1].map(|buffers| Some(Family::Workgroup { steps, buffers, slices })),
            };
            let tile = move |family| Tile { family, rows, vectors, width, height };
            families.into_iter().flatten().map(tile)
        };
        self.shapes.iter().flat_map(move |shape| {
            self.workgroups.iter().flat_map(move |group| {
                let slices =
                    self.slices.iter().flat_map(|slices| self.steps.iter().map(|steps| (*steps, *slices)));
                slices.flat_map(move |(steps, slices)| with(steps, slices, *group, *shape))
            })
        })
    }
}
