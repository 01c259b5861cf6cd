//! Its CPU path.

use crate::host::{Call, SampleOp, is_diagonal};

#[derive(Debug)]
pub(super) struct Mirror {
    pub features: usize,
}

fn factor(i: usize) -> f32 {
    (1 + i % 3) as f32
}

impl SampleOp for Mirror {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        for (x, z) in inputs[0].chunks_exact(self.features).zip(output.chunks_exact_mut(self.features)) {
            z.iter_mut().zip(x.iter().rev()).enumerate().for_each(|(i, (z, x))| *z = factor(i) * x);
        }
    }

    fn backward(&self, _: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        for (component, (s, to)) in signal.iter().zip(to).enumerate() {
            let squared = is_diagonal(component, signal.len());
            let factor = |i| if squared { factor(i) * factor(i) } else { factor(i) };
            for (s, to) in s.chunks_exact(self.features).zip(to.chunks_exact_mut(self.features)) {
                s.iter().zip(to.iter_mut().rev()).enumerate().for_each(|(i, (s, to))| *to = factor(i) * s);
            }
        }
    }

    fn work(&self) -> usize {
        self.features
    }
}
