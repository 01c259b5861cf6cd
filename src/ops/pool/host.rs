//! Pooling on the CPU: each output pixel is made of a rectangle of the input. Loops run over channels.

use crate::host::vector::add_to;
use crate::host::{Call, SampleOp, is_diagonal};
use crate::model::Window;
use pulp::Arch;
use std::ops::Range;

/// The rectangles of all output pixels.
#[derive(Debug)]
struct Rectangles {
    channels: usize,
    /// Height and width of the input.
    image: [usize; 2],
    /// The input rows of each output row, and the columns of each column; padding is left out.
    covered: [Vec<Range<usize>>; 2],
}

impl Rectangles {
    /// Those of a window without dilation.
    fn new(window: &Window, channels: usize) -> Rectangles {
        let range = |axis: usize, q: usize| {
            let (start, before) = (q * window.stride[axis], window.before[axis]);
            let end = (start + window.kernel[axis]).saturating_sub(before).min(window.image[axis]);
            start.saturating_sub(before).min(end)..end
        };
        let along = |axis: usize| (0..window.positions[axis]).map(|q| range(axis, q)).collect();
        Rectangles { channels, image: window.image, covered: [along(0), along(1)] }
    }

    /// Those of adaptive pooling: from `⌊q·H/Q⌋` to `⌈(q+1)·H/Q⌉`.
    fn adaptive(image: [usize; 2], output: [usize; 2], channels: usize) -> Rectangles {
        let along = |axis: usize| {
            let (size, positions) = (image[axis], output[axis]);
            (0..positions).map(|q| q * size / positions..((q + 1) * size).div_ceil(positions)).collect()
        };
        Rectangles { channels, image, covered: [along(0), along(1)] }
    }

    /// Elements of a sample, of the input and of the output.
    fn sample_sizes(&self) -> [usize; 2] {
        let [rows, columns] = &self.covered;
        [self.image.iter().product::<usize>() * self.channels, rows.len() * columns.len() * self.channels]
    }

    /// Calls `with` for each output pixel: its first element, and its rectangle.
    #[inline(always)]
    fn each(&self, mut with: impl FnMut(usize, Rectangle<'_>)) {
        let [rows, columns] = &self.covered;
        let all = rows.iter().flat_map(|rows| columns.iter().map(move |columns| (rows, columns)));
        for (q, (rows, columns)) in all.enumerate() {
            with(
                q * self.channels,
                Rectangle { rows, columns, width: self.image[1], channels: self.channels },
            );
        }
    }

    fn work(&self) -> usize {
        let [rows, columns] = &self.covered;
        let taps = |of: &Vec<Range<usize>>| of.iter().map(Range::len).sum::<usize>();
        taps(rows).saturating_mul(taps(columns)).saturating_mul(4 * self.channels)
    }
}

/// The input pixels of one output pixel.
#[derive(Clone, Copy)]
struct Rectangle<'a> {
    rows: &'a Range<usize>,
    columns: &'a Range<usize>,
    width: usize,
    channels: usize,
}

impl Rectangle<'_> {
    /// The elements of each pixel, in row-major order.
    #[inline(always)]
    fn pixels(self) -> impl Iterator<Item = Range<usize>> {
        let Rectangle { rows, columns, width, channels } = self;
        let (first, last) = (columns.start, columns.end);
        rows.clone().flat_map(move |row| {
            (first..last).map(move |column| {
                let start = (row * width + column) * channels;
                start..start + channels
            })
        })
    }

    fn area(self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

#[derive(Debug)]
pub(crate) struct MaxPool(Rectangles);

impl MaxPool {
    pub(crate) fn new(window: &Window, channels: usize) -> MaxPool {
        MaxPool(Rectangles::new(window, channels))
    }
}

impl Rectangle<'_> {
    /// `z` ← the largest of each channel of `x`.
    #[inline(always)]
    fn largest(self, x: &[f32], z: &mut [f32]) {
        z.fill(f32::NEG_INFINITY);
        for pixel in self.pixels() {
            // Once z is NaN, no comparison replaces it.
            let larger = |x: f32, z: f32| if x > z || x.is_nan() { x } else { z };
            for (z, x) in z.iter_mut().zip(&x[pixel]) {
                *z = larger(*x, *z);
            }
        }
    }

    /// Calls `with` for each pixel, with the share that each channel has in it of what goes to the largest of `x`, `z`: 1 in the first
    /// pixel that holds it. `scratch` is for two numbers a channel.
    #[inline(always)]
    fn each_share(
        self,
        [x, z]: [&[f32]; 2],
        scratch: &mut [f32],
        mut with: impl FnMut(Range<usize>, &[f32]),
    ) {
        let (left, share) = scratch.split_at_mut(z.len());
        left.fill(1.0);
        for pixel in self.pixels() {
            let found = x[pixel.clone()].iter().zip(z);
            for ((share, left), (x, z)) in share.iter_mut().zip(&mut *left).zip(found) {
                let found = *x == *z || (x.is_nan() && z.is_nan());
                *share = if found { *left } else { 0.0 };
                *left -= *share;
            }
            with(pixel, share);
        }
    }
}

