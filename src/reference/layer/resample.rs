//! Images of another size, each channel by itself: upsampling as PyTorch documents it, padding by reflection and by the edge.

use super::{Linear, power};
use crate::model::{Interpolation, Layer};
use crate::reference::Real;

/// Of each place along an axis of the output, those of the input with their weights.
type Axis = Vec<Vec<(usize, f64)>>;

pub(super) struct Resample {
    /// Height and width of the input.
    image: [usize; 2],
    axes: [Axis; 2],
}

impl Resample {
    /// On samples of shape `[channels, height, width]`, or `[channels, length]`; `None` for another layer.
    pub(super) fn new(layer: &Layer, input: &[usize]) -> Option<Resample> {
        if let (Layer::Last, &[_, length]) = (layer, input) {
            return Some(Resample {
                image: [1, length],
                axes: [vec![vec![(0, 1.0)]], vec![vec![(length - 1, 1.0)]]],
            });
        }
        let &[_, height, width] = input else { return None };
        let image = [height, width];
        let around = |[left, right, top, bottom]: [usize; 4], place: fn(isize, isize) -> isize| {
            let sides = [[top, bottom], [left, right]];
            [0, 1].map(|axis| {
                let ([before, behind], last) = (sides[axis].map(|n| n as isize), image[axis] as isize - 1);
                let places = (-before..=last + behind).map(|at| place(at, last));
                places.map(|place| vec![(place as usize, 1.0)]).collect()
            })
        };
        let axes = match layer {
            Layer::Upsample2d(up) => [0, 1].map(|axis| {
                let (from, to) = (image[axis], image[axis] * up.scale[axis]);
                (0..to).map(|q| between(up.mode, q, from, up.scale[axis])).collect()
            }),
            Layer::ReflectionPad2d { padding } => around(*padding, |at, last| match at {
                ..0 => -at,
                _ if at > last => 2 * last - at,
                _ => at,
            }),
            Layer::ReplicationPad2d { padding } => around(*padding, |at, last| at.clamp(0, last)),
            _ => return None,
        };
        Some(Resample { image, axes })
    }

    /// Numbers of one channel, of the input and of the output.
    fn sizes(&self) -> [usize; 2] {
        [self.image[0] * self.image[1], self.axes[0].len() * self.axes[1].len()]
    }

    /// Of each place of the output those of the input with the weights: products of rows' and columns'.
    fn each(&self, mut with: impl FnMut(usize, usize, f64)) {
        let [rows, columns] = &self.axes;
        for (q, (row, column)) in rows.iter().flat_map(|r| columns.iter().map(move |c| (r, c))).enumerate() {
            for (y, a) in row {
                column.iter().for_each(|(x, b)| with(q, y * self.image[1] + x, a * b));
            }
        }
    }
}

/// What pixel `q` of an axis is made of, `n` pixels being enlarged by `scale`.
fn between(mode: Interpolation, q: usize, n: usize, scale: usize) -> Vec<(usize, f64)> {
    let at = match mode {
        Interpolation::Nearest => return vec![(q / scale, 1.0)],
        Interpolation::Bilinear => ((q as f64 + 0.5) / scale as f64 - 0.5).max(0.0),
        Interpolation::BilinearAligned if n == 1 => 0.0,
        Interpolation::BilinearAligned => (q * (n - 1)) as f64 / (n * scale - 1) as f64,
    };
    let first = (at.floor() as usize).min(n - 1);
    let second = (first + 1).min(n - 1);
    if second == first || at == first as f64 {
        return vec![(first, 1.0)];
    }
    vec![(first, 1.0 - (at - first as f64)), (second, at - first as f64)]
}

impl<T: Real> Linear<T> for Resample {
    fn forward(&self, x: &[T]) -> Vec<T> {
        let [from, to] = self.sizes();
        let mut z = vec![T::zero(); x.len() / from * to];
        for (z, x) in z.chunks_exact_mut(to).zip(x.chunks_exact(from)) {
            self.each(|q, place, weight| z[q] += T::from_f64(weight) * x[place]);
        }
        z
    }

    fn transposed(&self, _: &[T], s: &[T], squared: bool) -> Vec<T> {
        let [from, to] = self.sizes();
        let mut result = vec![T::zero(); s.len() / to * from];
        for (result, s) in result.chunks_exact_mut(from).zip(s.chunks_exact(to)) {
            self.each(|q, place, weight| result[place] += power(T::from_f64(weight), squared) * s[q]);
        }
        result
    }
}
