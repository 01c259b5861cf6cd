//! What is right.

use super::{Linear, power};
use crate::reference::Real;

pub(super) struct Mirror {
    pub features: usize,
}

fn factor<T: Real>(i: usize) -> T {
    T::from_f64((1 + i % 3) as f64)
}

impl<T: Real> Linear<T> for Mirror {
    fn forward(&self, x: &[T]) -> Vec<T> {
        let rows = x.chunks_exact(self.features);
        rows.flat_map(|x| x.iter().rev().enumerate().map(|(i, x)| factor::<T>(i) * *x)).collect()
    }

    fn transposed(&self, _: &[T], s: &[T], squared: bool) -> Vec<T> {
        let rows = s.chunks_exact(self.features);
        rows.flat_map(|s| (0..s.len()).rev().map(|i| power(factor::<T>(i), squared) * s[i])).collect()
    }
}
