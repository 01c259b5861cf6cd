//! Tiles: the part of a product that one workgroup computes.

use super::cooperative::Cooperative;
use super::sizes::TileUse;
use crate::shader::Workgroup;
use serde::{Deserialize, Serialize};

/// How a workgroup makes its share of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Family {
    /// Every invocation by itself, from storage: `shaders/gemm/registers.wgsl`.
    Registers,
    /// Together, through workgroup memory: `shaders/gemm/workgroup.wgsl`.
    Workgroup {
        /// Steps along k that are staged at a time: a multiple of 4.
        steps: u32,
        /// 2: one stage is filled while the other is read. 1: for half the memory, a barrier more.
        buffers: u32,
        /// Parts of k, each summed by invocations of its own and then added as a tree: a power of two. More than 1 only for dense
        /// layers' [`TileUse::Forward`](crate::tuning::TileUse::Forward) and [`TileUse::Signal`](crate::tuning::TileUse::Signal).
        #[serde(default = "one")]
        slices: u32,
    },
    /// Several to a sum: each of those along the tile's height, a power of two up to 256, adds up a slice of k for all rows and its
    /// columns: `shaders/gemm/sliced.wgsl`. The sum's last bits depend on their number. Only for dense layers'
    /// [`TileUse::Forward`](crate::tuning::TileUse::Forward) and [`TileUse::Signal`](crate::tuning::TileUse::Signal).
    Sliced,
    /// Together, by matrix units: `shaders/gemm/cooperative.wgsl`. Only for dense layers'
    /// [`TileUse::Forward`](crate::tuning::TileUse::Forward) and [`TileUse::Signal`](crate::tuning::TileUse::Signal).
    Cooperative {
        /// What the units multiply.
        matrices: Cooperative,
        /// Steps along k that are staged at a time: 16 or 32.
        steps: u32,
    },
}

fn one() -> u32 {
    1
}

/// The shape of one workgroup's share of a product; see `shaders/gemm/gemm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// What it is made by.
    pub family: Family,
    /// Rows an invocation sums.
    pub rows: u32,
    /// vec4 columns an invocation sums.
    pub vectors: u32,
    /// Invocations along the columns.
    pub width: u32,
    /// Invocations along the rows; of [`Family::Sliced`], along k.
    pub height: u32,
}

/// What the last bits of a sum depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// One term after another.
    InTurn,
    /// In so many parts of k: `workgroup.wgsl`.
    Parts(u32),
    /// In so many parts, to which fours of k are dealt: `sliced.wgsl`.
    Dealt(u32),
    /// One after another, but biases in parts: `staged/side.wgsl`.
    Biases,
}

/// Invocations that share the terms of a bias, in the workgroup family.
pub(super) const BIAS_PARTS: u32 = 16;

impl Tile {
    /// For sums so short that only memory traffic counts, on software adapters.
    pub(crate) const SLIM: Tile =
        Tile { family: Family::Registers, rows: 4, vectors: 1, width: 8, height: 1 };

    pub(crate) fn is_cooperative(self) -> bool {
        matches!(self.family, Family::Cooperative { .. })
    }

    /// Tiles along n, and in all, of an m × n product.
    pub(crate) fn grid(self, m: u32, n: u32) -> (u32, u32) {
        let along_n = n.div_ceil(4 * self.vectors * self.width);
        (along_n, along_n * m.div_ceil(self.high()))
    }

    /// Rows of a workgroup.
    pub(super) fn high(self) -> u32 {
        match self.family {
            Family::Sliced => self.rows,
            _ => self.rows * self.height,
        }
    }

    /// Rows and vec4 columns that an invocation finishes.
    pub(super) fn finished(self) -> (u32, u32) {
        match self.family {
            Family::Sliced => (1, 1),
            _ => (self.rows, self.vectors),
        }
    }

    /// Whether a sliced tile is one: slices that two levels add, and no invocation with more to finish than one vec4.
    pub(super) fn is_sliceable(self) -> bool {
        self.height.is_power_of_two() && self.height <= 256 && self.rows * self.vectors <= self.height
    }

    /// Slices of k that have invocations of their own.
    pub(super) fn slices(self) -> u32 {
        match self.family {
            Family::Workgroup { slices, .. } => slices,
            Family::Sliced => self.height,
            _ => 1,
        }
    }

    /// In which order a product for such a use is summed.
    pub(super) fn order(self, usage: TileUse) -> Order {
        match (self.family, usage) {
            (Family::Workgroup { .. }, TileUse::Parameters | TileUse::ConvolutionParameters) => Order::Biases,
            (Family::Workgroup { slices: 2.., .. }, _) => Order::Parts(self.slices()),
            (Family::Sliced, _) => Order::Dealt(self.slices()),
            _ => Order::InTurn,
        }
    }

