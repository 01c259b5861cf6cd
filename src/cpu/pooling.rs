//! Pooling: each place of the output is made of a rectangle of its channel. Loops run over channels.

use super::local::{Call, Local, Passed, add_to, is_diagonal};
use crate::model::Window;
use pulp::Arch;
use std::ops::Range;

/// The rectangles.
#[derive(Debug)]
struct Rectangles {
    channels: usize,
    /// Height and width of the input.
    image: [usize; 2],
    /// Of each row and each column of the output, the input's that it covers; none of padding.
    covered: [Vec<Range<usize>>; 2],
}

impl Rectangles {
    /// Where a window stands that is not dilated.
    fn new(window: &Window, channels: usize) -> Rectangles {
        let range = |axis: usize, q: usize| {
            let (start, before) = (q * window.stride[axis], window.before[axis]);
            let end = (start + window.kernel[axis]).saturating_sub(before).min(window.image[axis]);
            start.saturating_sub(before).min(end)..end
        };
        let along = |axis: usize| (0..window.positions[axis]).map(|q| range(axis, q)).collect();
        Rectangles { channels, image: window.image, covered: [along(0), along(1)] }
    }

    /// From `⌊q·H/Q⌋` to `⌈(q+1)·H/Q⌉`.
    fn adaptive(image: [usize; 2], output: [usize; 2], channels: usize) -> Rectangles {
        let along = |axis: usize| {
            let (size, positions) = (image[axis], output[axis]);
            (0..positions).map(|q| q * size / positions..((q + 1) * size).div_ceil(positions)).collect()
        };
        Rectangles { channels, image, covered: [along(0), along(1)] }
    }

    /// Numbers of a sample of the input and of the output.
    fn samples(&self) -> [usize; 2] {
        let [rows, columns] = &self.covered;
        [self.image.iter().product::<usize>() * self.channels, rows.len() * columns.len() * self.channels]
    }

    /// Calls `with` for each place of the output: the first of its elements, and how many places it covers.
    #[inline(always)]
    fn each(&self, mut with: impl FnMut(usize, Places<'_>)) {
        let [rows, columns] = &self.covered;
        let all = rows.iter().flat_map(|rows| columns.iter().map(move |columns| (rows, columns)));
        for (q, (rows, columns)) in all.enumerate() {
            with(q * self.channels, Places { rows, columns, width: self.image[1], channels: self.channels });
        }
    }

    fn work(&self) -> usize {
        let [rows, columns] = &self.covered;
        let taps = |of: &Vec<Range<usize>>| of.iter().map(Range::len).sum::<usize>();
        taps(rows).saturating_mul(taps(columns)).saturating_mul(4 * self.channels)
    }
}

/// The places that one rectangle covers.
#[derive(Clone, Copy)]
struct Places<'a> {
    rows: &'a Range<usize>,
    columns: &'a Range<usize>,
    width: usize,
    channels: usize,
}

