//! Hash grids on the CPU.

use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};
use crate::model::{GridLevel, HashGrid};

#[derive(Debug)]
pub(crate) struct Interpolate {
    pub grid: HashGrid,
    pub axes: usize,
    pub levels: Vec<GridLevel>,
}

/// The most corners of a cell.
const MOST_CORNERS: usize = 8;

/// The cell of a level that a point lies in: along each axis its first corner, and how far behind that the point is.
struct Cell {
    first: [usize; 3],
    right: [f32; 3],
}

impl Interpolate {
    fn corners(&self) -> usize {
        1 << self.axes
    }

    fn outputs(&self) -> usize {
        self.levels.len() * self.grid.features
    }

    fn cell(&self, level: usize, point: &[f32]) -> Cell {
        let cells = self.levels[level].cells;
        let mut cell = Cell { first: [0; 3], right: [0.0; 3] };
        for (axis, x) in point.iter().enumerate() {
            let t = x.clamp(0.0, 1.0) * cells as f32;
            cell.first[axis] = (t as usize).min(cells - 1);
            cell.right[axis] = t - cell.first[axis] as f32;
        }
        cell
    }

    /// Where the numbers of a corner's row begin.
    fn row(&self, level: usize, cell: &Cell, corner: usize) -> usize {
        let place: [usize; 3] = std::array::from_fn(|axis| cell.first[axis] + (corner >> axis & 1));
        self.levels[level].row(&place[..self.axes]) * self.grid.features
    }

    /// The product of a corner's shares along all axes but one.
    fn share(&self, cell: &Cell, corner: usize, without: Option<usize>) -> f32 {
        let along = |axis: usize| {
            let right = cell.right[axis];
            if corner >> axis & 1 == 1 { right } else { 1.0 - right }
        };
        (0..self.axes).filter(|axis| Some(*axis) != without).map(along).product()
    }
}

impl SampleOp for Interpolate {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let points = inputs[0].chunks_exact(self.axes);
        for (point, z) in points.zip(output.chunks_exact_mut(self.outputs())) {
            for (level, z) in z.chunks_exact_mut(self.grid.features).enumerate() {
                let cell = self.cell(level, point);
                z.fill(0.0);
                for corner in 0..self.corners() {
                    let share = self.share(&cell, corner, None);
                    let row = &call.weight[self.row(level, &cell, corner)..];
                    z.iter_mut().zip(row).for_each(|(z, w)| *z += share * w);
                }
            }
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let (axes, features) = (self.axes, self.grid.features);
        to.iter_mut().for_each(|to| to.fill(0.0));
        for (n, point) in call.input.chunks_exact(axes).enumerate() {
            for level in 0..self.levels.len() {
                let (cell, first) = (self.cell(level, point), n * self.outputs() + level * features);
                for axis in (0..axes).filter(|axis| !(point[*axis] < 0.0 || point[*axis] > 1.0)) {
                    let mut slopes = [0.0; MOST_CORNERS];
                    for corner in 0..self.corners() {
                        let share = self.share(&cell, corner, Some(axis)) * self.levels[level].cells as f32;
                        let share = if corner >> axis & 1 == 1 { share } else { -share };
                        let row = &call.weight[self.row(level, &cell, corner)..][..features];
                        slopes.iter_mut().zip(row).for_each(|(slope, w)| *slope += share * w);
                    }
                    for (component, (s, to)) in signal.iter().zip(&mut *to).enumerate() {
                        let squared = is_diagonal(component, signal.len());
                        for (s, slope) in s[first..][..features].iter().zip(slopes) {
                            to[n * axes + axis] += s * if squared { slope * slope } else { slope };
                        }
                    }
                }
            }
        }
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn work(&self) -> usize {
        16 * self.corners() * self.outputs()
    }
}

impl Weighted for Interpolate {
    fn sizes(&self) -> [usize; 2] {
        [self.grid.table() * self.outputs(), 0]
    }

    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, _: &mut [f32]) {
        let features = self.grid.features;
        let Sums { gradient, diagonal, .. } = sums;
        for (n, point) in x.chunks_exact(self.axes).enumerate() {
            for level in 0..self.levels.len() {
                let (cell, first) = (self.cell(level, point), n * self.outputs() + level * features);
                let rows: [usize; MOST_CORNERS] =
                    std::array::from_fn(|corner| match corner < self.corners() {
                        true => self.row(level, &cell, corner),
                        false => usize::MAX,
                    });
                for corner in 0..self.corners() {
                    // Corners that share a row count together, at the first of them.
                    let row = rows[corner];
                    if rows[..corner].contains(&row) {
                        continue;
                    }
                    let alike = (corner..self.corners()).filter(|other| rows[*other] == row);
                    let share: f32 = alike.map(|other| self.share(&cell, other, None)).sum();
                    for (component, s) in signal.iter().enumerate() {
                        let to = if component == 0 { &mut gradient[0] } else { &mut diagonal[0] };
                        let terms = s[first..][..features].iter();
                        to[row..].iter_mut().zip(terms).for_each(|(to, s)| {
                            *to += match component {
                                0 => share * s,
                                _ if is_diagonal(component, signal.len()) => share * share * s,
                                _ => share * s * (share * s),
                            };
                        });
                    }
                }
            }
        }
    }
}
