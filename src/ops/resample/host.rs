//! Resampling on the CPU: loops over the channels of each pair of pixels.

use super::Axes;
use crate::host::{Call, SampleOp, is_diagonal};
use crate::model::Resampling;
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct Resample {
    axes: Axes,
    /// Elements of a line of the input.
    line: usize,
    channels: usize,
    /// Elements of a sample, of the input and of the output.
    sizes: [usize; 2],
}

impl Resample {
    pub(crate) fn new(resampling: &Resampling, channels: usize) -> Resample {
        let elements = |size: [usize; 2]| size[0] * size[1] * channels;
        let sizes = [elements(resampling.image), elements(resampling.positions)];
        Resample { axes: Axes::new(resampling), line: resampling.image[1] * channels, channels, sizes }
    }

    /// Calls `with` for each pixel of the output and each that it is made of: the elements of both, and the weight.
    #[inline(always)]
    fn each(&self, mut with: impl FnMut(Range<usize>, Range<usize>, f32)) {
        let [rows, columns] = &self.axes.0;
        let all = rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column)));
        for (q, (row, column)) in all.enumerate() {
            let output = q * self.channels..(q + 1) * self.channels;
            for (y, along) in row {
                for (x, across) in column {
                    let input = y * self.line + x * self.channels;
                    with(output.clone(), input..input + self.channels, along * across);
                }
            }
        }
    }
}

fn add_times(to: &mut [f32], weight: f32, from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
}

impl SampleOp for Resample {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        output.fill(0.0);
        for (x, z) in inputs[0].chunks_exact(self.sizes[0]).zip(output.chunks_exact_mut(self.sizes[1])) {
            self.each(|to, from, weight| add_times(&mut z[to], weight, &x[from]));
        }
    }

    fn backward(&self, _: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        for (component, (s, to)) in signal.iter().zip(to).enumerate() {
            let squared = is_diagonal(component, signal.len());
            to.fill(0.0);
            for (s, to) in s.chunks_exact(self.sizes[1]).zip(to.chunks_exact_mut(self.sizes[0])) {
                self.each(|output, input, weight| {
                    let weight = if squared { weight * weight } else { weight };
                    add_times(&mut to[input], weight, &s[output]);
                });
            }
        }
    }

    fn work(&self) -> usize {
        self.sizes[1].saturating_mul(8)
    }
}
