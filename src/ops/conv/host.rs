//! Convolutions and their transposes on the CPU, as matrix products with patches of the image that the window slides over.
//!
//! With P `[position, (tap, channel)]` the patches, Q `[position, channel]` what stands at the positions and M the weight:
//! `to_positions` computes `P Mᵀ`, the forward pass of a convolution and the backward pass of its transpose; `to_image` computes
//! `Q M` and scatters it over the image, the other direction of each; the parameters' sums are `Qᵀ P`, whichever of the two
//! holds the signal. Patches are gathered in blocks that stay in cache.

use crate::host::product::{Matrix, Target, multiply};
use crate::host::vector::{add_squares, begin_rows, square};
use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};
use crate::model::{Convolution, Window};
use crate::ops::layout::host::transpose_each;
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct Convolve {
    window: Window,
    /// Channels of the image, and at the window's positions.
    channels: [usize; 2],
    groups: usize,
    transposed: bool,
    /// Kernel and stride are 1: a patch is a pixel of the image, so nothing needs gathering.
    pointwise: bool,
    work: usize,
}

/// Elements of a block of patches.
const BLOCK: usize = 1 << 17;
/// Fewest rows of a block, so that the weight is not read too often.
const LEAST_ROWS: usize = 256;

/// Patches of one group of channels; `rows` counts positions through all samples.
struct Patches<'a> {
    rows: Range<usize>,
    group: usize,
    data: &'a [f32],
    /// Elements from one row to the next.
    stride: usize,
}

impl Convolve {
    pub(crate) fn new(c: &Convolution) -> Convolve {
        let window = c.window;
        let ones = [window.stride, window.kernel] == [[1, 1]; 2];
        let channels = if c.transposed { [c.outputs, c.inputs] } else { [c.inputs, c.outputs] };
        let positions: usize = window.positions.iter().product();
        Convolve {
            window,
            channels,
            groups: c.groups,
            transposed: c.transposed,
            pointwise: ones && window.before == [0, 0] && window.image == window.positions,
            work: [positions, window.taps(), c.inputs, c.outputs / c.groups]
                .into_iter()
                .fold(2, usize::saturating_mul),
        }
    }

    fn positions(&self) -> usize {
        self.window.positions.iter().product()
    }

    fn pixels(&self) -> usize {
        self.window.image.iter().product()
    }

    /// Channels of a group, of the image and at the positions.
    fn group_channels(&self) -> [usize; 2] {
        self.channels.map(|channels| channels / self.groups)
    }

    fn patch_len(&self) -> usize {
        self.window.taps() * self.group_channels()[0]
    }

    /// Elements of a sample, of the image and at the positions.
    fn sample_sizes(&self) -> [usize; 2] {
        [self.pixels() * self.channels[0], self.positions() * self.channels[1]]
    }

    /// Rows of a block, given how many there are in all.
    fn block_rows(&self, all: usize) -> usize {
        (BLOCK / self.patch_len()).max(LEAST_ROWS).min(all)
    }

    /// Calls `run` for each run of elements that a position's patch and the image share: first in the patch, first in the image,
    /// length. Taps outside the image are in no run.
    #[inline]
    fn runs(&self, position: usize, group: usize, mut run: impl FnMut(usize, usize, usize)) {
        let w = &self.window;
        let (channels, each) = (self.channels[0], self.group_channels()[0]);
        let (row, column) = (position / w.positions[1], position % w.positions[1]);
        let joined = w.dilation[1] == 1 && self.groups == 1;
        let left = column * w.stride[1];
        let inside = left >= w.before[1] && left - w.before[1] + w.kernel[1] <= w.image[1];
        for y in 0..w.kernel[0] {
            let Some(image_row) = w.covers(0, row, y) else { continue };
            let (tap, line) = (y * w.kernel[1], image_row * w.image[1]);
            if joined && inside {
                run(tap * each, (line + left - w.before[1]) * channels, w.kernel[1] * each);
                continue;
            }
            for x in 0..w.kernel[1] {
                let Some(image_column) = w.covers(1, column, x) else { continue };
                run((tap + x) * each, (line + image_column) * channels + group * each, each);
            }
        }
    }

