//! Slopes of activations on the CPU.

use crate::host::{Call, SampleOp};
use crate::model::Activation;
use crate::ops::act::host::{bend, slope};

/// `ż = f'(a) ȧ` of `size` elements a sample.
#[derive(Debug)]
pub(crate) struct Slope {
    pub function: Activation,
    pub size: usize,
}

impl SampleOp for Slope {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        slope(self.function, inputs[1], inputs[0], output);
    }

    /// To ȧ by `f'(a)`, to a by `f''(a) ȧ`.
    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        match call.branch {
            0 => slope(self.function, call.other, signal[0], to[0]),
            _ => bend(self.function, call.input, call.other, signal[0], to[0]),
        }
    }

    /// Pieces of straight lines do not bend.
    fn reaches(&self, input: usize) -> bool {
        input == 0 || self.function.bends()
    }

    fn work(&self) -> usize {
        32 * self.size
    }
}
