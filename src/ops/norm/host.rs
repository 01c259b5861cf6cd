//! Layer, RMS and group normalisation on the CPU. What is summed over a group is summed in `f64`.

use crate::host::vector::{add_squares, add_to, vectorized};
use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};
use crate::model::Normalization;
use std::ops::Range;

/// `z = γ x̂ + β`, `x̂ = (x − mean) / s`, over each group of a sample `[positions, channels]`.
#[derive(Debug)]
pub(crate) struct Normalize(pub Normalization);

impl Normalize {
    /// Elements of a sample.
    fn sample(&self) -> usize {
        self.0.channels * self.0.positions
    }

    /// A group's channels.
    fn channels(&self, group: usize) -> Range<usize> {
        let first = if self.0.apart { 0 } else { group * self.0.width() };
        first..first + self.0.width()
    }

    /// Where a group lies in a sample: its channels at every position, or at one.
    fn runs(&self, group: usize) -> impl Iterator<Item = Range<usize>> + Clone {
        let (channels, of) = (self.0.channels, self.channels(group));
        let positions = if self.0.apart { group..group + 1 } else { 0..self.0.positions };
        positions.map(move |q| q * channels + of.start..q * channels + of.end)
    }

    /// Writes x̂ of a group. Returns `1 / s`.
    fn standardize(&self, group: usize, x: &[f32], normal: &mut [f32]) -> f32 {
        let (runs, count) = (self.runs(group), self.0.len() as f64);
        vectorized(
            #[inline(always)]
            || {
                let mut sum = Total::default();
                if self.0.centred {
                    runs.clone().for_each(|run| sum.add(&x[run], |_, x| x));
                }
                let mean = sum.total() / count;
                let mut squares = Total::default();
                runs.clone().for_each(|run| squares.add(&x[run], |_, x| (x - mean) * (x - mean)));
                let inverse = 1.0 / (squares.total() / count + self.0.eps).sqrt();
                for run in runs {
                    for (normal, x) in normal[run.clone()].iter_mut().zip(&x[run]) {
                        *normal = ((f64::from(*x) - mean) * inverse) as f32;
                    }
                }
                inverse as f32
            },
        )
    }

    /// c
    fn centred(&self) -> f32 {
        f32::from(self.0.centred)
    }

    /// `to ← t`, with `t = γ s`, or `γ² s` if `squared`. Returns means over the group of t, t x̂ and t x̂².
    #[inline(always)]
    fn scale(&self, of: &Group<'_>, s: &[f32], squared: bool, to: &mut [f32]) -> [f32; 3] {
        let mut sums = [Total::default(); 3];
        for run in self.runs(of.group) {
            let (to, s, normal) = (&mut to[run.clone()], &s[run.clone()], &of.normal[run]);
            to.copy_from_slice(s);
            let gamma = of.gamma.get(self.channels(of.group)).unwrap_or(&[]);
            to.iter_mut()
                .zip(gamma)
                .for_each(|(t, gamma)| *t *= if squared { gamma * gamma } else { *gamma });
            let x = |i: usize| f64::from(normal[i]);
            sums[0].add(to, |_, t| t);
            sums[1].add(to, |i, t| t * x(i));
            sums[2].add(to, |i, t| t * x(i) * x(i));
        }
        sums.map(|sum| (sum.total() / self.0.len() as f64) as f32)
    }

    /// Changes each element of a group, given its x̂ and what `others` has at its place.
    #[inline(always)]
    fn each(&self, of: &Group<'_>, to: &mut [f32], others: &[f32], f: impl Fn(f32, f32, f32) -> f32) {
        for run in self.runs(of.group) {
            let normal = of.normal[run.clone()].iter().zip(&others[run.clone()]);
            to[run].iter_mut().zip(normal).for_each(|(to, (x, other))| *to = f(*to, *x, *other));
        }
    }

    /// `to ← Jᵀ s`; returns the mean of `γ s x̂`.
    fn through(&self, of: &Group<'_>, s: &[f32], to: &mut [f32]) -> f32 {
        let (c, inverse) = (self.centred(), of.inverse);
        vectorized(
            #[inline(always)]
            || {
                let [plain, once, _] = self.scale(of, s, false, to);
                self.each(of, to, s, |t, x, _| (t - c * plain - x * once) * inverse);
                once
            },
        )
    }

