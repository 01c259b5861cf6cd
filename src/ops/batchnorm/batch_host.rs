//! Batch normalisation by the statistics of the batch on the CPU. What is summed over a channel is summed in `f64`.

use super::host::add_products;
use crate::host::{BatchOp, Call, Sums, Weighted, is_diagonal};

/// `z = γ x̂ + β`, `x̂ = (x − mean) / √(var + ε)` by mean and variance of the batch, per channel. Rules: `reference/layer/norm.rs`.
#[derive(Debug)]
pub(crate) struct Standardize {
    pub channels: usize,
    pub positions: usize,
    pub eps: f64,
    pub momentum: f64,
}

/// Means over a channel of t, t x̂ and t x̂², with `t = γ s`, or `γ² s`.
type Means = [f32; 3];

impl Standardize {
    fn sample(&self) -> usize {
        self.channels * self.positions
    }

    /// `Σ f(c, x, s)` of each channel c, where `s` lies beside `x`.
    fn sums(&self, x: &[f32], s: &[f32], f: impl Fn(usize, f64, f64) -> [f64; 3]) -> Vec<[f64; 3]> {
        let mut sums = vec![[0.0; 3]; self.channels];
        for (x, s) in x.chunks_exact(self.channels).zip(s.chunks_exact(self.channels)) {
            for (c, (sums, (x, s))) in sums.iter_mut().zip(x.iter().zip(s)).enumerate() {
                let terms = f(c, f64::from(*x), f64::from(*s));
                sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
            }
        }
        sums
    }

    /// Mean and `Σ (x − mean)²` of each channel.
    fn moments(&self, x: &[f32]) -> Vec<[f64; 2]> {
        let count = (x.len() / self.channels) as f64;
        let means = self.sums(x, x, |_, x, _| [x, 0.0, 0.0]);
        let squares = self.sums(x, x, |c, x, _| [(x - means[c][0] / count).powi(2), 0.0, 0.0]);
        means.iter().zip(squares).map(|([sum, ..], [squares, ..])| [sum / count, squares]).collect()
    }

    /// Writes x̂. Returns `1 / √(var + ε)` of each channel.
    fn standardize(&self, x: &[f32], normal: &mut [f32]) -> Vec<f32> {
        let count = (x.len() / self.channels) as f64;
        let inverse = |[mean, squares]: [f64; 2]| [mean, 1.0 / (squares / count + self.eps).sqrt()];
        let constants: Vec<[f64; 2]> = self.moments(x).into_iter().map(inverse).collect();
        for (normal, x) in normal.chunks_exact_mut(self.channels).zip(x.chunks_exact(self.channels)) {
            for ((normal, x), [mean, inverse]) in normal.iter_mut().zip(x).zip(&constants) {
                *normal = ((f64::from(*x) - mean) * inverse) as f32;
            }
        }
        constants.into_iter().map(|[_, inverse]| inverse as f32).collect()
    }

    /// The means over `count` numbers a channel of what part of the batch adds to them.
    fn means(&self, call: &Call<'_>, normal: &[f32], s: &[f32], squared: bool, count: f64) -> Vec<Means> {
        let sums = self.sums(normal, s, |_, x, s| [s, s * x, s * x * x]);
        let scaled = sums.into_iter().zip(call.weight).map(|(sums, gamma)| {
            let gamma = f64::from(if squared { gamma * gamma } else { *gamma });
            sums.map(|sum| (gamma * sum / count) as f32)
        });
        scaled.collect()
    }

    /// `to[i] ← f(c, i)` of each channel c.
    fn each(&self, to: &mut [f32], f: impl Fn(usize, usize) -> f32) {
        let rows = to.chunks_exact_mut(self.channels).enumerate();
        rows.for_each(|(row, to)| {
            to.iter_mut().enumerate().for_each(|(c, to)| *to = f(c, row * self.channels + c))
        });
    }
}

impl BatchOp for Standardize {
    fn forward(&self, call: &Call<'_>, x: &[f32], z: &mut [f32]) {
        self.standardize(x, z);
        for z in z.chunks_exact_mut(self.channels) {
            z.iter_mut()
                .zip(call.weight.iter().zip(call.bias))
                .for_each(|(z, (gamma, beta))| *z = gamma * *z + beta);
        }
    }

    fn backward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        signal: &[&[f32]],
        to: &mut [&mut [f32]],
        scratch: &mut [f32],
    ) {
        let (normal, gamma) = (&mut scratch[..x.len()], call.weight);
        let inverse = self.standardize(x, normal);
        let (normal, count) = (&*normal, (x.len() / self.channels) as f64);
        let n = count as f32;
        let linear = |s: &[f32], part: &[f32], to: &mut [f32]| {
            let means = self.means(call, part, s, false, count);
            self.each(to, |c, i| (gamma[c] * s[i] - means[c][0] - part[i] * means[c][1]) * inverse[c]);
            means
        };
        let (first, others) = to.split_at_mut(1);
        let slopes = linear(signal[0], normal, first[0]);
        for (component, (s, to)) in signal.iter().skip(1).zip(others).enumerate() {
            if !is_diagonal(component + 1, signal.len()) {
                // A sample's u stays with the sample.
                let parts = s.chunks_exact(self.sample()).zip(normal.chunks_exact(self.sample()));
                for ((s, part), to) in parts.zip(to.chunks_exact_mut(self.sample())) {
                    linear(s, part, to);
                }
                continue;
            }
            let means = self.means(call, normal, s, true, count);
            self.each(to, |c, i| {
                let (x, [plain, once, twice]) = (normal[i], means[c]);
                let share = (1.0 + x * x) / n;
                let others = plain + 2.0 * x * once + x * x * twice;
                let mut h =
                    (gamma[c] * gamma[c] * s[i] * (1.0 - 2.0 * share) + others / n) * inverse[c] * inverse[c];
                if call.mode.is_curved() {
                    let curved = 2.0 * x * first[0][i] / n + (1.0 - share) * inverse[c] * slopes[c][1];
                    h -= curved * inverse[c];
                }
                h
            });
        }
    }

    fn follow(&self, x: &[f32], mean: &mut [f32], var: &mut [f32]) {
        let others = (x.len() / self.channels - 1).max(1) as f64;
        let toward = |kept: &mut f32, now: f64| *kept += (self.momentum * (now - f64::from(*kept))) as f32;
        for ([now, squares], (mean, var)) in self.moments(x).into_iter().zip(mean.iter_mut().zip(var)) {
            toward(mean, now);
            toward(var, squares / others);
        }
    }
}

impl Weighted for Standardize {
    fn sizes(&self) -> [usize; 2] {
        [self.channels; 2]
    }

    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]) {
        let normal = &mut scratch[..x.len()];
        self.standardize(x, normal);
        add_products([self.positions, self.channels], normal, signal, sums);
    }
}
