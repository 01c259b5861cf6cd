//! What is neither product nor pooling: sums, padding, dropout, normalisation, the order of an image's numbers.

use super::local::{Call, Local, Passed, Sums, Weighted, add_bias, add_squares, add_to, is_diagonal};
use super::{activation, convolution::transpose_each};
use crate::model::{Activation, BatchNorm, threshold};

/// An elementwise function of `size` numbers.
#[derive(Debug)]
pub(super) struct Act {
    pub function: Activation,
    pub size: usize,
}

impl Local for Act {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        activation::forward(self.function, inputs[0], output);
    }

    fn backward(
        &self,
        call: &Call<'_>,
        passed: Passed<'_>,
        signal: &[&[f32]],
        to: &mut [&mut [f32]],
        _: &mut [f32],
    ) {
        activation::backward(self.function, call.mode, passed.input, signal, to);
    }

    fn work(&self) -> usize {
        32 * self.size
    }
}

/// The sum at a block's end.
#[derive(Debug)]
pub(super) struct Add {
    pub size: usize,
}

impl Local for Add {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        output.copy_from_slice(inputs[0]);
        inputs[1..].iter().for_each(|other| add_to(output, other));
    }

    /// The same to each of the inputs.
    fn backward(&self, _: &Call<'_>, _: Passed<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        signal.iter().zip(to).for_each(|(s, to)| to.copy_from_slice(s));
    }

    fn work(&self) -> usize {
        8 * self.size
    }
}

/// `[rows, columns]` of each sample becomes `[columns, rows]`: an image's order, and the user's.
#[derive(Debug)]
pub(super) struct Reorder {
    pub from: [usize; 2],
}

impl Local for Reorder {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        transpose_each(inputs[0], output, self.from);
    }

    fn backward(&self, _: &Call<'_>, _: Passed<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let [rows, columns] = self.from;
        signal.iter().zip(to).for_each(|(s, to)| transpose_each(s, to, [columns, rows]));
    }

    fn work(&self) -> usize {
        8 * self.from[0] * self.from[1]
    }
}

/// Zeros around an image.
#[derive(Debug)]
pub(super) struct Pad {
    /// Height, then width × channels, of the input.
    pub lines: [usize; 2],
    /// Numbers before the first and behind the last of a line, lines above and below.
    pub around: [usize; 4],
}

impl Pad {
    /// Of an image `[channels, height, width]`; `left, right, top, bottom`.
    pub(super) fn new(input: [usize; 3], [left, right, top, bottom]: [usize; 4]) -> Pad {
        let [channels, height, width] = input;
        Pad { lines: [height, width * channels], around: [left * channels, right * channels, top, bottom] }
    }

    fn samples(&self) -> [usize; 2] {
        let ([height, line], [left, right, top, bottom]) = (self.lines, self.around);
        [height * line, (height + top + bottom) * (line + left + right)]
    }

    /// First element of the padded image's line that holds line `row`.
    fn start(&self, row: usize) -> usize {
        let [left, right, top, _] = self.around;
        (row + top) * (self.lines[1] + left + right) + left
    }
}

impl Local for Pad {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let [from, to] = self.samples();
        output.fill(0.0);
        for (x, z) in inputs[0].chunks_exact(from).zip(output.chunks_exact_mut(to)) {
            for (row, x) in x.chunks_exact(self.lines[1]).enumerate() {
                z[self.start(row)..][..x.len()].copy_from_slice(x);
            }
        }
    }

    fn backward(&self, _: &Call<'_>, _: Passed<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let [image, padded] = self.samples();
        for (s, to) in signal.iter().zip(to) {
            for (s, to) in s.chunks_exact(padded).zip(to.chunks_exact_mut(image)) {
                for (row, to) in to.chunks_exact_mut(self.lines[1]).enumerate() {
                    to.copy_from_slice(&s[self.start(row)..][..to.len()]);
                }
            }
        }
    }

    fn work(&self) -> usize {
        4 * self.samples()[1]
    }
}

/// Zeros, and `1 / (1 − p)` times what is kept.
#[derive(Debug)]
pub(super) struct Dropout {
    pub p: f64,
    pub node: u32,
    /// Positions and channels of a sample.
    pub shape: [usize; 2],
}