    /// Invocations of a workgroup along x and y.
    pub(super) fn shape(self) -> [u32; 2] {
        match self.family {
            Family::Workgroup { slices, .. } => [self.width, self.height * slices],
            _ => [self.width, self.height],
        }
    }

    pub(crate) fn lanes(self) -> u32 {
        self.shape().into_iter().product()
    }

    /// vec4s of a bias that a workgroup sums: `side_one.wgsl`, `staged/side.wgsl`.
    pub(super) fn bias_lanes(self) -> u32 {
        match self.family {
            Family::Workgroup { .. } => self.lanes() / BIAS_PARTS,
            _ => self.lanes(),
        }
    }

    /// vec4s of A, of one component, and of B that a workgroup needs for one step along k.
    pub(super) fn sides(self) -> (u32, u32) {
        (self.height * self.rows / 4, self.width * self.vectors)
    }

    /// Accumulators of an invocation, of one component.
    pub(super) fn sums(self) -> u32 {
        4 * self.rows * self.vectors
    }

    /// Bytes of workgroup memory for `components` components of A.
    pub(crate) fn storage(self, components: u32) -> u32 {
        match self.family {
            Family::Cooperative { matrices, steps } => matrices.storage(self, steps, components),
            _ => self.staged(components).into_iter().sum(),
        }
    }

    /// Bytes staged of A (or of slices) and of B; 0 for the other families.
    fn staged(self, components: u32) -> [u32; 2] {
        let (a, b) = self.sides();
        match self.family {
            Family::Workgroup { steps, buffers, slices } => {
                [components * a, b].map(|fours| 16 * slices * buffers * steps * fours)
            }
            Family::Sliced => {
                let at_once = (self.sums() / 4).min((1024 / self.lanes()).max(1));
                [16 * at_once * self.lanes(), 0]
            }
            Family::Registers | Family::Cooperative { .. } => [0; 2],
        }
    }

    pub(crate) fn workgroup(self, components: u32) -> Workgroup {
        Workgroup::new(self.shape(), self.storage(components))
    }

    /// The workgroup of two products, each with its components, that share a dispatch and the staging memory.
    pub(crate) fn workgroup_of_both([one, other]: [(Tile, u32); 2]) -> Workgroup {
        let [staged, others] = [one, other].map(|(tile, components)| tile.staged(components));
        let bytes = staged.into_iter().zip(others).map(|(a, b)| a.max(b)).sum();
        Workgroup::new(one.0.shape(), bytes)
    }
}

/// `8x8 of 64x64`: sums of an invocation, of its workgroup; where those are staged ` in 2x16`, buffers and steps along k; where k
/// is shared out ` by 16`, slices.
impl std::fmt::Display for Tile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tile { rows, vectors, width, height, .. } = self;
        write!(f, "{rows}x{} of {}x{}", 4 * vectors, self.high(), 4 * vectors * width)?;
        match self.family {
            Family::Registers => Ok(()),
            Family::Sliced => write!(f, " by {height}"),
            Family::Workgroup { steps, buffers, slices: 1 } => write!(f, " in {buffers}x{steps}"),
            Family::Workgroup { steps, buffers, slices } => write!(f, " in {buffers}x{steps} by {slices}"),
            Family::Cooperative { matrices, steps } => write!(f, " in {steps} by {matrices}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of workgroup memory as they stand in the shader.
    #[test]
    fn storage_is_what_the_shader_declares() {
        let family = |slices| Family::Workgroup { steps: 8, buffers: 2, slices };
        let tile = Tile { family: family(1), rows: 8, vectors: 2, width: 8, height: 16 };
        // 128 rows of A for each number, 64 columns of B, 8 steps, twice.
        assert_eq!(tile.storage(1), 4 * (128 + 64) * 8 * 2);
        assert_eq!(tile.storage(3), 4 * (3 * 128 + 64) * 8 * 2);
        assert_eq!(Tile { family: family(4), ..tile }.storage(3), 4 * 4 * (3 * 128 + 64) * 8 * 2);
        // Up to eight rows of 8 columns at a time, of 64 slices.
        for rows in [2, 8, 16] {
            let sliced = Tile { family: Family::Sliced, rows, vectors: 1, width: 2, height: 64 };
            let at_once = rows.min(8);
            assert!((1..=4).all(|numbers| sliced.storage(numbers) == 4 * at_once * 8 * 64));
        }
    }
}
