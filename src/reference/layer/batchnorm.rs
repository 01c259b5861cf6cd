//! Batch normalisation with fixed statistics: `z = γ x̂ + β`, `x̂ = (x − mean) / √(var + ε)`, per channel.

use super::{Linear, Sums, Weighted, power, total};
use crate::model::BatchNorm;
use crate::reference::Real;

pub(super) struct Normalize<'a, T> {
    /// Places of one channel.
    places: usize,
    mean: Vec<T>,
    /// `1 / √(var + ε)`
    inverse: Vec<T>,
    gamma: &'a [T],
    beta: &'a [T],
}

impl<'a, T: Real> Normalize<'a, T> {
    pub(super) fn new(norm: &BatchNorm, places: usize, gamma: &'a [T], beta: &'a [T]) -> Normalize<'a, T> {
        let mean = norm.mean.iter().map(|mean| T::from_f64(f64::from(*mean))).collect();
        let inverse = norm.inverse_deviations().map(T::from_f64).collect();
        Normalize { places, mean, inverse, gamma, beta }
    }

    fn each(&self, x: &[T], f: impl Fn(T, usize) -> T) -> Vec<T> {
        let channel = |i: usize| i / self.places % self.mean.len();
        x.iter().enumerate().map(|(i, x)| f(*x, channel(i))).collect()
    }
}

impl<T: Real> Linear<T> for Normalize<'_, T> {
    fn forward(&self, x: &[T]) -> Vec<T> {
        self.each(&self.features(x), |x, c| self.gamma[c] * x + self.beta[c])
    }

    fn transposed(&self, _: &[T], s: &[T], squared: bool) -> Vec<T> {
        self.each(s, |s, c| power(self.gamma[c] * self.inverse[c], squared) * s)
    }

    fn weighted(&self) -> Option<&dyn Weighted<T>> {
        Some(self)
    }
}

impl<T: Real> Weighted<T> for Normalize<'_, T> {
    fn shared(&self) -> bool {
        true
    }

    fn sizes(&self) -> [usize; 2] {
        [self.mean.len() * self.places; 2]
    }

    fn zeros(&self) -> Sums<T> {
        Sums::zeros(self.mean.len(), self.mean.len())
    }

    fn features(&self, x: &[T]) -> Vec<T> {
        self.each(x, |x, c| (x - self.mean[c]) * self.inverse[c])
    }

    fn add_products(&self, x: &[T], s: &[T], sums: &mut Sums<T>) {
        let channels = x.chunks_exact(self.places).zip(s.chunks_exact(self.places));
        for ((x, s), (weight, bias)) in channels.zip(sums.weight.iter_mut().zip(&mut sums.bias)) {
            *weight += total(x.iter().zip(s).map(|(x, s)| *s * *x));
            *bias += total(s.iter().copied());
        }
    }
}
