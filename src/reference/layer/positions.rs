//! Learned positions: `z = x + W`. The features of W are 1.

use super::{Linear, Sums, Weighted};
use crate::reference::Real;

pub(super) struct Positions<'a, T>(pub &'a [T]);

impl<T: Real> Linear<T> for Positions<'_, T> {
    fn forward(&self, x: &[T]) -> Vec<T> {
        x.chunks_exact(self.0.len()).flat_map(|x| x.iter().zip(self.0).map(|(x, w)| *x + *w)).collect()
    }

    fn transposed(&self, _: &[T], s: &[T], _: bool) -> Vec<T> {
        s.to_vec()
    }

    fn weighted(&self) -> Option<&dyn Weighted<T>> {
        Some(self)
    }
}

impl<T: Real> Weighted<T> for Positions<'_, T> {
    fn shared(&self) -> bool {
        false
    }

    fn sizes(&self) -> [usize; 2] {
        [self.0.len(); 2]
    }

    fn zeros(&self) -> Sums<T> {
        Sums::zeros(self.0.len(), 0)
    }

    fn features(&self, x: &[T]) -> Vec<T> {
        vec![T::one(); x.len()]
    }

    fn add_products(&self, _: &[T], s: &[T], sums: &mut Sums<T>) {
        sums.weight.iter_mut().zip(s).for_each(|(sum, s)| *sum += *s);
    }
}
