//! Tile shapes as data: which shapes a class of device may use, and how one is chosen for a product.

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

/// The shape of one workgroup's share of a product; see `shaders/gemm/gemm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    /// Rows an invocation owns (`TM`).
    pub rows: u32,
    /// vec4 columns an invocation owns (`V`).
    pub vectors: u32,
    /// Invocations along the columns (`WX`).
    pub width: u32,
    /// Invocations along the rows (`WY`).
    pub height: u32,
}

impl Tile {
    /// Tiles along n, and in all, of an m × n product.
    pub(crate) fn grid(self, m: u32, n: u32) -> (u32, u32) {
        let along_n = n.div_ceil(4 * self.vectors * self.width);
        (along_n, along_n * m.div_ceil(self.rows * self.height))
    }
}

/// What a class of device can do, in units of one multiply-add of one invocation.
struct Costs {
    /// One vec4 load.
    load: f64,
    /// One vec4 store.
    store: f64,
    /// Stores cost twice as much where an invocation writes more rows than this.
    streams: u32,
    /// One trip round the loop over k.
    trip: f64,
    /// Fewer workgroups than this leave the machine partly idle.
    busy: u32,
    /// Accumulators an invocation can hold; a quarter where elements are read one by one, for the code is longer then.
    registers: u32,
    /// Invocations along columns and rows, on offer.
    workgroups: &'static [(u32, u32)],
    /// Rows and vec4 columns on offer.
    shapes: &'static [(u32, u32)],
}

/// Measured on llvmpipe (Mesa 22.3, AVX2) with products of 128 to 1024: a load takes 12 multiply-adds, a store 100, and
/// twice that where more than 16 rows are written side by side, for at widths that are powers of two they meet in the same
/// few sets of the cache. Registers are no limit, since the accumulators live in the first-level cache anyway; the time to
/// compile is: 256 accumulators take 0.6 s, 512 take 1.5 s and make two-number products a sixth faster.
const SOFTWARE: Costs = Costs {
    load: 12.0,
    store: 100.0,
    streams: 16,
    trip: 8.0,
    busy: 4,
    registers: 512,
    workgroups: &[(8, 1)],
    shapes: &[
        (1, 1),
        (1, 2),
        (1, 4),
        (2, 2),
        (4, 1),
        (4, 2),
        (4, 3),
        (4, 4),
        (8, 1),
        (8, 2),
        (8, 3),
        (8, 4),
        (16, 1),
        (16, 2),
        (16, 3),
        (16, 4),
    ],
};

/// Not measured yet: 64 invocations, tiles that fit the registers.
const INTEGRATED: Costs = Costs {
    load: 4.0,
    store: 4.0,
    streams: u32::MAX,
    trip: 2.0,
    busy: 64,
    registers: 64,
    workgroups: &[(8, 8)],
    shapes: &[(1, 1), (4, 1), (4, 2), (8, 1), (8, 2)],
};

/// Not measured yet: as [`INTEGRATED`], with more workgroups to keep busy.
const DISCRETE: Costs = Costs { busy: 256, workgroups: &[(16, 8)], ..INTEGRATED };

/// The shape with the least estimated work for `a[m, k] · b[k, n]` with `numbers` per element of `a` and of the result.
/// `step` is the advance along k; with a step of 1, rows are read in fours. `vectors`: whether all is read in vec4s.
pub(crate) fn choose(
    class: DeviceClass,
    numbers: u32,
    step: u32,
    vectors: bool,
    [m, n, k]: [u32; 3],
) -> Tile {
    let costs = costs(class);
    let registers = match (vectors, numbers) {
        (false, _) => costs.registers / 4,
        // Sums over positions with u, squared at each sample's end: at the full number a compiler gives up.
        (true, 3..) if step == 1 => costs.registers / 4 * 3,
        (true, _) => costs.registers,
    };
    let estimate = |tile: &Tile| {
        let (rows, vectors, p) = (f64::from(tile.rows), f64::from(tile.vectors), f64::from(numbers));
        let tiles = f64::from(tile.grid(m, n).1.max(costs.busy));
        let loads = rows * p * if step == 1 { 0.25 } else { 1.0 / f64::from(step) } + vectors;
        let one = costs.trip / f64::from(step) + costs.load * loads + 4.0 * rows * vectors * p;
        let store = if tile.rows * numbers > costs.streams { 2.0 * costs.store } else { costs.store };
        tiles * (f64::from(k) * one + store * rows * vectors * p)
    };
    let (width, height) = costs.workgroups[0];
    let shapes = costs
        .shapes
        .iter()
        .filter(|(rows, vectors)| (step > 1 || rows % 4 == 0) && rows * vectors * 4 * numbers <= registers);
    shapes
        .flat_map(|&(rows, vectors)| {
            costs.workgroups.iter().map(move |&(width, height)| Tile { rows, vectors, width, height })
        })
        .min_by(|a, b| estimate(a).total_cmp(&estimate(b)))
        .unwrap_or(Tile { rows: 4, vectors: 1, width, height })
}

/// For sums so short that memory is all that counts, on software.
pub(crate) const SLIM: Tile = Tile { rows: 4, vectors: 1, width: 8, height: 1 };

fn costs(class: DeviceClass) -> &'static Costs {
    match class {
        DeviceClass::Software => &SOFTWARE,
        DeviceClass::Integrated => &INTEGRATED,
        DeviceClass::Discrete => &DISCRETE,
    }
}

/// Fewer workgroups than this leave the machine partly idle.
pub(crate) fn busy(class: DeviceClass) -> u32 {
    costs(class).busy
}
