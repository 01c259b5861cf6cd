//! Pixel shuffle: the same numbers in another order.

use super::Linear;
use crate::reference::Real;

pub(super) struct Shuffle {
    /// Of each number of a sample of the output its place in the input.
    places: Vec<usize>,
}

impl Shuffle {
    /// Of `[C r², H, W]` to `[C, r H, r W]`.
    pub(super) fn new(input: &[usize], r: usize) -> Shuffle {
        let [channels, height, width] = [input[0] / (r * r), input[1], input[2]];
        let mut places = Vec::with_capacity(input.iter().product());
        for c in 0..channels {
            for y in 0..r * height {
                for x in 0..r * width {
                    let from = c * r * r + y % r * r + x % r;
                    places.push((from * height + y / r) * width + x / r);
                }
            }
        }
        Shuffle { places }
    }

    /// Of `[C, r H, r W]` to `[C r², H, W]`.
    pub(super) fn inverse(input: &[usize], r: usize) -> Shuffle {
        let forth = Shuffle::new(&[input[0] * r * r, input[1] / r, input[2] / r], r);
        let mut places = vec![0; forth.places.len()];
        forth.places.iter().enumerate().for_each(|(to, from)| places[*from] = to);
        Shuffle { places }
    }
}

impl<T: Real> Linear<T> for Shuffle {
    fn forward(&self, x: &[T]) -> Vec<T> {
        x.chunks_exact(self.places.len()).flat_map(|x| self.places.iter().map(|place| x[*place])).collect()
    }

    fn transposed(&self, _: &[T], s: &[T], _: bool) -> Vec<T> {
        let mut result = vec![T::zero(); s.len()];
        let samples = result.chunks_exact_mut(self.places.len()).zip(s.chunks_exact(self.places.len()));
        for (result, s) in samples {
            self.places.iter().zip(s).for_each(|(place, s)| result[*place] = *s);
        }
        result
    }
}
