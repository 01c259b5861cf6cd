//! Residual sums on the CPU.

use crate::host::vector::add_to;
use crate::host::{Call, SampleOp};

/// The sum of several inputs of `size` elements a sample.
#[derive(Debug)]
pub(crate) struct Add {
    pub size: usize,
}

impl SampleOp for Add {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        output.copy_from_slice(inputs[0]);
        inputs[1..].iter().for_each(|other| add_to(output, other));
    }

    /// Every input gets the output's signal.
    fn backward(&self, _: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        signal.iter().zip(to).for_each(|(s, to)| to.copy_from_slice(s));
    }

    fn is_sum(&self) -> bool {
        true
    }

    fn work(&self) -> usize {
        8 * self.size
    }
}
