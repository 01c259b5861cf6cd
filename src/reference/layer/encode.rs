//! Encodings of single numbers, each of which becomes several, `z_k = f_k(a)`:
//!
//! - frequencies (Mildenhall et al., 2020, arXiv 2003.08934): `sin(2^j π a)`, `cos(2^j π a)` for each octave j;
//! - one-blob (Müller et al., 2019, arXiv 1808.03856): `exp(−d²/2)`, `d = K a − k − ½`, for each of K bins k.
//!
//! `g' = Σ_k f_k' g_k`, `u' = Σ_k f_k' u_k`, `h' = Σ_k (f_k'² h_k + f_k'' g_k)`, of which Gauss-Newton drops `f_k'' g_k`.

use super::act::clamp;
use crate::model::{Encoding, Mode};
use crate::reference::{Real, Signal};
use std::f64::consts::PI;

#[derive(Clone, Copy)]
pub(in crate::reference) struct Encode {
    encoding: Encoding,
    positions: usize,
}

impl Encode {
    pub(super) fn new(encoding: Encoding, input: &[usize]) -> Encode {
        Encode { encoding, positions: input[1..].iter().product() }
    }

    /// `f_k` at a and its two derivatives.
    fn at<T: Real>(&self, a: T, k: usize) -> [T; 3] {
        match self.encoding {
            Encoding::Frequency { .. } => {
                let scale = 2.0_f64.powi((k / 2) as i32);
                let (t, w) = (T::from_f64(scale) * a, T::from_f64(scale * PI));
                // Whole turns are taken off before rounding can touch them.
                let x = T::from_f64(PI) * (t - T::from_f64(2.0 * (t.value() / 2.0).round()));
                let (f, slope) = if k.is_multiple_of(2) { (x.sin(), x.cos()) } else { (x.cos(), -x.sin()) };
                [f, w * slope, -(w * w * f)]
            }
            Encoding::OneBlob { bins } => {
                let bins = T::from_f64(bins as f64);
                // The bell is 0 to the last bit past 20 bins on either side.
                let d = clamp(bins * a - T::from_f64(k as f64 + 0.5), 20.0);
                let f = (T::from_f64(-0.5) * d * d).exp();
                [f, -(bins * d * f), bins * bins * (d * d - T::one()) * f]
            }
        }
    }

    /// Where number k of number i lies.
    fn place(&self, i: usize, k: usize) -> usize {
        (i / self.positions * self.encoding.numbers() + k) * self.positions + i % self.positions
    }

    pub(super) fn forward<T: Real>(&self, x: &[T]) -> Vec<T> {
        let mut z = vec![T::zero(); x.len() * self.encoding.numbers()];
        for (i, a) in x.iter().enumerate() {
            (0..self.encoding.numbers()).for_each(|k| z[self.place(i, k)] = self.at(*a, k)[0]);
        }
        z
    }

    pub(super) fn backward<T: Real>(&self, mode: Mode, x: &[T], signal: &Signal<T>) -> Signal<T> {
        let sum = |s: &[T], factor: fn([T; 3]) -> T| -> Vec<T> {
            let term = |i: usize, k: usize| factor(self.at(x[i], k)) * s[self.place(i, k)];
            let of = |i: usize| (0..self.encoding.numbers()).fold(T::zero(), |sum, k| sum + term(i, k));
            if s.is_empty() { Vec::new() } else { (0..x.len()).map(of).collect() }
        };
        let first = |s: &[T]| sum(s, |[_, d1, _]| d1);
        let mut h = sum(signal.diagonal(), |[_, d1, _]| d1.squared());
        if mode.is_curved() {
            let curved = sum(&signal.g, |[_, _, d2]| d2);
            h.iter_mut().zip(curved).for_each(|(h, curved)| *h += curved);
        }
        Signal::new(first(&signal.g), h, signal.u.iter().map(|u| first(u)).collect())
    }
}
