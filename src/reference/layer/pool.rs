//! Pooling: each element of the output is computed from a window of its channel.

use super::{Linear, power};
use crate::model::Window;
use crate::reference::Real;

struct Windows {
    /// Places of one channel of the input.
    places: usize,
    /// Of each place of the output, those of the input that it covers, in row-major order; none of padding.
    covered: Vec<Vec<usize>>,
}

impl Windows {
    fn new(window: &Window) -> Windows {
        let along = |axis: usize| -> Vec<Vec<usize>> {
            let taps =
                |q| (0..window.kernel[axis]).filter_map(move |tap| window.covers(axis, q, tap)).collect();
            (0..window.positions[axis]).map(taps).collect()
        };
        Windows::product(window.image, &along(0), &along(1))
    }

    /// Windows that are a set of rows by a set of columns.
    fn product(image: [usize; 2], rows: &[Vec<usize>], columns: &[Vec<usize>]) -> Windows {
        let window = |rows: &[usize], columns: &[usize]| {
            rows.iter().flat_map(|row| columns.iter().map(move |column| row * image[1] + column)).collect()
        };
        let covered = rows.iter().flat_map(|rows| columns.iter().map(move |columns| window(rows, columns)));
        Windows { places: image[0] * image[1], covered: covered.collect() }
    }

    /// The output whose every place is `make` of its channel and its index.
    fn forward<T: Real>(&self, x: &[T], make: impl Fn(&[T], usize) -> T) -> Vec<T> {
        let channels = x.chunks_exact(self.places);
        channels.flat_map(|x| (0..self.covered.len()).map(|q| make(x, q)).collect::<Vec<T>>()).collect()
    }

    /// The input's places, each with what `scatter` adds to its channel for every place of the output.
    fn backward<T: Real>(&self, x: &[T], s: &[T], scatter: impl Fn(&[T], usize, T, &mut [T])) -> Vec<T> {
        let mut result = vec![T::zero(); s.len() / self.covered.len() * self.places];
        let channels = result.chunks_exact_mut(self.places).zip(x.chunks_exact(self.places));
        for ((result, x), s) in channels.zip(s.chunks_exact(self.covered.len())) {
            s.iter().enumerate().for_each(|(q, s)| scatter(x, q, *s, result));
        }
        result
    }
}

pub(super) struct Maximum(Windows);

impl Maximum {
    pub(super) fn new(window: &Window) -> Maximum {
        Maximum(Windows::new(window))
    }

    /// Where the largest number of window `q` stands; of equals the first. NaN is larger than any number and equals itself.
    fn place<T: Real>(&self, x: &[T], q: usize) -> usize {
        let covered = &self.0.covered[q];
        let is_nan = |x: T| x.value().is_nan();
        let above = |a: T, b: T| !is_nan(b) && (is_nan(a) || a > b);
        covered[1..]
            .iter()
            .fold(covered[0], |best, place| if above(x[*place], x[best]) { *place } else { best })
    }
}

impl<T: Real> Linear<T> for Maximum {
    fn forward(&self, x: &[T]) -> Vec<T> {
        self.0.forward(x, |x, q| x[self.place(x, q)])
    }

    fn transposed(&self, x: &[T], s: &[T], _: bool) -> Vec<T> {
        self.0.backward(x, s, |x, q, s, result| result[self.place(x, q)] += s)
    }
}

pub(super) struct Average {
    windows: Windows,
    /// What the sum of each window is divided by.
    divisors: Vec<usize>,
}

impl Average {
    pub(super) fn new(window: &Window, count_padding: bool) -> Average {
        let average = Average::of(Windows::new(window));
        if !count_padding {
            return average;
        }
        // A window ends where the padding does.
        let along = |axis: usize| {
            let end = window.padded()[axis];
            let starts = (0..window.positions[axis]).map(move |q| q * window.stride[axis]);
            starts.map(move |start| (start + window.kernel[axis]).min(end) - start)
        };
        let divisors = along(0).flat_map(|rows| along(1).map(move |columns| rows * columns)).collect();
        Average { divisors, ..average }
    }

    /// Those divided by the number of places that they cover.
    fn of(windows: Windows) -> Average {
        Average { divisors: windows.covered.iter().map(Vec::len).collect(), windows }
    }

    /// Windows from `⌊q·H/Q⌋` to `⌈(q+1)·H/Q⌉`.
    pub(super) fn adaptive(image: [usize; 2], output: [usize; 2]) -> Average {
        let along = |axis: usize| -> Vec<Vec<usize>> {
            let (size, positions) = (image[axis], output[axis]);
            let window = |q: usize| (q * size / positions..((q + 1) * size).div_ceil(positions)).collect();
            (0..positions).map(window).collect()
        };
        Average::of(Windows::product(image, &along(0), &along(1)))
    }

    fn share<T: Real>(&self, q: usize) -> T {
        T::from_f64(1.0 / self.divisors[q] as f64)
    }
}

impl<T: Real> Linear<T> for Average {
    fn forward(&self, x: &[T]) -> Vec<T> {
        self.windows.forward(x, |x, q| {
            let sum = self.windows.covered[q].iter().fold(T::zero(), |sum, place| sum + x[*place]);
            self.share::<T>(q) * sum
        })
    }

    fn transposed(&self, x: &[T], s: &[T], squared: bool) -> Vec<T> {
        self.windows.backward(x, s, |_, q, s, result| {
            let share = power(self.share::<T>(q), squared) * s;
            self.windows.covered[q].iter().for_each(|place| result[*place] += share);
        })
    }
}