impl Places<'_> {
    /// The first element of each place, in row-major order.
    #[inline(always)]
    fn elements(self) -> impl Iterator<Item = Range<usize>> {
        let Places { rows, columns, width, channels } = self;
        let (first, last) = (columns.start, columns.end);
        rows.clone().flat_map(move |row| {
            (first..last).map(move |column| {
                let start = (row * width + column) * channels;
                start..start + channels
            })
        })
    }

    fn count(self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

/// The largest number of each rectangle.
#[derive(Debug)]
pub(super) struct Maximum(Rectangles);

impl Maximum {
    pub(super) fn new(window: &Window, channels: usize) -> Maximum {
        Maximum(Rectangles::new(window, channels))
    }
}

impl Local for Maximum {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let [from, to] = self.0.samples();
        for (x, z) in inputs[0].chunks_exact(from).zip(output.chunks_exact_mut(to)) {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    self.0.each(|at, places| {
                        let z = &mut z[at..at + places.channels];
                        z.fill(f32::NEG_INFINITY);
                        for place in places.elements() {
                            // Once z is NaN nothing is above it.
                            let larger = |x: f32, z: f32| if x > z || x.is_nan() { x } else { z };
                            z.iter_mut().zip(&x[place]).for_each(|(z, x)| *z = larger(*x, *z));
                        }
                    });
                },
            );
        }
    }

    /// The first place that holds the maximum gets all.
    fn backward(
        &self,
        _: &Call<'_>,
        passed: Passed<'_>,
        signal: &[&[f32]],
        to: &mut [&mut [f32]],
        scratch: &mut [f32],
    ) {
        let [image, at] = self.0.samples();
        let channels = self.0.channels;
        to.iter_mut().for_each(|to| to.fill(0.0));
        let (left, share) = scratch[..2 * channels].split_at_mut(channels);
        for (sample, (x, z)) in
            passed.input.chunks_exact(image).zip(passed.output.chunks_exact(at)).enumerate()
        {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    self.0.each(|q, places| {
                        let z = &z[q..q + channels];
                        left.fill(1.0);
                        for place in places.elements() {
                            let found = x[place.clone()].iter().zip(z);
                            for ((share, left), (x, z)) in share.iter_mut().zip(&mut *left).zip(found) {
                                let found = *x == *z || (x.is_nan() && z.is_nan());
                                *share = if found { *left } else { 0.0 };
                                *left -= *share;
                            }
                            for (s, to) in signal.iter().zip(&mut *to) {
                                let s = &s[sample * at + q..][..channels];
                                let to = &mut to[sample * image + place.start..][..channels];
                                let from = share.iter().zip(s);
                                to.iter_mut().zip(from).for_each(|(to, (share, s))| *to += share * s);
                            }
                        }
                    });
                },
            );
        }
    }

    fn scratch(&self, _: usize) -> usize {
        2 * self.0.channels
    }

    fn work(&self) -> usize {
        self.0.work()
    }
}

/// The mean of each rectangle.
#[derive(Debug)]
pub(super) struct Mean {
    rectangles: Rectangles,
    /// What every sum is divided by; without it, the number of places that it is of.
    divisor: Option<usize>,
}

impl Mean {
    pub(super) fn new(window: &Window, channels: usize, count_padding: bool) -> Mean {
        let divisor = count_padding.then(|| window.taps());
        Mean { rectangles: Rectangles::new(window, channels), divisor }
    }

    pub(super) fn adaptive(image: [usize; 2], output: [usize; 2], channels: usize) -> Mean {
        Mean { rectangles: Rectangles::adaptive(image, output, channels), divisor: None }
    }

    fn share(&self, places: Places<'_>) -> f32 {
        (1.0 / self.divisor.unwrap_or(places.count()) as f64) as f32
    }
}

impl Local for Mean {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let [from, to] = self.rectangles.samples();
        for (x, z) in inputs[0].chunks_exact(from).zip(output.chunks_exact_mut(to)) {
            self.rectangles.each(|at, places| {
                let z = &mut z[at..at + places.channels];
                z.fill(0.0);
                places.elements().for_each(|place| add_to(z, &x[place]));
                let share = self.share(places);
                z.iter_mut().for_each(|z| *z *= share);
            });
        }
    }

    fn backward(&self, _: &Call<'_>, _: Passed<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let [image, at] = self.rectangles.samples();
        for (plane, (s, to)) in signal.iter().zip(to).enumerate() {
            to.fill(0.0);
            for (s, to) in s.chunks_exact(at).zip(to.chunks_exact_mut(image)) {
                self.rectangles.each(|q, places| {
                    let share = self.share(places);
                    let share = if is_diagonal(plane, signal.len()) { share * share } else { share };
                    for place in places.elements() {
                        let s = &s[q..q + places.channels];
                        to[place].iter_mut().zip(s).for_each(|(to, s)| *to += share * s);
                    }
                });
            }
        }
    }

    fn work(&self) -> usize {
        self.rectangles.work()
    }
}
