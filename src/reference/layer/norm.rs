//! Layer, RMS and group normalisation: `z = γ x̂ + β`, `x̂ = (x − c mean) / s`, `s = √(var + ε)`, over each group of n numbers of a
//! sample; c is 1, or 0 for RMS normalisation, whose `var` is the mean of x². Every output of a group depends on every input of it.
//!
//! With J the Jacobian, cross terms between outputs dropped: `g' = Jᵀ g`, `u' = Jᵀ u`,
//! `h'_i = Σ_k J_ki² h_k + Σ_k g_k ∂²z_k/∂x_i²`, of which Gauss-Newton drops the second sum. With `G = γ g`, `H = γ² h`:
//!
//! ```text
//! g'_i = (G_i − c ΣG/n − x̂_i ΣG x̂/n) / s
//! h'_i = [H_i (1 − 2c/n − 2 x̂_i²/n) + (c ΣH + 2c x̂_i ΣH x̂ + x̂_i² ΣH x̂²)/n²] / s²
//!        − [2 x̂_i g'_i + (1 − c/n − x̂_i²/n)/s · ΣG x̂] / (n s)
//! ```

use super::{Sums, Weighted, power, total};
use crate::model::{Mode, Normalization};
use crate::reference::{Real, Signal};

pub(in crate::reference) struct Normalize<'a, T> {
    norm: Normalization,
    /// Empty for none.
    gamma: &'a [T],
    /// Empty for none.
    beta: &'a [T],
}

/// The numbers of one group.
pub(super) struct Group<T> {
    /// x̂
    pub(super) normal: Vec<T>,
    /// 1 / s
    inverse: T,
    /// n
    count: T,
    /// c
    centred: T,
}

impl<'a, T: Real> Normalize<'a, T> {
    pub(super) fn new(norm: Normalization, gamma: &'a [T], beta: &'a [T]) -> Normalize<'a, T> {
        Normalize { norm, gamma, beta }
    }

    pub(super) fn forward(&self, x: &[T]) -> Vec<T> {
        let mut z = self.scaled(&self.features(x), false);
        if !self.beta.is_empty() {
            z.iter_mut().enumerate().for_each(|(i, z)| *z += self.beta[self.channel(i)]);
        }
        z
    }

    pub(super) fn backward(&self, mode: Mode, x: &[T], signal: &Signal<T>) -> Signal<T> {
        let groups = self.groups(x);
        let each = |s: &[T], squared: bool, f: fn(&Group<T>, &[T]) -> Vec<T>| -> Vec<T> {
            let s = self.gathered(self.scaled(s, squared));
            let of = groups.iter().zip(s.chunks_exact(self.norm.len()));
            self.spread(of.flat_map(|(group, s)| f(group, s)).collect())
        };
        let mut h = each(signal.diagonal(), true, Group::through_squares);
        if mode.is_curved() {
            let curved = each(&signal.g, false, Group::second_derivatives);
            h.iter_mut().zip(curved).for_each(|(h, curved)| *h += curved);
        }
        let through = |s: &Vec<T>| each(s, false, Group::through);
        Signal::new(through(&signal.g), h, signal.u.iter().map(through).collect())
    }

    pub(super) fn weighted(&self) -> Option<&dyn Weighted<T>> {
        self.norm.weight.then_some(self)
    }

    /// Which number of γ multiplies element i of a batch.
    fn channel(&self, i: usize) -> usize {
        i / self.norm.positions % self.norm.channels
    }

    /// `γ s`, or `γ² s`.
    fn scaled(&self, s: &[T], squared: bool) -> Vec<T> {
        if self.gamma.is_empty() {
            return s.to_vec();
        }
        s.iter().enumerate().map(|(i, s)| power(self.gamma[self.channel(i)], squared) * *s).collect()
    }

    fn groups(&self, x: &[T]) -> Vec<Group<T>> {
        let eps = T::from_f64(self.norm.eps);
        let centred = if self.norm.centred { T::one() } else { T::zero() };
        let x = self.gathered(x.to_vec());
        x.chunks_exact(self.norm.len()).map(|x| Group::new(x, eps, centred)).collect()
    }

    /// A batch with each group's numbers side by side: as it is, but where each position is normalised apart.
    fn gathered(&self, x: Vec<T>) -> Vec<T> {
        if self.norm.apart { transposed(&x, [self.norm.channels, self.norm.positions]) } else { x }
    }

    /// The inverse of `gathered`.
    fn spread(&self, x: Vec<T>) -> Vec<T> {
        if self.norm.apart { transposed(&x, [self.norm.positions, self.norm.channels]) } else { x }
    }
}