    /// `to ← (J∘J)ᵀ s`
    fn through_squares(&self, of: &Group<'_>, s: &[f32], to: &mut [f32]) {
        let (n, c, factor) = (self.0.len() as f32, self.centred(), of.inverse * of.inverse);
        vectorized(
            #[inline(always)]
            || {
                let [plain, once, twice] = self.scale(of, s, true, to);
                self.each(of, to, s, |t, x, _| {
                    let own = t * (1.0 - 2.0 * (c + x * x) / n);
                    let others = c * (plain + 2.0 * x * once) + x * x * twice;
                    (own + others / n) * factor
                });
            },
        );
    }

    /// `to ← to + Σ_k g_k ∂²z_k/∂x_i²`, from the gradient below and the mean of `γ g x̂` above.
    fn add_second_derivatives(&self, of: &Group<'_>, below: &[f32], slope: f32, to: &mut [f32]) {
        let (n, c, inverse) = (self.0.len() as f32, self.centred(), of.inverse);
        vectorized(
            #[inline(always)]
            || {
                self.each(of, to, below, |to, x, below| {
                    let rest = 1.0 - (c + x * x) / n;
                    to - (2.0 * x * below / n + rest * inverse * slope) * inverse
                });
            },
        );
    }

    /// A sample's signal, group by group: the rules of `reference/layer/norm.rs`.
    fn backward_sample(
        &self,
        call: &Call<'_>,
        x: &[f32],
        s: &[&[f32]],
        to: &mut [&mut [f32]],
        scratch: &mut [f32],
    ) {
        let (linear, h) = to.split_at_mut(s.len().max(2) - 1);
        for group in 0..self.0.count() {
            let inverse = self.standardize(group, x, scratch);
            let of = Group { group, normal: scratch, inverse, gamma: call.weight };
            let slope = self.through(&of, s[0], linear[0]);
            for (u, to) in s[1..].iter().zip(&mut linear[1..]) {
                self.through(&of, u, to);
            }
            if let [h] = h {
                self.through_squares(&of, s[linear.len()], h);
                if call.mode.is_curved() {
                    self.add_second_derivatives(&of, linear[0], slope, h);
                }
            }
        }
    }
}

/// A group of a sample on the way back.
struct Group<'a> {
    group: usize,
    /// The sample's x̂, where this group lies.
    normal: &'a [f32],
    /// `1 / s`
    inverse: f32,
    /// Empty for none.
    gamma: &'a [f32],
}

/// A sum in `f64`, as many partial ones as fill vectors.
#[derive(Debug, Clone, Copy, Default)]
struct Total([f64; 8]);

impl Total {
    /// Adds `f` of each number and its place.
    #[inline(always)]
    fn add(&mut self, x: &[f32], f: impl Fn(usize, f64) -> f64) {
        let whole = x.len() / 8 * 8;
        for first in (0..whole).step_by(8) {
            let part: &[f32; 8] = x[first..first + 8].try_into().expect("eight of them");
            for (k, (sum, x)) in self.0.iter_mut().zip(part).enumerate() {
                *sum += f(first + k, f64::from(*x));
            }
        }
        for (i, (sum, x)) in (whole..).zip(self.0.iter_mut().zip(&x[whole..])) {
            *sum += f(i, f64::from(*x));
        }
    }

    #[inline(always)]
    fn total(&self) -> f64 {
        self.0.iter().sum()
    }
}

impl SampleOp for Normalize {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let sample = self.sample();
        for (x, z) in inputs[0].chunks_exact(sample).zip(output.chunks_exact_mut(sample)) {
            for group in 0..self.0.count() {
                self.standardize(group, x, z);
            }
            if self.0.weight {
                for z in z.chunks_exact_mut(self.0.channels) {
                    z.iter_mut().zip(call.weight).for_each(|(z, gamma)| *z *= gamma);
                    z.iter_mut().zip(call.bias).for_each(|(z, beta)| *z += beta);
                }
            }
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        let sample = self.sample();
        for (n, x) in call.input.chunks_exact(sample).enumerate() {
            let range = n * sample..(n + 1) * sample;
            let s: Vec<&[f32]> = signal.iter().map(|s| &s[range.clone()]).collect();
            let mut to: Vec<&mut [f32]> = to.iter_mut().map(|to| &mut to[range.clone()]).collect();
            self.backward_sample(call, x, &s, &mut to, &mut scratch[..sample]);
        }
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        self.0.weight.then_some(self)
    }

    fn scratch(&self, _: usize, _: usize) -> usize {
        self.sample()
    }

    fn work(&self) -> usize {
        24 * self.sample()
    }
}

