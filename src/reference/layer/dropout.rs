//! Dropout: a diagonal of zeros and `1 / (1 − p)`.

use super::{Linear, power};
use crate::model::Noise;
use crate::reference::Real;

/// Which random numbers a batch draws.
#[derive(Debug, Clone, Copy)]
pub(in crate::reference) struct Draw {
    pub(in crate::reference) noise: Noise,
    /// Where the batch starts in the one that the random numbers are counted in.
    pub(in crate::reference) first_sample: usize,
}

pub(super) struct Dropout {
    pub(super) noise: Noise,
    pub(super) node: u32,
    /// Index of the first element.
    pub(super) first: usize,
    pub(super) p: f64,
}

impl Dropout {
    fn times_mask<T: Real>(&self, s: &[T], squared: bool) -> Vec<T> {
        let scale = power(T::from_f64(1.0 / (1.0 - self.p)), squared);
        let masked = |(i, s): (usize, &T)| {
            let kept = self.noise.keeps(self.node, (self.first + i) as u32, self.p);
            // A product, so that NaN stays NaN.
            (if kept { scale } else { T::zero() }) * *s
        };
        s.iter().enumerate().map(masked).collect()
    }
}

impl<T: Real> Linear<T> for Dropout {
    fn forward(&self, x: &[T]) -> Vec<T> {
        self.times_mask(x, false)
    }

    fn transposed(&self, _: &[T], s: &[T], squared: bool) -> Vec<T> {
        self.times_mask(s, squared)
    }
}
