//! A convolution of each channel by itself, in loops over channels.

use super::convolution::transpose_each;
use super::local::{Call, Local, Passed, Sums, Weighted, add_bias, add_squares, is_diagonal};
use crate::model::{Convolution, Window};
use pulp::Arch;

#[derive(Debug)]
pub(super) struct Depthwise {
    window: Window,
    channels: usize,
}

impl Depthwise {
    pub(super) fn new(c: &Convolution) -> Depthwise {
        Depthwise { window: c.window, channels: c.inputs }
    }

    fn positions(&self) -> usize {
        self.window.positions.iter().product()
    }

    fn places(&self) -> usize {
        self.window.image.iter().product()
    }

    /// Calls `with` for each tap of each position: the first elements of the tap's kernel, of the place in the image, and at
    /// the position.
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
                        let place = image_row * w.image[1] + image_column;
                        with((y * w.kernel[1] + x) * channels, place * channels, position * channels);
                    }
                }
            }
        }
    }

    /// `sums[t, c] ← sums[t, c] + Σ_q s[q, c] x[place(q, t), c]` of one sample, `x` squared if so wanted.
    fn add_sample<const SQUARED: bool>(&self, x: &[f32], s: &[f32], sums: &mut [f32]) {
        let channels = self.channels;
        Arch::new().dispatch(
            #[inline(always)]
            || {
                self.each(|tap, place, position| {
                    let from = x[place..place + channels].iter().zip(&s[position..position + channels]);
                    for (sum, (x, s)) in sums[tap..tap + channels].iter_mut().zip(from) {
                        *sum += s * if SQUARED { x * x } else { *x };
                    }
                });
            },
        );
    }
}

impl Local for Depthwise {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let channels = self.channels;
        let samples = inputs[0].chunks_exact(self.places() * channels);
        for (x, z) in samples.zip(output.chunks_exact_mut(self.positions() * channels)) {
            match call.bias {
                [] => z.fill(0.0),
                bias => z.chunks_exact_mut(channels).for_each(|row| row.copy_from_slice(bias)),
            }
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    self.each(|tap, place, position| {
                        let from = x[place..place + channels].iter().zip(&call.weight[tap..tap + channels]);
                        let z = z[position..position + channels].iter_mut();
                        z.zip(from).for_each(|(z, (x, w))| *z += w * x);
                    });
                },
            );
        }
    }

    fn backward(
        &self,
        call: &Call<'_>,
        _: Passed<'_>,
        signal: &[&[f32]],
        to: &mut [&mut [f32]],
        _: &mut [f32],
    ) {
        let channels = self.channels;
        for (plane, (s, to)) in signal.iter().zip(to).enumerate() {
            let weight = if is_diagonal(plane, signal.len()) { call.squared } else { call.weight };
            to.fill(0.0);
            let samples = s.chunks_exact(self.positions() * channels);
            for (s, to) in samples.zip(to.chunks_exact_mut(self.places() * channels)) {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        self.each(|tap, place, position| {
                            let from =
                                s[position..position + channels].iter().zip(&weight[tap..tap + channels]);
                            let to = to[place..place + channels].iter_mut();
                            to.zip(from).for_each(|(to, (s, w))| *to += w * s);
                        });
                    },
                );
            }
        }
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn work(&self) -> usize {
        // Its loops do a good deal less a second than a product.
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
        let (image, at) = (self.places() * self.channels, self.positions() * self.channels);
        add_bias(signal, at, sums);
        let weight = self.sizes()[0];
        for (plane, s) in signal.iter().enumerate() {
            for (x, s) in x.chunks_exact(image).zip(s.chunks_exact(at)) {
                if plane == 0 {
                    self.add_sample::<false>(x, s, &mut sums.gradient[0]);
                } else if is_diagonal(plane, signal.len()) {
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
