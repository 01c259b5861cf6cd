//! Zeros around an image; backwards the border is cut off.

use super::Linear;
use crate::reference::Real;

pub(super) struct Pad {
    /// Numbers of one sample of the output.
    outputs: usize,
    /// Of each number of a sample, its place in the output.
    places: Vec<usize>,
}

impl Pad {
    /// On samples of shape `[channels, height, width]`; `left, right, top, bottom`.
    pub(super) fn new(input: &[usize], [left, right, top, bottom]: [usize; 4]) -> Pad {
        let (channels, height, width) = (input[0], input[1], input[2]);
        let (tall, wide) = (height + top + bottom, width + left + right);
        let place = |c: usize, row: usize, column: usize| (c * tall + row + top) * wide + column + left;
        let places = (0..channels).flat_map(|c| {
            (0..height).flat_map(move |row| (0..width).map(move |column| place(c, row, column)))
        });
        Pad { outputs: channels * tall * wide, places: places.collect() }
    }
}

impl<T: Real> Linear<T> for Pad {
    fn forward(&self, x: &[T]) -> Vec<T> {
        let mut z = vec![T::zero(); x.len() / self.places.len() * self.outputs];
        for (z, x) in z.chunks_exact_mut(self.outputs).zip(x.chunks_exact(self.places.len())) {
            self.places.iter().zip(x).for_each(|(place, x)| z[*place] = *x);
        }
        z
    }

    fn transposed(&self, _: &[T], s: &[T], _: bool) -> Vec<T> {
        s.chunks_exact(self.outputs).flat_map(|s| self.places.iter().map(|place| s[*place])).collect()
    }
}
