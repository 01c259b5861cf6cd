//! Batch normalisation by the statistics of the batch: `z = γ x̂ + β`, `x̂ = (x − mean) / √(var + ε)`, mean and variance of a
//! channel over the samples and their positions. Each channel of the batch is one group of `norm.rs`, whose rules hold for g and h.
//! A vector u is a sample's own: it stays with that sample, so the sums in its rule are over the sample's positions, while n is
//! that of the whole group.

use super::norm::Group;
use super::{Sums, Weighted, power, total};
use crate::model::{BatchNorm, Mode};
use crate::reference::{Real, Signal};

pub(in crate::reference) struct Standardize<'a, T> {
    eps: T,
    /// Places of one channel in a sample.
    places: usize,
    gamma: &'a [T],
    beta: &'a [T],
}

/// What takes a signal through a channel of the batch.
type Rule<'a, T> = &'a dyn Fn(&Group<T>, &[T]) -> Vec<T>;

impl<'a, T: Real> Standardize<'a, T> {
    pub(super) fn new(norm: &BatchNorm, places: usize, gamma: &'a [T], beta: &'a [T]) -> Standardize<'a, T> {
        Standardize { eps: T::from_f64(norm.eps), places, gamma, beta }
    }

    fn channels(&self) -> usize {
        self.gamma.len()
    }

    /// `[N, C, P]` as C rows `[N, P]`.
    fn by_channel(&self, x: &[T]) -> Vec<Vec<T>> {
        let row = |c: usize| {
            let samples = x.chunks_exact(self.channels() * self.places);
            samples.flat_map(|x| x[c * self.places..][..self.places].iter().copied()).collect()
        };
        (0..self.channels()).map(row).collect()
    }

    /// The inverse of [`Standardize::by_channel`].
    fn by_sample(&self, rows: &[Vec<T>]) -> Vec<T> {
        let samples = rows[0].len() / self.places;
        let part = |n: usize| rows.iter().flat_map(move |row| row[n * self.places..][..self.places].iter());
        (0..samples).flat_map(part).copied().collect()
    }

    fn groups(&self, x: &[T]) -> Vec<Group<T>> {
        self.by_channel(x).iter().map(|x| Group::new(x, self.eps, T::one())).collect()
    }

    /// Mean and variance of each channel, the variance of n numbers divided by n − 1 as PyTorch's running ones are; a single number
    /// has 0.
    pub(in crate::reference) fn moments(&self, x: &[T]) -> Vec<[T; 2]> {
        let one = |x: &Vec<T>| {
            let count = T::from_f64(x.len() as f64);
            let mean = total(x.iter().copied()) / count;
            let squares = total(x.iter().map(|x| (*x - mean).squared()));
            [mean, squares / T::from_f64((x.len() - 1).max(1) as f64)]
        };
        self.by_channel(x).iter().map(one).collect()
    }

    pub(super) fn forward(&self, x: &[T]) -> Vec<T> {
        let rows = self.groups(x).into_iter().zip(self.gamma.iter().zip(self.beta));
        let rows =
            rows.map(|(group, (gamma, beta))| group.normal.iter().map(|x| *gamma * *x + *beta).collect());
        self.by_sample(&rows.collect::<Vec<Vec<T>>>())
    }

    pub(super) fn backward(&self, mode: Mode, x: &[T], signal: &Signal<T>) -> Signal<T> {
        let groups = self.groups(x);
        let each = |s: &[T], squared: bool, f: Rule<'_, T>| -> Vec<T> {
            if s.is_empty() {
                return Vec::new();
            }
            let rows = self.by_channel(s).into_iter().zip(&groups).zip(self.gamma);
            let rows = rows.map(|((s, group), gamma)| {
                let scaled: Vec<T> = s.iter().map(|s| power(*gamma, squared) * *s).collect();
                f(group, &scaled)
            });
            self.by_sample(&rows.collect::<Vec<_>>())
        };
        let mut h = each(signal.diagonal(), true, &Group::through_squares);
        if mode.is_curved() && !h.is_empty() {
            let curved = each(&signal.g, false, &Group::second_derivatives);
            h.iter_mut().zip(curved).for_each(|(h, curved)| *h += curved);
        }
        let own = |group: &Group<T>, s: &[T]| group.through_parts(s, self.places);
        let u = signal.u.iter().map(|u| each(u, false, &own)).collect();
        Signal::new(each(&signal.g, false, &Group::through), h, u)
    }
}

impl<T: Real> Weighted<T> for Standardize<'_, T> {
    fn shared(&self) -> bool {
        true
    }

    fn sizes(&self) -> [usize; 2] {
        [self.channels() * self.places; 2]
    }

    fn zeros(&self) -> Sums<T> {
        Sums::zeros(self.channels(), self.channels())
    }

    fn features(&self, x: &[T]) -> Vec<T> {
        let rows: Vec<Vec<T>> = self.groups(x).into_iter().map(|group| group.normal).collect();
        self.by_sample(&rows)
    }

    fn add_products(&self, x: &[T], s: &[T], sums: &mut Sums<T>) {
        let channels = x.chunks_exact(self.places).zip(s.chunks_exact(self.places));
        for ((x, s), (weight, bias)) in channels.zip(sums.weight.iter_mut().zip(&mut sums.bias)) {
            *weight += total(x.iter().zip(s).map(|(x, s)| *s * *x));
            *bias += total(s.iter().copied());
        }
    }
}
