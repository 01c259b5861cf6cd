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
        group * self.0.width()..(group + 1) * self.0.width()
    }

    /// Where a group lies in a sample: its channels at every position.
    fn runs(&self, group: usize) -> impl Iterator<Item = Range<usize>> + Clone {
        let (channels, of) = (self.0.channels, self.channels(group));
        (0..self.0.positions).map(move |q| q * channels + of.start..q * channels + of.end)
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

    /// `Σ t`, `Σ t x̂` and `Σ t x̂²` over a group, with `t = γ s`, or `γ² s` if `squared`.
    fn moments(&self, group: usize, gamma: &[f32], normal: &[f32], s: &[f32], squared: bool) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for run in self.runs(group) {
            for (c, i) in self.channels(group).zip(run) {
                let (x, t) = (f64::from(normal[i]), f64::from(scaled(gamma, c, s[i], squared)));
                sums[0] += t;
                sums[1] += t * x;
                sums[2] += t * x * x;
            }
        }
        sums
    }

    /// A sample's signal, group by group: the rules of `reference/layer/norm.rs`.
    fn backward_sample(
        &self,
        call: &Call<'_>,
        x: &[f32],
        s: &[&[f32]],
        to: &mut [&mut [f32]],
        normal: &mut [f32],
    ) {
        let (gamma, components) = (call.weight, s.len());
        let n = self.0.len() as f32;
        let centred = f32::from(self.0.centred);
        for group in 0..self.0.groups {
            let inverse = self.standardize(group, x, normal);
            let mut slope_of_g = 0.0;
            for (component, s) in s.iter().enumerate() {
                let squared = is_diagonal(component, components);
                let sums = self.moments(group, gamma, normal, s, squared).map(|sum| sum as f32 / n);
                let [plain, once, twice] = sums;
                if component == 0 {
                    slope_of_g = once;
                }
                let (g, others) = to.split_first_mut().expect("there is a gradient");
                let elements = self.runs(group).flat_map(|run| self.channels(group).zip(run));
                for (c, i) in elements {
                    let (x, t) = (normal[i], scaled(gamma, c, s[i], squared));
                    if !squared {
                        let slope = (t - centred * plain - x * once) * inverse;
                        if component == 0 {
                            g[i] = slope
                        } else {
                            others[component - 1][i] = slope
                        }
                        continue;
                    }
                    let share = (centred + x * x) / n;
                    let sums = (centred * (plain + 2.0 * x * once) + x * x * twice) / n;
                    let mut h = (t * (1.0 - 2.0 * share) + sums) * (inverse * inverse);
                    if call.mode != Mode::HesScaleGn {
                        h -= (2.0 * x * g[i] / n + (1.0 - share) * inverse * slope_of_g) * inverse;
                    }
                    others[component - 1][i] = h;
                }
            }
        }
    }
}

/// `γ s`, or `γ² s`; without γ, s.
fn scaled(gamma: &[f32], channel: usize, s: f32, squared: bool) -> f32 {
    match gamma.get(channel) {
        Some(gamma) => s * if squared { gamma * gamma } else { *gamma },
        None => s,
    }
}

impl SampleOp for Normalize {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let sample = self.sample();
        for (x, z) in inputs[0].chunks_exact(sample).zip(output.chunks_exact_mut(sample)) {
            for group in 0..self.0.groups {
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
            for group in 0..self.0.groups {
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
