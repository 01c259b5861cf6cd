//! Multiresolution hash grid: features of a point are those of the corners around it, with shares that are products over the axes.
//! It is linear in the table, and along each axis of the point within a cell.

use super::{Linear, Sums, Weighted, power};
use crate::model::HashGrid;
use crate::reference::Real;

pub(super) struct Interpolate<'a, T> {
    grid: HashGrid,
    axes: usize,
    /// `[levels, table, features]`
    weight: &'a [T],
}

/// A corner of a cell: its row, and its share along each axis.
struct Corner<T> {
    row: usize,
    /// Whether it is the further one along an axis.
    further: Vec<bool>,
    shares: Vec<T>,
}

impl<T: Real> Corner<T> {
    fn share(&self) -> T {
        self.shares.iter().fold(T::one(), |product, share| product * *share)
    }

    /// The derivative of its share by the place along an axis, in cells.
    fn slope(&self, axis: usize) -> T {
        let others = self.shares.iter().enumerate().filter(|(other, _)| *other != axis);
        let product = others.fold(T::one(), |product, (_, share)| product * *share);
        if self.further[axis] { product } else { -product }
    }
}

impl<'a, T: Real> Interpolate<'a, T> {
    pub(super) fn new(grid: HashGrid, axes: usize, weight: &'a [T]) -> Interpolate<'a, T> {
        Interpolate { grid, axes, weight }
    }

    /// The corners of the cell that a point lies in.
    fn corners(&self, level: usize, point: &[T]) -> Vec<Corner<T>> {
        let level = self.grid.level(level, self.axes);
        let cells = level.cells;
        let along: Vec<(usize, T)> = point
            .iter()
            .map(|x| {
                let t = x.max(T::zero()).min(T::one()) * T::from_f64(cells as f64);
                let first = (t.value().floor() as usize).min(cells - 1);
                (first, t - T::from_f64(first as f64))
            })
            .collect();
        let corner = |number: usize| {
            let further: Vec<bool> = (0..self.axes).map(|axis| number >> axis & 1 == 1).collect();
            let at = along.iter().zip(&further);
            let place: Vec<usize> =
                at.clone().map(|((first, _), further)| first + usize::from(*further)).collect();
            let shares = at.map(|((_, right), further)| if *further { *right } else { T::one() - *right });
            Corner { row: level.row(&place), shares: shares.collect(), further }
        };
        (0..1 << self.axes).map(corner).collect()
    }

    /// For each point and level, its corners.
    fn each<'b>(&'b self, x: &'b [T]) -> impl Iterator<Item = Vec<Corner<T>>> + 'b {
        let levels = move |point: &'b [T]| (0..self.grid.levels).map(move |level| self.corners(level, point));
        x.chunks_exact(self.axes).flat_map(levels)
    }

    /// Feature f of a row.
    fn number(&self, row: usize, f: usize) -> T {
        self.weight[row * self.grid.features + f]
    }
}

impl<T: Real> Linear<T> for Interpolate<'_, T> {
    fn forward(&self, x: &[T]) -> Vec<T> {
        let feature = |corners: &[Corner<T>], f: usize| {
            let terms = corners.iter().map(|corner| corner.share() * self.number(corner.row, f));
            terms.fold(T::zero(), |sum, term| sum + term)
        };
        self.each(x)
            .flat_map(|corners| {
                (0..self.grid.features).map(move |f| feature(&corners, f)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The Jacobian where the point is; 0 where it is taken to the edge.
    fn transposed(&self, x: &[T], s: &[T], squared: bool) -> Vec<T> {
        let HashGrid { levels, features, .. } = self.grid;
        let mut below = vec![T::zero(); if s.is_empty() { 0 } else { x.len() }];
        for ((number, corners), s) in self.each(x).enumerate().zip(s.chunks_exact(features)) {
            let (point, level) = (number / levels, number % levels);
            let cells = T::from_f64(self.grid.level(level, self.axes).cells as f64);
            for (axis, f) in (0..self.axes).flat_map(|axis| (0..features).map(move |f| (axis, f))) {
                let at = point * self.axes + axis;
                if x[at] < T::zero() || x[at] > T::one() {
                    continue;
                }
                let slopes = corners.iter().map(|corner| corner.slope(axis) * self.number(corner.row, f));
                let slope = cells * slopes.fold(T::zero(), |sum, slope| sum + slope);
                below[at] += power(slope, squared) * s[f];
            }
        }
        below
    }

    fn weighted(&self) -> Option<&dyn Weighted<T>> {
        Some(self)
    }
}

impl<T: Real> Weighted<T> for Interpolate<'_, T> {
    /// An output alone has a row's number f.
    fn shared(&self) -> bool {
        false
    }

    fn sizes(&self) -> [usize; 2] {
        [(2 << self.axes) * self.grid.levels, self.grid.levels * self.grid.features]
    }

    fn zeros(&self) -> Sums<T> {
        Sums::zeros(self.weight.len(), 0)
    }

    /// For each corner its row within the level, which any type of numbers has exactly, and its share; where corners share a row, the
    /// first has all.
    fn features(&self, x: &[T]) -> Vec<T> {
        let table = self.grid.table();
        let merged = |corners: Vec<Corner<T>>| -> Vec<T> {
            let mut features: Vec<(usize, T)> = Vec::new();
            for corner in &corners {
                match features.iter_mut().find(|(row, _)| *row == corner.row) {
                    Some((_, share)) => *share += corner.share(),
                    None => features.push((corner.row, corner.share())),
                }
            }
            let nothing = (features[0].0, T::zero());
            features.resize(corners.len(), nothing);
            features.into_iter().flat_map(|(row, share)| [T::from_f64((row % table) as f64), share]).collect()
        };
        self.each(x).flat_map(merged).collect()
    }

    fn squares(&self, features: &[T]) -> Vec<T> {
        let square = |pair: &[T]| [pair[0], pair[1].squared()];
        features.chunks_exact(2).flat_map(square).collect()
    }

    fn add_products(&self, features: &[T], s: &[T], sums: &mut Sums<T>) {
        let levels = features.chunks_exact(2 << self.axes).zip(s.chunks_exact(self.grid.features));
        for (number, (corners, s)) in levels.enumerate() {
            let first = number % self.grid.levels * self.grid.table();
            for pair in corners.chunks_exact(2) {
                let row = (first + pair[0].value() as usize) * self.grid.features;
                sums.weight[row..].iter_mut().zip(s).for_each(|(sum, s)| *sum += *s * pair[1]);
            }
        }
    }
}
