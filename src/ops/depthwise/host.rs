//! Depthwise convolutions on the CPU, in loops over channels.

use crate::host::vector::add_squares;
use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};
use crate::model::{Convolution, Window};
use crate::ops::layout::host::transpose_each;
use pulp::Arch;

#[derive(Debug)]
pub(crate) struct Depthwise {
    window: Window,
    channels: usize,
}

impl Depthwise {
    pub(crate) fn new(c: &Convolution) -> Depthwise {
        Depthwise { window: c.window, channels: c.inputs }
    }

    fn positions(&self) -> usize {
        self.window.positions.iter().product()
    }

    fn pixels(&self) -> usize {
        self.window.image.iter().product()
    }

    /// Calls `with` for each tap of each position that lies in the image, with the first elements of the tap's weights, of its
    /// pixel, and at the position.
    #[inline(always)]
    fn each(&self, mut with: impl FnMut(usize, usize, usize)) {
        let (w, channels) = (&self.window, self.channels);
        for row in 0..w.positions[0] {
            for y in 0..w.kernel[0] {
                let Some(image_row) = w.covers(0, row, y) else { continue };
                for column in 0..w.positions[1] {
                    let position = row * w.positions[1] + column;
                    for x in 0..w.kernel[1] {
                        let Some(image_column) = w.covers(1, column, x) else { continue };
                        let pixel = image_row * w.image[1] + image_column;
                        with((y * w.kernel[1] + x) * channels, pixel * channels, position * channels);
                    }
                }
            }
        }
    }

    /// `sums[t, c] ← sums[t, c] + Σ_q s[q, c] x[pixel(q, t), c]` of one sample, with `x²` if `SQUARED`.
    fn add_sample<const SQUARED: bool>(&self, x: &[f32], s: &[f32], sums: &mut [f32]) {
        let channels = self.channels;
        Arch::new().dispatch(
            #[inline(always)]
            || {
                self.each(
                    #[inline(always)]
                    |tap, pixel, position| {
                        let from = x[pixel..pixel + channels].iter().zip(&s[position..position + channels]);
                        for (sum, (x, s)) in sums[tap..tap + channels].iter_mut().zip(from) {
                            *sum += s * if SQUARED { x * x } else { *x };
                        }
                    },
                );
            },
        );
    }
}

impl SampleOp for Depthwise {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let channels = self.channels;
        let samples = inputs[0].chunks_exact(self.pixels() * channels);
        for (x, z) in samples.zip(output.chunks_exact_mut(self.positions() * channels)) {
            match call.bias {
                [] => z.fill(0.0),
                bias => z.chunks_exact_mut(channels).for_each(|row| row.copy_from_slice(bias)),
            }
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    self.each(
                        #[inline(always)]
                        |tap, pixel, position| {
                            let from =
                                x[pixel..pixel + channels].iter().zip(&call.weight[tap..tap + channels]);
                            for (z, (x, w)) in z[position..position + channels].iter_mut().zip(from) {
                                *z += w * x;
                            }
                        },
                    );
                },
            );
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let channels = self.channels;
        for (component, (s, to)) in signal.iter().zip(to).enumerate() {
            let weight = if is_diagonal(component, signal.len()) { call.squared } else { call.weight };
            to.fill(0.0);
            let samples = s.chunks_exact(self.positions() * channels);
            for (s, to) in samples.zip(to.chunks_exact_mut(self.pixels() * channels)) {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        self.each(
                            #[inline(always)]
                            |tap, pixel, position| {
                                let from =
                                    s[position..position + channels].iter().zip(&weight[tap..tap + channels]);
                                for (to, (s, w)) in to[pixel..pixel + channels].iter_mut().zip(from) {
                                    *to += w * s;
                                }
                            },
                        );
                    },
                );
            }
        }
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn work(&self) -> usize {
        // Four times the operations: these loops reach a lower rate than a product does.
        (8 * self.positions() * self.channels).saturating_mul(self.window.taps())
    }
}

impl Weighted for Depthwise {
    fn sizes(&self) -> [usize; 2] {
        [self.channels * self.window.taps(), self.channels]
    }

    fn pack(&self, user: &[f32], packed: &mut [f32]) {
        transpose_each(user, packed, [self.channels, self.window.taps()]);
    }

    fn unpack(&self, packed: &[f32], user: &mut [f32]) {
        transpose_each(packed, user, [self.window.taps(), self.channels]);
    }

    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, _: &mut [f32]) {
        let (image, at) = (self.pixels() * self.channels, self.positions() * self.channels);
        sums.add_bias(signal, at);
        let weight = self.sizes()[0];
        for (component, s) in signal.iter().enumerate() {
            for (x, s) in x.chunks_exact(image).zip(s.chunks_exact(at)) {
                if component == 0 {
                    self.add_sample::<false>(x, s, &mut sums.gradient[0]);
                } else if is_diagonal(component, signal.len()) {
                    self.add_sample::<true>(x, s, &mut sums.diagonal[0]);
                } else {
                    let joint = &mut sums.joint[0][..weight];
                    joint.fill(0.0);
                    self.add_sample::<false>(x, s, joint);
                    add_squares(&mut sums.diagonal[0], joint);
                }
            }
        }
    }
}
