//! Zero padding on the CPU.

use crate::host::{Call, SampleOp};

#[derive(Debug)]
pub(crate) struct Pad {
    /// Height, then width × channels, of the input.
    pub lines: [usize; 2],
    /// Elements left and right of each line, lines above and below.
    pub around: [usize; 4],
}

impl Pad {
    /// For an image `[channels, height, width]`; padding is `left, right, top, bottom`.
    pub(crate) fn new(input: [usize; 3], [left, right, top, bottom]: [usize; 4]) -> Pad {
        let [channels, height, width] = input;
        Pad { lines: [height, width * channels], around: [left * channels, right * channels, top, bottom] }
    }

    /// Elements of a sample, of the input and of the output.
    fn sample_sizes(&self) -> [usize; 2] {
        let ([height, line], [left, right, top, bottom]) = (self.lines, self.around);
        [height * line, (height + top + bottom) * (line + left + right)]
    }

    /// Where line `row` starts in the padded image.
    fn start(&self, row: usize) -> usize {
        let [left, right, top, _] = self.around;
        (row + top) * (self.lines[1] + left + right) + left
    }
}

impl SampleOp for Pad {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let [from, to] = self.sample_sizes();
        output.fill(0.0);
        for (x, z) in inputs[0].chunks_exact(from).zip(output.chunks_exact_mut(to)) {
            for (row, x) in x.chunks_exact(self.lines[1]).enumerate() {
                z[self.start(row)..][..x.len()].copy_from_slice(x);
            }
        }
    }

    fn backward(&self, _: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let [image, padded] = self.sample_sizes();
        for (s, to) in signal.iter().zip(to) {
            for (s, to) in s.chunks_exact(padded).zip(to.chunks_exact_mut(image)) {
                for (row, to) in to.chunks_exact_mut(self.lines[1]).enumerate() {
                    to.copy_from_slice(&s[self.start(row)..][..to.len()]);
                }
            }
        }
    }

    fn work(&self) -> usize {
        4 * self.sample_sizes()[1]
    }
}
