//! PReLU: `z = x` where `x > 0`, else `z = w x`, with one slope w or one for each channel. Linear but where x is 0; linear in w
//! with the features `min(x, 0)`.

use super::{Linear, Sums, Weighted, power, total};
use crate::reference::Real;

pub(super) struct Slopes<'a, T> {
    /// Elements that share a slope, side by side.
    places: usize,
    /// Elements of a sample.
    size: usize,
    weight: &'a [T],
}

impl<'a, T: Real> Slopes<'a, T> {
    pub(super) fn new(input: &[usize], weight: &'a [T]) -> Slopes<'a, T> {
        let size = input.iter().product();
        Slopes { places: size / weight.len(), size, weight }
    }

    /// dz/dx of element i.
    fn slope(&self, i: usize, x: T) -> T {
        if x > T::zero() { T::one() } else { self.weight[i / self.places % self.weight.len()] }
    }
}

impl<T: Real> Linear<T> for Slopes<'_, T> {
    fn forward(&self, x: &[T]) -> Vec<T> {
        self.transposed(x, x, false)
    }

    fn transposed(&self, x: &[T], s: &[T], squared: bool) -> Vec<T> {
        s.iter().zip(x).enumerate().map(|(i, (s, x))| power(self.slope(i, *x), squared) * *s).collect()
    }

    fn weighted(&self) -> Option<&dyn Weighted<T>> {
        Some(self)
    }
}

impl<T: Real> Weighted<T> for Slopes<'_, T> {
    /// One slope of a single channel acts at one place; that is no exception worth making.
    fn shared(&self) -> bool {
        true
    }

    fn sizes(&self) -> [usize; 2] {
        [self.size; 2]
    }

    fn zeros(&self) -> Sums<T> {
        Sums::zeros(self.weight.len(), 0)
    }

    fn features(&self, x: &[T]) -> Vec<T> {
        x.iter().map(|x| if *x > T::zero() { T::zero() } else { *x }).collect()
    }

    fn add_products(&self, x: &[T], s: &[T], sums: &mut Sums<T>) {
        let channels = x.chunks_exact(self.places).zip(s.chunks_exact(self.places));
        for ((x, s), sum) in channels.zip(&mut sums.weight) {
            *sum += total(x.iter().zip(s).map(|(x, s)| *s * *x));
        }
    }
}
