//! Pixel shuffle on the CPU.

use super::PixelShuffle;
use crate::graph::Value;
use crate::host::{Call, SampleOp};

#[derive(Debug)]
pub(crate) struct Shuffle {
    /// Of each element of a sample's output the one of the input that it is.
    places: Vec<usize>,
}

impl Shuffle {
    pub(crate) fn new(shuffle: &PixelShuffle, input: &Value, output: &Value) -> Shuffle {
        let (large, small) = if shuffle.enlarges { (output, input) } else { (input, output) };
        let (r, [height, width], channels) = (shuffle.factor, large.size(), large.channels());
        let mut places = vec![0; height * width * channels];
        for (i, (y, x)) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).enumerate() {
            let pixel = (y / r * (width / r) + x / r) * small.channels();
            for c in 0..channels {
                let (there, here) = (pixel + (c * r + y % r) * r + x % r, i * channels + c);
                match shuffle.enlarges {
                    true => places[here] = there,
                    false => places[there] = here,
                }
            }
        }
        Shuffle { places }
    }
}

impl SampleOp for Shuffle {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let len = self.places.len();
        for (x, z) in inputs[0].chunks_exact(len).zip(output.chunks_exact_mut(len)) {
            z.iter_mut().zip(&self.places).for_each(|(z, place)| *z = x[*place]);
        }
    }

    fn backward(&self, _: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let len = self.places.len();
        for (s, to) in signal.iter().zip(to) {
            for (s, to) in s.chunks_exact(len).zip(to.chunks_exact_mut(len)) {
                s.iter().zip(&self.places).for_each(|(s, place)| to[*place] = *s);
            }
        }
    }

    fn work(&self) -> usize {
        4 * self.places.len()
    }
}