    /// Copies the patches at positions `rows` out of the image.
    fn gather(&self, image: &[f32], rows: Range<usize>, group: usize, patches: &mut [f32]) {
        let (patch, positions, sample) = (self.patch_len(), self.positions(), self.sample_sizes()[0]);
        let padded = self.window.image != self.window.positions || self.window.before != [0, 0];
        for (row, patch) in rows.zip(patches.chunks_exact_mut(patch)) {
            let image = &image[row / positions * sample..][..sample];
            if padded {
                patch.fill(0.0);
            }
            self.runs(row % positions, group, |to, from, len| {
                patch[to..to + len].copy_from_slice(&image[from..from + len]);
            });
        }
    }

    /// Adds patches to the image, each element where `gather` reads it.
    fn scatter(&self, patches: &[f32], rows: Range<usize>, group: usize, image: &mut [f32]) {
        let (patch, positions, sample) = (self.patch_len(), self.positions(), self.sample_sizes()[0]);
        for (row, patch) in rows.zip(patches.chunks_exact(patch)) {
            let image = &mut image[row / positions * sample..][..sample];
            self.runs(row % positions, group, |from, to, len| {
                let (to, from) = (&mut image[to..to + len], &patch[from..from + len]);
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            });
        }
    }

    /// Calls `with` with all patches of an image, block by block, and the rest of `scratch`. If `apart`, no block spans two
    /// samples.
    fn each_block(
        &self,
        image: &[f32],
        apart: bool,
        scratch: &mut [f32],
        mut with: impl FnMut(Patches<'_>, &mut [f32]),
    ) {
        let (positions, patch) = (self.positions(), self.patch_len());
        let all = image.len() / self.sample_sizes()[0] * positions;
        let block_rows = self.block_rows(all);
        let (block, rest) = scratch.split_at_mut(block_rows * patch);
        let mut start = 0;
        while start < all {
            let mut end = (start + block_rows).min(all);
            if apart {
                end = end.min((start / positions + 1) * positions);
            }
            for group in 0..self.groups {
                let (data, stride) = if self.pointwise {
                    (&image[start * self.channels[0] + group * patch..], self.channels[0])
                } else {
                    self.gather(image, start..end, group, block);
                    (&block[..(end - start) * patch], patch)
                };
                with(Patches { rows: start..end, group, data, stride }, rest);
            }
            start = end;
        }
    }

    fn kernels<'a>(&self, weight: &'a [f32], group: usize) -> Matrix<'a> {
        let (rows, patch) = (self.group_channels()[1], self.patch_len());
        Matrix::new(&weight[group * rows * patch..], rows, patch)
    }

    /// `at ← P(image) Mᵀ`, added to what is there if `add`.
    fn to_positions(&self, weight: &[f32], image: &[f32], at: &mut [f32], add: bool, scratch: &mut [f32]) {
        let (channels, each) = (self.channels[1], self.group_channels()[1]);
        self.each_block(image, false, scratch, |patches, _| {
            let rows = patches.rows.len();
            let p = Matrix::strided(patches.data, rows, self.patch_len(), patches.stride);
            let at = &mut at[patches.rows.start * channels + patches.group * each..];
            let kernels = self.kernels(weight, patches.group).transposed();
            multiply(Target::strided(at, rows, each, channels), add, p, kernels);
        });
    }

    /// Adds `at M`, scattered over the image.
    fn to_image(&self, weight: &[f32], at: &[f32], image: &mut [f32], scratch: &mut [f32]) {
        let ([wide, channels], [_, each]) = (self.channels, self.group_channels());
        let (patch, all) = (self.patch_len(), at.len() / channels);
        let block_rows = self.block_rows(all);
        for start in (0..all).step_by(block_rows) {
            let end = (start + block_rows).min(all);
            for group in 0..self.groups {
                let q = Matrix::strided(&at[start * channels + group * each..], end - start, each, channels);
                let kernels = self.kernels(weight, group);
                if self.pointwise {
                    let image = &mut image[start * wide + group * patch..];
                    multiply(Target::strided(image, end - start, patch, wide), true, q, kernels);
                } else {
                    let block = &mut scratch[..(end - start) * patch];
                    multiply(Target::new(block, end - start, patch), false, q, kernels);
                    self.scatter(block, start..end, group, image);
                }
            }
        }
    }

    /// `sums ← sums + Qᵀ P`
    fn add_product(&self, at: &[f32], patches: &Patches<'_>, sums: &mut [f32]) {
        let (channels, each, patch) = (self.channels[1], self.group_channels()[1], self.patch_len());
        let (rows, group) = (patches.rows.len(), patches.group);
        let at = &at[patches.rows.start * channels + group * each..];
        let q = Matrix::strided(at, rows, each, channels).transposed();
        let p = Matrix::strided(patches.data, rows, patch, patches.stride);
        multiply(Target::new(&mut sums[group * each * patch..], each, patch), true, q, p);
    }

    /// Adds to a sample's `joint` sums; after its last patch they are squared and added to `diagonal`.
    fn add_joint(&self, at: &[f32], patches: &Patches<'_>, joint: &mut [f32], diagonal: &mut [f32]) {
        let (positions, rows) = (self.positions(), &patches.rows);
        if patches.group == 0 && rows.start.is_multiple_of(positions) {
            joint.fill(0.0);
        }
        self.add_product(at, patches, joint);
        if patches.group + 1 == self.groups && rows.end.is_multiple_of(positions) {
            add_squares(diagonal, joint);
        }
    }

    /// The sums of a transposed convolution, where the patches are the signal's: they are gathered for each component.
    fn add_transposed(&self, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]) {
        let (squares, scratch) = scratch.split_at_mut(x.len());
        let Sums { gradient, diagonal, joint } = sums;
        for (component, s) in signal.iter().enumerate() {
            if component == 0 {
                self.each_block(s, false, scratch, |p, _| self.add_product(x, &p, &mut gradient[0]));
            } else if is_diagonal(component, signal.len()) {
                square(squares, x);
                self.each_block(s, false, scratch, |p, _| self.add_product(squares, &p, &mut diagonal[0]));
            } else {
                let joint = &mut joint[0][..diagonal[0].len()];
                self.each_block(s, true, scratch, |p, _| self.add_joint(x, &p, joint, &mut diagonal[0]));
            }
        }
    }
}