impl Weighted for Normalize {
    fn sizes(&self) -> [usize; 2] {
        [self.0.channels, if self.0.bias { self.0.channels } else { 0 }]
    }

    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]) {
        let (channels, sample) = (self.0.channels, self.sample());
        if self.0.bias {
            sums.add_bias(signal, sample);
        }
        let Sums { gradient, diagonal, .. } = sums;
        let (normal, run) = (&mut scratch[..sample], &mut vec![0.0; channels]);
        for (n, x) in x.chunks_exact(sample).enumerate() {
            for group in 0..self.0.count() {
                self.standardize(group, x, normal);
            }
            for (component, s) in signal.iter().enumerate() {
                let squared = is_diagonal(component, signal.len());
                // Each sample is summed by itself: shorter chains lose less to rounding.
                run.fill(0.0);
                let positions = s[n * sample..(n + 1) * sample].chunks_exact(channels);
                for (s, x) in positions.zip(normal.chunks_exact(channels)) {
                    let factors = s.iter().zip(x);
                    for (sum, (s, x)) in run.iter_mut().zip(factors) {
                        *sum += s * if squared { x * x } else { *x };
                    }
                }
                match component {
                    0 => add_to(&mut gradient[0], run),
                    _ if squared => add_to(&mut diagonal[0], run),
                    _ => add_squares(&mut diagonal[0], run),
                }
            }
        }
    }
}

/// `ẏ = J(a) ȧ` of a normalisation without γ and β.
#[derive(Debug)]
pub(crate) struct Along(pub Normalize);

impl Along {
    /// Calls `with` for each group of each sample with its x̂ and `1 / s`.
    fn each_group(&self, a: &[f32], scratch: &mut [f32], mut with: impl FnMut(Range<usize>, &Group<'_>)) {
        let sample = self.0.sample();
        for (n, a) in a.chunks_exact(sample).enumerate() {
            for group in 0..self.0.0.count() {
                let normal = &mut scratch[..sample];
                let inverse = self.0.standardize(group, a, normal);
                with(n * sample..(n + 1) * sample, &Group { group, normal, inverse, gamma: &[] });
            }
        }
    }

    /// `−[x̂ φ/n + J g Σu x̂/n + J u Σg x̂/n] / s`: see `shaders/norm/bend.wgsl`.
    fn bend(&self, of: &Group<'_>, g: &[f32], u: &[f32], to: &mut [f32]) {
        let (norm, n, c) = (&self.0, self.0.0.len() as f64, f64::from(self.0.centred()));
        let mut sums = [Total::default(); 5];
        for run in norm.runs(of.group) {
            let (g, u, normal) = (&g[run.clone()], &u[run.clone()], &of.normal[run]);
            let [x, along] = [normal, u].map(|values| move |i: usize| f64::from(values[i]));
            sums[0].add(g, |_, g| g);
            sums[1].add(g, |i, g| g * x(i));
            sums[2].add(u, |_, u| u);
            sums[3].add(u, |i, u| u * x(i));
            sums[4].add(g, |i, g| g * along(i));
        }
        let [g_mean, gx, u_mean, ux, gu] = sums.map(|sum| sum.total() / n);
        let inverse = f64::from(of.inverse);
        let phi = (gu - c * g_mean * u_mean - gx * ux) * inverse;
        for i in norm.runs(of.group).flatten() {
            let x = f64::from(of.normal[i]);
            let of_g = (f64::from(g[i]) - c * g_mean - x * gx) * inverse;
            let of_u = (f64::from(u[i]) - c * u_mean - x * ux) * inverse;
            to[i] = (-(x * phi + of_g * ux + of_u * gx) * inverse) as f32;
        }
    }
}

impl SampleOp for Along {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], scratch: &mut [f32]) {
        self.each_group(inputs[1], scratch, |sample, of| {
            self.0.through(of, &inputs[0][sample.clone()], &mut output[sample]);
        });
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        let a = if call.branch == 0 { call.other } else { call.input };
        self.each_group(a, scratch, |sample, of| {
            let (g, to) = (&signal[0][sample.clone()], &mut to[0][sample.clone()]);
            match call.branch {
                0 => drop(self.0.through(of, g, to)),
                _ => self.bend(of, g, &call.other[sample], to),
            }
        });
    }

    fn scratch(&self, _: usize, _: usize) -> usize {
        self.0.sample()
    }

    fn work(&self) -> usize {
        24 * self.0.sample()
    }
}
