//! Matrix units (cooperative matrices): their block sizes, the tiles for them, and the products that should use them.

use super::sizes::Sizes;
use super::tile::{Family, Tile};
use crate::shader::Header;
use serde::{Deserialize, Serialize};

/// What the matrix units of a device multiply: blocks of `size` × `size` that the lanes of a subgroup hold together, with sums
/// in f32. [`Cooperative::of`] asks an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cooperative {
    /// Whether operands are f16, scaled by powers of two and rounded; else they are f32.
    pub half: bool,
    /// Rows and columns of a block: 8 or 16.
    pub size: u32,
    /// Lanes of the largest subgroup that the device may use.
    pub subgroup: u32,
}

/// How many multiply-adds the units make in the time of one. A guess; decides between their own tiles only.
pub(super) const FASTER: f64 = 8.0;

/// Whether a product is large enough for staging its operands to pay off. A guess: no such device has been measured.
pub(super) fn pays(sizes: &Sizes) -> bool {
    let Sizes { m, n, k, .. } = *sizes;
    m >= 16 && n >= 64 && k >= 64 && u64::from(m) * u64::from(n) * u64::from(k) >= 1 << 20
}

impl Cooperative {
    /// Tiles on offer: subgroups stand above each other, as Vulkan wants whole ones along x.
    pub(crate) fn tiles(self) -> impl Iterator<Item = Tile> {
        let shape = move |(rows, vectors), height| Tile {
            family: Family::Cooperative { matrices: self, steps: 16 },
            rows,
            vectors,
            width: self.subgroup,
            height,
        };
        let shapes = [(2, 1), (4, 1), (4, 2), (8, 1), (8, 2), (16, 1)];
        shapes.into_iter().flat_map(move |s| [1, 2, 4, 8].map(move |height| shape(s, height)))
    }

    /// Blocks along rows and columns that each subgroup owns, as square as possible; `None` if they do not divide evenly.
    pub(super) fn share(self, tile: Tile) -> Option<(u32, u32)> {
        let Cooperative { size, subgroup, .. } = self;
        let (rows, columns) = (tile.height * tile.rows, 4 * tile.width * tile.vectors);
        if !(rows.is_multiple_of(size) && columns.is_multiple_of(size) && tile.width.is_multiple_of(subgroup))
        {
            return None;
        }
        let (high, wide, teams) = (rows / size, columns / size, tile.lanes() / subgroup);
        let even = |down: &u32| {
            teams.is_multiple_of(*down) && high.is_multiple_of(*down) && wide.is_multiple_of(teams / down)
        };
        let shares = (1..=teams).filter(even).map(|down| (high / down, wide / (teams / down)));
        shares.min_by_key(|(high, wide)| high + wide)
    }

    /// Bytes of workgroup memory, as `cooperative.wgsl` declares it.
    pub(super) fn storage(self, tile: Tile, steps: u32, components: u32) -> u32 {
        let operand = if self.half { 2 } else { 4 };
        let (rows, columns) = (tile.height * tile.rows, 4 * tile.width * tile.vectors);
        let block = 4 * self.size * self.size;
        let staged = operand * steps * (components * rows + components.min(2) * columns);
        let largest = (4 * (components + 1)).next_multiple_of(16);
        // With the drawn subgroup numbers, and a flag that powers are chosen anew.
        staged + block * (tile.lanes() / self.subgroup + 1) + largest + 16 + 16
    }

    pub(super) fn check(self, tile: Tile, steps: u32) -> Result<(), String> {
        let Cooperative { size, subgroup, .. } = self;
        if ![8, 16].contains(&size) {
            return Err(format!("size is {size}; it must be 8 or 16"));
        }
        if !(subgroup.is_power_of_two() && (4..=128).contains(&subgroup)) {
            return Err(format!("subgroup is {subgroup}; it must be a power of two from 4 to 128"));
        }
        if ![16, 32].contains(&steps) {
            return Err(format!("steps is {steps}; it must be 16 or 32"));
        }
        match self.share(tile) {
            Some(_) => Ok(()),
            None => Err(format!("a tile of {tile} does not come out even")),
        }
    }

    /// Adds the type names and the WGSL extensions that they need to the header.
    pub(super) fn types(self, header: &mut Header) {
        header.enable("wgpu_cooperative_matrix");
        let operand = if self.half { "f16" } else { "f32" };
        if self.half {
            header.enable("f16");
        }
        header.alias("Operand", operand);
        for (name, of, role) in
            [("MatrixA", operand, "A"), ("MatrixB", operand, "B"), ("MatrixC", "f32", "C")]
        {
            header.alias(name, &format!("coop_mat{0}x{0}<{of}, {role}>", self.size));
        }
        header.number("SIDE", self.size).flag("HALF", self.half);
    }
}

/// `8x8 f16`.
impl std::fmt::Display for Cooperative {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{0}x{0} {1}", self.size, if self.half { "f16" } else { "f32" })
    }
}
