//! Embedding: `z[c, q] = W[x[q], c]`, a linear map of the weight. Its features are the selected rows; as numbers they stand for
//! one-hot vectors, which are their own squares.

use super::{Linear, Sums, Weighted};
use crate::model::Embedding;
use crate::reference::Real;

pub(super) struct Select<'a, T> {
    table: Embedding,
    positions: usize,
    /// `[count, width]`
    weight: &'a [T],
}

impl<'a, T: Real> Select<'a, T> {
    pub(super) fn new(table: Embedding, positions: usize, weight: &'a [T]) -> Select<'a, T> {
        Select { table, positions, weight }
    }

    /// Inputs are checked before anything is computed.
    fn row(&self, x: T) -> usize {
        self.table.row(x.value()).expect("it selects a row")
    }
}

impl<T: Real> Linear<T> for Select<'_, T> {
    fn forward(&self, x: &[T]) -> Vec<T> {
        let width = self.table.width;
        let sample = |x: &[T]| -> Vec<T> {
            let rows: Vec<usize> = x.iter().map(|x| self.row(*x)).collect();
            (0..width).flat_map(|c| rows.iter().map(move |row| self.weight[row * width + c])).collect()
        };
        x.chunks_exact(self.positions).flat_map(sample).collect()
    }

    /// What selects has no derivative.
    fn transposed(&self, x: &[T], s: &[T], _: bool) -> Vec<T> {
        vec![T::zero(); if s.is_empty() { 0 } else { x.len() }]
    }

    fn weighted(&self) -> Option<&dyn Weighted<T>> {
        Some(self)
    }
}

impl<T: Real> Weighted<T> for Select<'_, T> {
    fn shared(&self) -> bool {
        self.positions > 1
    }

    fn sizes(&self) -> [usize; 2] {
        [self.positions, self.positions * self.table.width]
    }

    fn zeros(&self) -> Sums<T> {
        Sums::zeros(self.weight.len(), 0)
    }

    fn squares(&self, features: &[T]) -> Vec<T> {
        features.to_vec()
    }

    fn add_products(&self, x: &[T], s: &[T], sums: &mut Sums<T>) {
        for (c, s) in s.chunks_exact(self.positions).enumerate() {
            for (x, s) in x.iter().zip(s) {
                sums.weight[self.row(*x) * self.table.width + c] += *s;
            }
        }
    }
}