/// Each matrix of a batch transposed: `[rows, columns]` to `[columns, rows]`.
fn transposed<T: Copy>(x: &[T], [rows, columns]: [usize; 2]) -> Vec<T> {
    let one = |x: &[T]| -> Vec<T> {
        (0..columns).flat_map(|c| (0..rows).map(move |r| r * columns + c)).map(|i| x[i]).collect()
    };
    x.chunks_exact(rows * columns).flat_map(one).collect()
}

impl<T: Real> Group<T> {
    pub(super) fn new(x: &[T], eps: T, centred: T) -> Group<T> {
        let count = T::from_f64(x.len() as f64);
        let mean = centred * total(x.iter().copied()) / count;
        let apart: Vec<T> = x.iter().map(|x| *x - mean).collect();
        let variance = total(apart.iter().map(|x| x.squared())) / count;
        let inverse = T::one() / (variance + eps).sqrt();
        let normal = apart.into_iter().map(|x| x * inverse).collect();
        Group { normal, inverse, count, centred }
    }

    /// `Σ s x̂`
    fn product(&self, s: &[T]) -> T {
        total(self.normal.iter().zip(s).map(|(x, s)| *x * *s))
    }

    /// `Jᵀ s`
    pub(super) fn through(&self, s: &[T]) -> Vec<T> {
        self.through_parts(s, s.len())
    }

    /// `Jᵀ s` within each part of the group, of so many numbers: without J's entries between parts.
    pub(super) fn through_parts(&self, s: &[T], part: usize) -> Vec<T> {
        let one = |(s, x): (&[T], &[T])| -> Vec<T> {
            let mean = self.centred * total(s.iter().copied()) / self.count;
            let slope = total(x.iter().zip(s).map(|(x, s)| *x * *s)) / self.count;
            x.iter().zip(s).map(|(x, s)| (*s - mean - *x * slope) * self.inverse).collect()
        };
        s.chunks_exact(part).zip(self.normal.chunks_exact(part)).flat_map(one).collect()
    }

    /// `(J∘J)ᵀ s`
    pub(super) fn through_squares(&self, s: &[T]) -> Vec<T> {
        let weighted: Vec<T> = self.normal.iter().zip(s).map(|(x, s)| *x * *s).collect();
        let (plain, once, twice) =
            (total(s.iter().copied()), total(weighted.iter().copied()), self.product(&weighted));
        let two = T::one() + T::one();
        self.normal
            .iter()
            .zip(s)
            .map(|(x, s)| {
                let own = *s * (T::one() - two * (self.centred + x.squared()) / self.count);
                let others = self.centred * (plain + two * *x * once) + x.squared() * twice;
                (own + others / self.count.squared()) * self.inverse.squared()
            })
            .collect()
    }

    /// `Σ_k s_k ∂²x̂_k/∂x_i²`
    pub(super) fn second_derivatives(&self, s: &[T]) -> Vec<T> {
        let (product, two) = (self.product(s), T::one() + T::one());
        let slopes = self.through(s).into_iter().zip(&self.normal);
        slopes
            .map(|(slope, x)| {
                let rest = T::one() - (self.centred + x.squared()) / self.count;
                -(two * *x * slope + rest * self.inverse * product) * self.inverse / self.count
            })
            .collect()
    }
}

impl<T: Real> Weighted<T> for Normalize<'_, T> {
    fn shared(&self) -> bool {
        self.norm.positions > 1
    }

    fn sizes(&self) -> [usize; 2] {
        [self.norm.channels * self.norm.positions; 2]
    }

    fn zeros(&self) -> Sums<T> {
        Sums::zeros(self.norm.channels, self.norm.channels)
    }

    fn features(&self, x: &[T]) -> Vec<T> {
        self.spread(self.groups(x).into_iter().flat_map(|group| group.normal).collect())
    }

    fn add_products(&self, x: &[T], s: &[T], sums: &mut Sums<T>) {
        let places = self.norm.positions;
        let channels = x.chunks_exact(places).zip(s.chunks_exact(places));
        for ((x, s), (weight, bias)) in channels.zip(sums.weight.iter_mut().zip(&mut sums.bias)) {
            *weight += total(x.iter().zip(s).map(|(x, s)| *s * *x));
            *bias += total(s.iter().copied());
        }
    }
}