impl SampleOp for Convolve {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], scratch: &mut [f32]) {
        let add = begin_rows(output, call.bias, call.adds);
        if self.transposed {
            if !add {
                output.fill(0.0);
            }
            self.to_image(call.weight, inputs[0], output, scratch);
        } else {
            self.to_positions(call.weight, inputs[0], output, add, scratch);
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        for (component, (s, to)) in signal.iter().zip(to).enumerate() {
            let weight = if is_diagonal(component, signal.len()) { call.squared } else { call.weight };
            if self.transposed {
                self.to_positions(weight, s, to, false, scratch);
            } else {
                to.fill(0.0);
                self.to_image(weight, s, to, scratch);
            }
        }
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn adds_to_output(&self) -> bool {
        true
    }

    fn scratch(&self, samples: usize, _: usize) -> usize {
        let rows = self.block_rows(samples * self.positions());
        // Patches and their squares; a transposed convolution also squares its input.
        rows * self.patch_len() * 2 + if self.transposed { samples * self.sample_sizes()[1] } else { 0 }
    }

    fn rows(&self) -> Option<usize> {
        Some(self.positions())
    }

    fn work(&self) -> usize {
        self.work
    }
}

impl Weighted for Convolve {
    fn sizes(&self) -> [usize; 2] {
        [self.channels[1] * self.patch_len(), self.channels[usize::from(!self.transposed)]]
    }

    /// From `[outputs, channels, taps]` to `[outputs, taps, channels]`.
    fn pack(&self, user: &[f32], packed: &mut [f32]) {
        transpose_each(user, packed, [self.group_channels()[0], self.window.taps()]);
    }

    fn unpack(&self, packed: &[f32], user: &mut [f32]) {
        transpose_each(packed, user, [self.window.taps(), self.group_channels()[0]]);
    }

    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]) {
        let components = signal.len();
        let sample = signal[0].len() / (x.len() / self.sample_sizes()[usize::from(self.transposed)]);
        sums.add_bias(signal, sample);
        if self.transposed {
            return self.add_transposed(x, signal, sums, scratch);
        }
        let Sums { gradient, diagonal, joint } = sums;
        self.each_block(x, components > 2, scratch, |patches, rest| {
            self.add_product(signal[0], &patches, &mut gradient[0]);
            if components == 1 {
                return;
            }
            let vectors = joint[0].chunks_exact_mut(diagonal[0].len());
            for (u, joint) in signal[1..components - 1].iter().zip(vectors) {
                self.add_joint(u, &patches, joint, &mut diagonal[0]);
            }
            let patch = self.patch_len();
            let squares = &mut rest[..patches.rows.len() * patch];
            let rows = patches.data.chunks(patches.stride);
            squares.chunks_exact_mut(patch).zip(rows).for_each(|(to, from)| square(to, from));
            let squares = Patches { data: squares, stride: patch, ..patches };
            self.add_product(signal[components - 1], &squares, &mut diagonal[0]);
        });
    }
}
