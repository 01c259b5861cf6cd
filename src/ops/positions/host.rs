//! Learned positions on the CPU.

use crate::host::vector::{add_squares, add_to};
use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};

/// `z = x + W`, of `size` elements a sample.
#[derive(Debug)]
pub(crate) struct Positions {
    pub size: usize,
}

impl SampleOp for Positions {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        for (x, z) in inputs[0].chunks_exact(self.size).zip(output.chunks_exact_mut(self.size)) {
            z.copy_from_slice(x);
            add_to(z, call.weight);
        }
    }

    fn backward(&self, _: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        to.iter_mut().zip(signal).for_each(|(to, s)| to.copy_from_slice(s));
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn work(&self) -> usize {
        self.size
    }
}

impl Weighted for Positions {
    fn sizes(&self) -> [usize; 2] {
        [self.size, 0]
    }

    fn add(&self, _: &Call<'_>, _: &[f32], signal: &[&[f32]], sums: &mut Sums, _: &mut [f32]) {
        let Sums { gradient, diagonal, .. } = sums;
        for (component, s) in signal.iter().enumerate() {
            for s in s.chunks_exact(self.size) {
                match component {
                    0 => add_to(&mut gradient[0], s),
                    _ if is_diagonal(component, signal.len()) => add_to(&mut diagonal[0], s),
                    _ => add_squares(&mut diagonal[0], s),
                }
            }
        }
    }
}
