//! How a product walks over images, and how its sum is cut into parts.
//!
//! Images are `[batch, height, width, channels]`, the channels padded to a multiple of four: a window then sees rows of
//! vec4s, and a convolution is the dense layer's product with a window between it and its input.

use super::choose::Tuning;
use crate::model::Window;
use crate::shader::{Header, pair};

/// Parameters' sums are never longer than this.
pub(crate) const LONG_SUM: u32 = 16_384;

/// The geometry of a product over images: its window, its groups, and how its sum is split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ImageGeometry {
    pub window: Window,
    /// Whether rows are the pixels of the window's image, and terms its positions: the transposed map.
    pub back: bool,
    pub samples: u32,
    pub groups: u32,
    /// Multiplications of one component, padding channels not counted.
    pub products: u64,
    /// Rows, columns and terms of one group's product.
    pub group: [u32; 3],
    pub split: Split,
}

/// How a sum over a batch of images is split into parts, each with a result of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    /// Parts in all.
    pub splits: u32,
    /// Samples of one part.
    per_split: u32,
    /// Parts of one sample, where a sample alone is too much.
    pub parts: u32,
    /// Positions of one part of a sample.
    part: u32,
}

/// Positions that one part sums over at least, if there are so many.
const SHORT_SUM: u32 = 256;

impl Split {
    pub(crate) const WHOLE: Split = Split { splits: 1, per_split: u32::MAX, parts: 1, part: u32::MAX };

    /// Enough parts to keep the machine busy with `tiles` workgroups each, none longer than [`LONG_SUM`]. That also keeps
    /// each far from a driver's watchdog, and from the 65,535 trips after which llvmpipe leaves a loop, silently.
    pub(crate) fn new(tuning: Tuning<'_>, tiles: u32, samples: u32, positions: u32) -> Split {
        if positions > LONG_SUM {
            let parts = positions.div_ceil(LONG_SUM);
            let part = positions.div_ceil(parts);
            return Split { splits: samples * parts, per_split: 1, parts, part };
        }
        let wanted = tuning.busy().div_ceil(tiles.max(1));
        let least = SHORT_SUM.div_ceil(positions);
        let per_split = samples.div_ceil(wanted).max(least).min(LONG_SUM / positions).max(1);
        Split { splits: samples.div_ceil(per_split), per_split, parts: 1, part: positions }
    }

    pub(crate) fn cuts_samples(self) -> bool {
        self.parts > 1
    }
}

/// `struct Image` of `gemm.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct ImageUniform {
    rows: [u32; 2],
    source: [u32; 2],
    samples: u32,
    per_split: u32,
    parts: u32,
    part: u32,
    groups: u32,
    group: [u32; 3],
}

impl ImageGeometry {
    pub(crate) fn taps(&self) -> u32 {
        self.window.taps() as u32
    }

    pub(super) fn label(&self) -> String {
        let Window { kernel: [kh, kw], image: [h, w], .. } = self.window;
        format!(" {kh}x{kw} on {h}x{w}")
    }

    pub(super) fn constants(&self, header: &mut Header) {
        header.number("KW", self.window.kernel[1] as u32).flag("BACK", self.back);
        header.pair("STRIDE", self.window.stride).pair("DILATION", self.window.dilation);
        header.pair("BEFORE", self.window.before).flag("GROUPED", self.groups > 1);
    }

    pub(super) fn uniform(&self) -> ImageUniform {
        let (image, positions) = (self.window.image, self.window.positions);
        let (rows, source) = if self.back { (image, positions) } else { (positions, image) };
        let Split { per_split, parts, part, .. } = self.split;
        ImageUniform {
            rows: pair(rows),
            source: pair(source),
            samples: self.samples,
            per_split,
            parts,
            part,
            groups: self.groups,
            group: self.group,
        }
    }
}
