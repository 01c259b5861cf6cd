//! Layer, RMS and group normalisation on the CPU. What is summed over a group is summed in `f64`.

use crate::host::vector::{add_squares, add_to};
use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};
use crate::model::{Mode, Normalization};
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

    /// A group's elements: each one's channel and place.
    fn elements(&self, group: usize) -> impl Iterator<Item = (usize, usize)> {
        self.runs(group).flat_map(move |run| self.channels(group).zip(run))
    }

    /// Writes x̂ of a group. Returns `1 / s`.
    fn standardize(&self, group: usize, x: &[f32], normal: &mut [f32]) -> f32 {
        let (runs, count) = (self.runs(group), self.0.len() as f64);
        let elements = runs.clone().flat_map(|run| &x[run]).map(|x| f64::from(*x));
        let mean = if self.0.centred { elements.clone().sum::<f64>() / count } else { 0.0 };
        let variance = elements.map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        let inverse = 1.0 / (variance + self.0.eps).sqrt();
        for run in runs {
            for (normal, x) in normal[run.clone()].iter_mut().zip(&x[run]) {
                *normal = ((f64::from(*x) - mean) * inverse) as f32;
            }
        }
        inverse as f32
    }

    /// c
    fn centred(&self) -> f32 {
        f32::from(self.0.centred)
    }

    /// Means over a group of t, t x̂ and t x̂², with `t = γ s`, or `γ² s` if `squared`.
    fn means(&self, of: &Group<'_>, s: &[f32], squared: bool) -> [f32; 3] {
        let mut sums = [0.0; 3];
        for (c, i) in self.elements(of.group) {
            let (x, t) = (f64::from(of.normal[i]), f64::from(of.scaled(c, s[i], squared)));
            sums[0] += t;
            sums[1] += t * x;
            sums[2] += t * x * x;
        }
        sums.map(|sum| (sum / self.0.len() as f64) as f32)
    }

    /// `to ← Jᵀ s`; returns the mean of `γ s x̂`.
    fn through(&self, of: &Group<'_>, s: &[f32], to: &mut [f32]) -> f32 {
        let [plain, once, _] = self.means(of, s, false);
        for (c, i) in self.elements(of.group) {
            let t = of.scaled(c, s[i], false);
            to[i] = (t - self.centred() * plain - of.normal[i] * once) * of.inverse;
        }
        once
    }

    /// `to ← (J∘J)ᵀ s`
    fn through_squares(&self, of: &Group<'_>, s: &[f32], to: &mut [f32]) {
        let (n, c) = (self.0.len() as f32, self.centred());
        let [plain, once, twice] = self.means(of, s, true);
        for (channel, i) in self.elements(of.group) {
            let (x, t) = (of.normal[i], of.scaled(channel, s[i], true));
            let own = t * (1.0 - 2.0 * (c + x * x) / n);
            let others = c * (plain + 2.0 * x * once) + x * x * twice;
            to[i] = (own + others / n) * (of.inverse * of.inverse);
        }
    }

    /// `to ← to + Σ_k g_k ∂²z_k/∂x_i²`, from the gradient below and the mean of `γ g x̂` above.
    fn add_second_derivatives(&self, of: &Group<'_>, below: &[f32], slope: f32, to: &mut [f32]) {
        let (n, c) = (self.0.len() as f32, self.centred());
        for (_, i) in self.elements(of.group) {
            let x = of.normal[i];
            let rest = 1.0 - (c + x * x) / n;
            to[i] -= (2.0 * x * below[i] / n + rest * of.inverse * slope) * of.inverse;
        }
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
            let through = s.iter().zip(&mut *linear).map(|(s, to)| self.through(&of, s, to));
            let slopes: Vec<f32> = through.collect();
            if let [h] = h {
                self.through_squares(&of, s[linear.len()], h);
                if call.mode != Mode::HesScaleGn {
                    self.add_second_derivatives(&of, linear[0], slopes[0], h);
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

impl Group<'_> {
    /// `γ s`, or `γ² s`.
    fn scaled(&self, channel: usize, s: f32, squared: bool) -> f32 {
        match self.gamma.get(channel) {
            Some(gamma) => s * if squared { gamma * gamma } else { *gamma },
            None => s,
        }
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

    fn scratch(&self, _: usize) -> usize {
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