impl Rectangles {
    /// Takes each output pixel's signal to the first pixel of its rectangle that holds the largest of `x`: `z`, where it is known.
    /// `scratch` is for three numbers a channel.
    fn to_largest(
        &self,
        x: &[f32],
        z: Option<&[f32]>,
        signal: &[&[f32]],
        to: &mut [&mut [f32]],
        scratch: &mut [f32],
    ) {
        let ([image, at], channels) = (self.sample_sizes(), self.channels);
        let (largest, scratch) = scratch[..3 * channels].split_at_mut(channels);
        to.iter_mut().for_each(|to| to.fill(0.0));
        for (sample, x) in x.chunks_exact(image).enumerate() {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    self.each(
                        #[inline(always)]
                        |q, rectangle| {
                            let q = sample * at + q;
                            match z {
                                Some(z) => largest.copy_from_slice(&z[q..q + channels]),
                                None => rectangle.largest(x, largest),
                            }
                            rectangle.each_share(
                                [x, largest],
                                scratch,
                                #[inline(always)]
                                |pixel, share| {
                                    for (s, to) in signal.iter().zip(&mut *to) {
                                        let to = &mut to[sample * image + pixel.start..][..channels];
                                        add_share(to, share, &s[q..q + channels]);
                                    }
                                },
                            );
                        },
                    );
                },
            );
        }
    }
}

/// `to ← to + share · s`
#[inline(always)]
fn add_share(to: &mut [f32], share: &[f32], s: &[f32]) {
    for (to, (share, s)) in to.iter_mut().zip(share.iter().zip(s)) {
        *to += share * s;
    }
}

impl SampleOp for MaxPool {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let [from, to] = self.0.sample_sizes();
        for (x, z) in inputs[0].chunks_exact(from).zip(output.chunks_exact_mut(to)) {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    self.0.each(
                        #[inline(always)]
                        |at, rectangle| rectangle.largest(x, &mut z[at..at + rectangle.channels]),
                    );
                },
            );
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        self.0.to_largest(call.input, Some(call.output), signal, to, scratch);
    }

    fn scratch(&self, _: usize, _: usize) -> usize {
        3 * self.0.channels
    }

    fn work(&self) -> usize {
        self.0.work()
    }
}

/// What stands where another image is largest: the derivative of max pooling along a direction.
#[derive(Debug)]
pub(crate) struct TakeLargest(Rectangles);

impl TakeLargest {
    pub(crate) fn new(window: &Window, channels: usize) -> TakeLargest {
        TakeLargest(Rectangles::new(window, channels))
    }
}

impl SampleOp for TakeLargest {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], scratch: &mut [f32]) {
        let ([from, to], channels) = (self.0.sample_sizes(), self.0.channels);
        let largest = &mut scratch[..channels];
        let images = inputs[0].chunks_exact(from).zip(inputs[1].chunks_exact(from));
        for ((x, a), z) in images.zip(output.chunks_exact_mut(to)) {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    self.0.each(
                        #[inline(always)]
                        |q, rectangle| {
                            let z = &mut z[q..q + channels];
                            z.fill(0.0);
                            for (nth, pixel) in rectangle.pixels().enumerate() {
                                let from = x[pixel.clone()].iter().zip(&a[pixel]);
                                for ((z, largest), (x, a)) in z.iter_mut().zip(&mut *largest).zip(from) {
                                    let larger = *a > *largest || (a.is_nan() && !largest.is_nan());
                                    let taken = nth == 0 || larger;
                                    *z = if taken { *x } else { *z };
                                    *largest = if taken { *a } else { *largest };
                                }
                            }
                        },
                    );
                },
            );
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        self.0.to_largest(call.other, None, signal, to, scratch);
    }

    /// Where the largest are does not vary.
    fn reaches(&self, input: usize) -> bool {
        input == 0
    }

    fn scratch(&self, _: usize, _: usize) -> usize {
        3 * self.0.channels
    }

    fn work(&self) -> usize {
        self.0.work()
    }
}

#[derive(Debug)]
pub(crate) struct AvgPool {
    rectangles: Rectangles,
    /// Where padding counts, the window that counts it; otherwise each sum is divided by its rectangle's area.
    padded: Option<Window>,
}

impl AvgPool {
    pub(crate) fn new(window: &Window, channels: usize, count_padding: bool) -> AvgPool {
        let padded = count_padding.then_some(*window);
        AvgPool { rectangles: Rectangles::new(window, channels), padded }
    }

    pub(crate) fn adaptive(image: [usize; 2], output: [usize; 2], channels: usize) -> AvgPool {
        AvgPool { rectangles: Rectangles::adaptive(image, output, channels), padded: None }
    }

    /// What the sum of a rectangle is multiplied by, whose output pixel has its first element at `at`.
    fn share(&self, at: usize, rectangle: Rectangle<'_>) -> f32 {
        let elements = |window: Window| {
            let (q, columns) = (at / rectangle.channels, window.positions[1]);
            window.elements([q / columns, q % columns])
        };
        (1.0 / self.padded.map_or(rectangle.area(), elements) as f64) as f32
    }
}

impl SampleOp for AvgPool {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let [from, to] = self.rectangles.sample_sizes();
        for (x, z) in inputs[0].chunks_exact(from).zip(output.chunks_exact_mut(to)) {
            self.rectangles.each(|at, rectangle| {
                let z = &mut z[at..at + rectangle.channels];
                z.fill(0.0);
                rectangle.pixels().for_each(|pixel| add_to(z, &x[pixel]));
                let share = self.share(at, rectangle);
                z.iter_mut().for_each(|z| *z *= share);
            });
        }
    }

    fn backward(&self, _: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let [image, at] = self.rectangles.sample_sizes();
        for (component, (s, to)) in signal.iter().zip(to).enumerate() {
            to.fill(0.0);
            for (s, to) in s.chunks_exact(at).zip(to.chunks_exact_mut(image)) {
                self.rectangles.each(|q, rectangle| {
                    let share = self.share(q, rectangle);
                    let share = if is_diagonal(component, signal.len()) { share * share } else { share };
                    for pixel in rectangle.pixels() {
                        let s = &s[q..q + rectangle.channels];
                        to[pixel].iter_mut().zip(s).for_each(|(to, s)| *to += share * s);
                    }
                });
            }
        }
    }

    fn work(&self) -> usize {
        self.rectangles.work()
    }
}