impl Dropout {
    /// `to ← scale · from` where it is kept. Random numbers are counted in the user's order, channel by channel.
    fn mask(&self, call: &Call<'_>, scale: f32, from: &[f32], to: &mut [f32]) {
        let ([positions, channels], least) = (self.shape, threshold(self.p));
        let rows = from.chunks_exact(channels).zip(to.chunks_exact_mut(channels)).enumerate();
        for (row, (from, to)) in rows {
            let sample = (call.first + row / positions) * positions * channels;
            for (channel, (from, to)) in from.iter().zip(to).enumerate() {
                let element = sample + channel * positions + row % positions;
                let kept = call.noise.word(self.node, element as u32) >= least;
                // A product, so that NaN stays NaN.
                *to = from * if kept { scale } else { 0.0 };
            }
        }
    }

    fn scale(&self) -> f32 {
        (1.0 / (1.0 - self.p)) as f32
    }
}

impl Local for Dropout {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        self.mask(call, self.scale(), inputs[0], output);
    }

    fn backward(
        &self,
        call: &Call<'_>,
        _: Passed<'_>,
        signal: &[&[f32]],
        to: &mut [&mut [f32]],
        _: &mut [f32],
    ) {
        let scale = self.scale();
        for (plane, (s, to)) in signal.iter().zip(to).enumerate() {
            let squared = is_diagonal(plane, signal.len());
            self.mask(call, if squared { scale * scale } else { scale }, s, to);
        }
    }

    fn work(&self) -> usize {
        32 * self.shape[0] * self.shape[1]
    }
}

/// `z = γ x̂ + β`, `x̂ = (x − mean) / √(var + ε)`, per channel.
#[derive(Debug)]
pub(super) struct Normalize {
    mean: Vec<f32>,
    /// `1 / √(var + ε)`
    inverse: Vec<f32>,
    positions: usize,
}

impl Normalize {
    pub(super) fn new(norm: &BatchNorm, positions: usize) -> Normalize {
        let inverse = norm.inverse_deviations().map(|x| x as f32).collect();
        Normalize { mean: norm.mean.clone(), inverse, positions }
    }

    fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Adds `Σ s x̂` of one sample, of `x̂²` if so wanted.
    fn add_sample(&self, x: &[f32], s: &[f32], squared: bool, sums: &mut [f32]) {
        let channels = self.channels();
        for (x, s) in x.chunks_exact(channels).zip(s.chunks_exact(channels)) {
            let constants = self.mean.iter().zip(&self.inverse);
            for ((sum, (mean, inverse)), (x, s)) in sums.iter_mut().zip(constants).zip(x.iter().zip(s)) {
                let feature = (x - mean) * inverse;
                *sum += s * if squared { feature * feature } else { feature };
            }
        }
    }
}

impl Local for Normalize {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let channels = self.channels();
        for (x, z) in inputs[0].chunks_exact(channels).zip(output.chunks_exact_mut(channels)) {
            let constants = self.mean.iter().zip(&self.inverse).zip(call.weight.iter().zip(call.bias));
            for ((z, x), ((mean, inverse), (gamma, beta))) in z.iter_mut().zip(x).zip(constants) {
                *z = gamma * ((x - mean) * inverse) + beta;
            }
        }
    }

    fn backward(
        &self,
        call: &Call<'_>,
        _: Passed<'_>,
        signal: &[&[f32]],
        to: &mut [&mut [f32]],
        _: &mut [f32],
    ) {
        let channels = self.channels();
        for (plane, (s, to)) in signal.iter().zip(to).enumerate() {
            let squared = is_diagonal(plane, signal.len());
            for (s, to) in s.chunks_exact(channels).zip(to.chunks_exact_mut(channels)) {
                for ((to, s), (gamma, inverse)) in
                    to.iter_mut().zip(s).zip(call.weight.iter().zip(&self.inverse))
                {
                    let slope = gamma * inverse;
                    *to = s * if squared { slope * slope } else { slope };
                }
            }
        }
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn work(&self) -> usize {
        8 * self.positions * self.channels()
    }
}

impl Weighted for Normalize {
    fn sizes(&self) -> [usize; 2] {
        [self.channels(); 2]
    }

    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, _: &mut [f32]) {
        let (channels, sample) = (self.channels(), self.positions * self.channels());
        add_bias(signal, sample, sums);
        let Sums { gradient, diagonal, .. } = sums;
        let run = &mut vec![0.0; channels];
        for (plane, s) in signal.iter().enumerate() {
            for (x, s) in x.chunks_exact(sample).zip(s.chunks_exact(sample)) {
                // A sample is summed by itself: shorter chains round less.
                run.fill(0.0);
                let squared = is_diagonal(plane, signal.len());
                self.add_sample(x, s, squared, run);
                match plane {
                    0 => add_to(&mut gradient[0], run),
                    _ if squared => add_to(&mut diagonal[0], run),
                    _ => add_squares(&mut diagonal[0], run),
                }
            }
        }
    }
}
