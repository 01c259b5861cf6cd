//! A grid of learned features in several resolutions, fine ones by hashes.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Features of points, learned on grids of several resolutions: a multiresolution hash encoding (Müller et al., *Instant Neural
/// Graphics Primitives*, 2022, arXiv 2201.05989). The inputs are points in `[0, 1]²` or `[0, 1]³`, `[2]` or `[3]`; what lies
/// outside is taken to the edge. They become `[levels · features]`, level by level.
///
/// Level l has `⌊base · growth^l⌋` cells along each axis. Each corner of a cell has a row of `features` numbers in the level's
/// table of `2^log2_table` rows: of its own where all corners fit, else shared by a hash of its place. A point's features are those
/// of the corners around it, interpolated linearly along each axis. The weight is `[levels, 2^log2_table, features]`.
///
/// The layer stands at the network's input; only what leaves the numbers as they are may come before it. Outputs are linear in the
/// table: where corners of one level share a row, the row counts with their shares' sum F, and has `Σ_n F g`, `Σ_n F² h` of its
/// features. These are added up in the order of the samples, so their bits are the same every time. The signal at the inputs, if it
/// is asked for, is that of a function linear along each axis.
///
/// In training a plan on a GPU takes up to 4,194,304 corners a batch, of which a point has 4 or 8 in each level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct HashGrid {
    /// Resolutions, at most 32.
    pub levels: usize,
    /// Numbers of a row, at most 8.
    pub features: usize,
    /// The binary logarithm of a level's rows, at most 24.
    pub log2_table: usize,
    /// Cells along an axis of the coarsest level.
    pub base: usize,
    /// The factor of cells from each level to the next, at least 1. The finest may have 2²⁰ along an axis.
    pub growth: f64,
}

/// Cells along an axis: in the last of more a point would have few digits left.
const MOST_CELLS: f64 = (1 << 20) as f64;

/// A level of a grid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GridLevel {
    /// Along an axis.
    pub cells: usize,
    /// Whether each corner has a row of its own.
    pub dense: bool,
    /// Its first row within the weight.
    first: usize,
    mask: usize,
}

impl GridLevel {
    /// The row of a corner, within the weight.
    pub(crate) fn row(&self, corner: &[usize]) -> usize {
        let place = || corner.iter().rev().fold(0, |place, q| place * (self.cells + 1) + q);
        let each = corner.iter().zip(HashGrid::PRIMES).map(|(q, prime)| (*q as u32).wrapping_mul(prime));
        let hash = || each.fold(0, |hash, q| hash ^ q) as usize & self.mask;
        self.first + if self.dense { place() } else { hash() }
    }
}

impl HashGrid {
    /// Two features in each of 16 levels of up to 2¹⁴ rows, from 16 cells along an axis to 512.
    pub fn new() -> HashGrid {
        let growth = 32.0_f64.powf(1.0 / 15.0);
        HashGrid { levels: 16, features: 2, log2_table: 14, base: 16, growth }
    }

    setters! {
        /// Resolutions.
        levels(levels: usize) => levels;
        /// Numbers of a row.
        features(features: usize) => features;
        /// The binary logarithm of a level's rows.
        log2_table(log2_table: usize) => log2_table;
        /// Cells along an axis of the coarsest level.
        base(base: usize) => base;
        /// The factor of cells from each level to the next.
        growth(growth: f64) => growth;
    }

    /// What the place along each axis is multiplied by, as in the paper.
    pub(crate) const PRIMES: [u32; 3] = [1, 2_654_435_761, 805_459_861];

    /// Rows of a level.
    pub(crate) fn table(&self) -> usize {
        1 << self.log2_table
    }

    /// Cells along an axis, with so little more that a product which should be a whole number is not just below it.
    fn cells(&self, level: usize) -> f64 {
        (self.base as f64 * self.growth.powi(level as i32) * (1.0 + 1e-12)).floor()
    }

    /// A level of a grid with so many axes.
    pub(crate) fn level(&self, level: usize, axes: usize) -> GridLevel {
        let cells = self.cells(level) as usize;
        let corners = (cells + 1).checked_pow(axes as u32);
        let dense = corners.is_some_and(|corners| corners <= self.table());
        GridLevel { cells, dense, first: level * self.table(), mask: self.table() - 1 }
    }

    /// The output's shape for an input of shape `input`.
    pub(super) fn output_shape(&self, name: &str, input: &[usize]) -> Result<Vec<usize>> {
        let limits = [
            ("levels", self.levels, 32, "at most 32"),
            ("features", self.features, 8, "at most 8"),
            ("log2_table", self.log2_table, 24, "at most 24"),
            ("base", self.base, MOST_CELLS as usize, "at most 2^20"),
        ];
        for (what, value, most, needed) in limits {
            if value == 0 {
                return Err(Error::zero_size(name, what));
            }
            if value > most {
                return Err(Error::value(name, what, value as f64, needed));
            }
        }
        let finest = self.cells(self.levels - 1);
        if !(self.growth >= 1.0 && self.growth.is_finite() && finest <= MOST_CELLS) {
            let needed = "at least 1, and such that the finest level has at most 2^20 cells";
            return Err(Error::value(name, "growth", self.growth, needed));
        }
        match input {
            [2 | 3] => Ok(vec![self.levels * self.features]),
            _ => Err(Error::shape(name, input, "[2] or [3], points")),
        }
    }
}

impl Default for HashGrid {
    fn default() -> HashGrid {
        HashGrid::new()
    }
}
