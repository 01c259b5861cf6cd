//! Dropout on the CPU.

use crate::host::{Call, SampleOp, is_diagonal};
use crate::model::threshold;

/// Drops elements with probability `p` and scales the others by `1 / (1 − p)`.
#[derive(Debug)]
pub(crate) struct Dropout {
    pub p: f64,
    pub node: u32,
    /// `[positions, channels]` of a sample.
    pub shape: [usize; 2],
}

impl Dropout {
    /// `to ← scale · from`, or 0 where dropped. Random numbers are drawn in the user's order, channel by channel.
    fn mask(&self, call: &Call<'_>, scale: f32, from: &[f32], to: &mut [f32]) {
        let ([positions, channels], least) = (self.shape, threshold(self.p));
        let rows = from.chunks_exact(channels).zip(to.chunks_exact_mut(channels)).enumerate();
        for (row, (from, to)) in rows {
            let sample = (call.first + row / positions) * positions * channels;
            for (channel, (from, to)) in from.iter().zip(to).enumerate() {
                let element = sample + channel * positions + row % positions;
                let kept = call.noise.word(self.node, element as u32) >= least;
                // Multiplied even by 0, so that NaN stays NaN.
                *to = from * if kept { scale } else { 0.0 };
            }
        }
    }

    fn scale(&self) -> f32 {
        (1.0 / (1.0 - self.p)) as f32
    }
}

impl SampleOp for Dropout {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        self.mask(call, self.scale(), inputs[0], output);
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let scale = self.scale();
        for (component, (s, to)) in signal.iter().zip(to).enumerate() {
            let squared = is_diagonal(component, signal.len());
            self.mask(call, if squared { scale * scale } else { scale }, s, to);
        }
    }

    fn work(&self) -> usize {
        32 * self.shape[0] * self.shape[1]
    }
}
