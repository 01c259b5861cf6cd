//! Elementwise products on the CPU.

use crate::host::{Call, SampleOp, is_diagonal};

/// The product of two inputs of `size` elements a sample.
#[derive(Debug)]
pub(crate) struct Multiply {
    pub size: usize,
}

impl SampleOp for Multiply {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let factors = inputs[0].iter().zip(inputs[1]);
        output.iter_mut().zip(factors).for_each(|(z, (x, y))| *z = x * y);
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        for (component, (s, to)) in signal.iter().zip(to).enumerate() {
            let squared = is_diagonal(component, signal.len());
            let factors = s.iter().zip(call.other);
            to.iter_mut().zip(factors).for_each(|(to, (s, y))| *to = s * if squared { y * y } else { *y });
        }
    }

    fn work(&self) -> usize {
        8 * self.size
    }
}
