//! Concatenation on the CPU.

use crate::host::{Call, SampleOp};
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct Concat {
    /// Channels of the first input, and of the output.
    pub first: usize,
    pub all: usize,
    pub positions: usize,
}

impl Concat {
    /// The channels of the output that are an input's.
    fn part(&self, input: usize) -> Range<usize> {
        if input == 0 { 0..self.first } else { self.first..self.all }
    }
}

impl SampleOp for Concat {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        for (input, x) in inputs.iter().enumerate() {
            let part = self.part(input);
            for (x, z) in x.chunks_exact(part.len()).zip(output.chunks_exact_mut(self.all)) {
                z[part.clone()].copy_from_slice(x);
            }
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let part = self.part(call.branch);
        for (s, to) in signal.iter().zip(to) {
            for (s, to) in s.chunks_exact(self.all).zip(to.chunks_exact_mut(part.len())) {
                to.copy_from_slice(&s[part.clone()]);
            }
        }
    }

    fn work(&self) -> usize {
        8 * self.all * self.positions
    }
}
