//! Pixel shuffle on the CPU.

use super::PixelShuffle;
use crate::graph::Value;
use crate::host::{Call, SampleOp};

#[derive(Debug)]
pub(crate) struct Shuffle {
    factor: usize,
    enlarges: bool,
    /// Height, width and channels of the larger image.
    large: [usize; 3],
}

impl Shuffle {
    pub(crate) fn new(shuffle: &PixelShuffle, input: &Value, output: &Value) -> Shuffle {
        let large = if shuffle.enlarges { output } else { input };
        let [height, width] = large.size();
        let (factor, enlarges) = (shuffle.factor, shuffle.enlarges);
        Shuffle { factor, enlarges, large: [height, width, large.channels()] }
    }

    fn len(&self) -> usize {
        self.large.iter().product()
    }

    /// `to ← from`, from the smaller image to the larger one or back.
    fn move_to(&self, enlarges: bool, from: &[f32], to: &mut [f32]) {
        let (r, [height, width, channels]) = (self.factor, self.large);
        for (i, (y, x)) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).enumerate() {
            let pixel = (y / r * (width / r) + x / r) * channels * r * r + y % r * r + x % r;
            for c in 0..channels {
                let (large, small) = (i * channels + c, pixel + c * r * r);
                match enlarges {
                    true => to[large] = from[small],
                    false => to[small] = from[large],
                }
            }
        }
    }
}

impl SampleOp for Shuffle {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        for (x, z) in inputs[0].chunks_exact(self.len()).zip(output.chunks_exact_mut(self.len())) {
            self.move_to(self.enlarges, x, z);
        }
    }

    fn backward(&self, _: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        for (s, to) in signal.iter().zip(to) {
            for (s, to) in s.chunks_exact(self.len()).zip(to.chunks_exact_mut(self.len())) {
                self.move_to(!self.enlarges, s, to);
            }
        }
    }

    fn work(&self) -> usize {
        4 * self.len()
    }
}
