//! Convolutions as products over images, and their parameters on the way in and out.
//!
//! Images are `[batch, height, width, channels]`, the channels padded to a multiple of four: a window then sees rows of
//! vec4s, and a convolution is the dense layer's product with a window between it and its input.

use super::gemm::{Gemm, LONG_SUM, Use};
use super::source::{self, Header};
use super::tile::Tuning;
use crate::model::{Convolution, Mode, Window};

/// Channels as they lie in an image.
pub(crate) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(4)
}

/// What a product over an image walks along.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Image {
    window: Window,
    /// Whether the walk is over the window's image, and looks back at its positions.
    back: bool,
    pub samples: u32,
    groups: u32,
    /// Products of one number with one weight, channels that only pad not counted.
    products: u64,
    /// Rows, columns and terms of the product that belong to one group.
    group: [u32; 3],
    pub split: Split,
}

/// How a sum over a batch of images is cut into parts, each with a result of its own.
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
    pub(super) fn new(tuning: Tuning<'_>, tiles: u32, samples: u32, positions: u32) -> Split {
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

    /// Whether a sample's sum is in several parts.
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

impl Image {
    pub(super) fn taps(&self) -> u32 {
        self.window.taps() as u32
    }

    pub(super) fn products(&self) -> u64 {
        self.products
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
            rows: rows.map(|size| size as u32),
            source: source.map(|size| size as u32),
            samples: self.samples,
            per_split,
            parts,
            part,
            groups: self.groups,
            group: self.group,
        }
    }
}

fn area(size: [usize; 2]) -> u32 {
    (size[0] * size[1]) as u32
}

impl Convolution {
    fn image(&self, batch: u32, back: bool, group: [usize; 3]) -> Image {
        let group = group.map(|size| size as u32);
        let weights = self.window.taps() * self.inputs * self.outputs / self.groups;
        let products = u64::from(batch) * u64::from(area(self.window.positions)) * weights as u64;
        Image {
            window: self.window,
            back,
            samples: batch,
            groups: self.groups as u32,
            products,
            group,
            split: Split::WHOLE,
        }
    }

    /// Height and width of the output.
    pub(crate) fn output_size(&self) -> [usize; 2] {
        if self.transposed { self.window.image } else { self.window.positions }
    }

    /// Height and width of the input.
    pub(crate) fn input_size(&self) -> [usize; 2] {
        if self.transposed { self.window.positions } else { self.window.image }
    }

    fn channels(&self) -> (u32, u32, usize, usize) {
        let (inputs, outputs) = (padded(self.inputs) as u32, padded(self.outputs) as u32);
        (inputs, outputs, self.inputs / self.groups, self.outputs / self.groups)
    }

    /// `z = act(x * W + b)`; see [`Use::Forward`].
    pub(crate) fn forward<'a>(&self, tuning: impl Into<Tuning<'a>>, batch: u32, usage: Use) -> Gemm {
        let (inputs, outputs, group_in, group_out) = self.channels();
        let image = self.image(batch, self.transposed, [1, group_out, group_in]);
        Gemm::over(tuning.into(), usage, [batch * area(self.output_size()), outputs, inputs], image)
    }

    /// The signal at the input; see [`Use::Signal`].
    pub(crate) fn signal<'a>(&self, tuning: impl Into<Tuning<'a>>, batch: u32, usage: Use) -> Gemm {
        let (inputs, outputs, group_in, group_out) = self.channels();
        let image = self.image(batch, !self.transposed, [1, group_in, group_out]);
        Gemm::over(tuning.into(), usage, [batch * area(self.input_size()), inputs, outputs], image)
    }

    /// Partial sums for the parameters; see [`Use::Partial`].
    pub(crate) fn partial<'a>(&self, tuning: impl Into<Tuning<'a>>, batch: u32, mode: Mode) -> Gemm {
        let tuning = tuning.into();
        let (inputs, outputs, group_in, group_out) = self.channels();
        let mut image = self.image(batch, self.transposed, [group_out, group_in, 1]);
        let positions = area(self.output_size());
        let sizes = [outputs, image.taps() * inputs, positions];
        // Cut in every mode as plain backprop is, and whatever was measured, so that the gradient has the same bits.
        let usage = |mode| Use::Partial { mode, bias: self.bias };
        let plain = Gemm::over(tuning.shipped(), usage(Mode::None), sizes, image);
        image.split = Split::new(tuning, plain.tiles(), batch, positions);
        Gemm::over(tuning, usage(mode), sizes, image)
    }

    /// Where the weight's elements lie in the packed weight `[out, taps, in]`, channels padded.
    pub(crate) fn packing(&self) -> Packing {
        let (inputs, outputs, group_in, group_out) = self.channels();
        let taps = self.window.taps() as u32;
        let (out, tap) = (taps * inputs, inputs);
        let (group_in, group_out) = (group_in as u32, group_out as u32);
        let elements = (self.inputs * self.outputs / self.groups) as u32 * taps;
        // In PyTorch's layout: [out, in of its group, taps]; of a transposed convolution [in, out of its group, taps].
        let (second, strides, per_group, group) = match self.transposed {
            false => (group_in, [out, 1, tap], group_out, group_in),
            true => (group_out, [1, out, tap], group_in, group_out * out),
        };
        Packing {
            elements,
            second,
            taps,
            strides,
            per_group,
            group,
            bias: outputs * out,
            biases: 0,
            len: outputs * out,
        }
        .with_bias(self.bias.then_some(self.outputs as u32), outputs)
    }

    /// Whether the weight is packed as it is.
    pub(crate) fn is_packed(&self) -> bool {
        let whole = self.inputs.is_multiple_of(4) && self.outputs.is_multiple_of(4) && self.groups == 1;
        whole && self.window.taps() == 1 && !self.transposed
    }
}

/// How a layer's parameters `[first, second, taps]` and its bias lie in a packed array, and in every plane of partial sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    /// Elements of the weight.
    pub elements: u32,
    /// Size of the weight's second dimension.
    pub second: u32,
    pub taps: u32,
    /// Distance in the packed array between neighbours along the three dimensions.
    pub strides: [u32; 3],
    /// Indices along the first dimension that make a group, and the distance between groups beside the stride's.
    pub per_group: u32,
    pub group: u32,
    /// Where the bias begins.
    pub bias: u32,
    /// Elements of the bias.
    pub biases: u32,
    /// Length of the packed array.
    pub len: u32,
}

impl Packing {
    /// Of a layer with parameters of its own for each channel: `taps` runs of `stride` channels, the bias last.
    pub(crate) fn of_channels(channels: u32, taps: u32, stride: u32, bias: bool) -> Packing {
        let (strides, len) = ([1, 0, stride], taps * stride);
        let elements = channels * taps;
        Packing {
            elements,
            second: 1,
            taps,
            strides,
            per_group: u32::MAX,
            group: 0,
            bias: len,
            biases: 0,
            len,
        }
        .with_bias(bias.then_some(channels), if bias { stride } else { 0 })
    }

    fn with_bias(self, biases: Option<u32>, padded: u32) -> Packing {
        Packing { biases: biases.unwrap_or(0), len: self.len + padded, ..self }
    }

    fn words(&self) -> [u32; 12] {
        let [first, second, tap] = self.strides;
        let Packing { elements, taps, per_group, group, bias, biases, .. } = *self;
        [elements, self.second, taps, first, second, tap, per_group, group, bias, biases, 0, 0]
    }
}

/// Invocations of a workgroup.
const LANES: u32 = 64;

/// A weight into its packed form: `shaders/convolution/pack.wgsl`. What lies between its elements is not written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pack(pub Packing);

impl Pack {
    pub(crate) fn label(&self) -> String {
        format!("pack {}", self.0.elements)
    }

    pub(crate) fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES);
        source::compose(&header, &["convolution/packing", "convolution/pack"])
    }

    pub(crate) fn groups(&self) -> u32 {
        self.0.elements.div_ceil(LANES)
    }

    pub(crate) fn uniform(&self, grid_x: u32) -> [u32; 16] {
        uniform(&self.0, [grid_x, 0, 0, 0])
    }
}

/// Partial sums into the flat gradient and diagonal: `shaders/convolution/unpack.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unpack {
    pub packing: Packing,
    pub splits: u32,
    /// Parts of the sum that make one sample, where u is still to be squared; else 1.
    pub parts: u32,
    /// Numbers each part left.
    pub numbers: u32,
    pub diagonal: bool,
    pub accumulate: bool,
    /// Where the bias stands in the flat layout, counted from the weight.
    pub bias: u32,
    pub scale: f32,
}

impl Unpack {
    /// Of whole samples, written over what is there.
    pub(crate) fn new(packing: Packing, splits: u32, numbers: u32) -> Unpack {
        let (parts, diagonal, accumulate, bias, scale) = (1, numbers > 1, false, 0, 1.0);
        Unpack { packing, splits, parts, numbers, diagonal, accumulate, bias, scale }
    }

    /// What follows the sums of a convolution.
    pub(crate) fn after(partial: &Gemm, packing: Packing) -> Unpack {
        let split = partial.split();
        Unpack { parts: split.parts, ..Unpack::new(packing, split.splits, partial.kept()) }
    }

    pub(crate) fn label(&self) -> String {
        format!("unpack {} from {} parts", self.packing.elements + self.packing.biases, self.splits)
    }

    pub(crate) fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES).number("NUMBERS", self.numbers);
        header.flag("HAS_DIAGONAL", self.diagonal).flag("ACCUMULATE", self.accumulate);
        let diagonal = if self.diagonal { "convolution/diagonal" } else { "convolution/no_diagonal" };
        source::compose(&header, &["convolution/packing", "convolution/unpack", diagonal])
    }

    pub(crate) fn groups(&self) -> u32 {
        (self.packing.elements + self.packing.biases).div_ceil(LANES)
    }

    pub(crate) fn uniform(&self, grid_x: u32) -> [u32; 20] {
        let mut words = [0; 20];
        words[..16]
            .copy_from_slice(&uniform(&self.packing, [grid_x, self.packing.len, self.splits, self.parts]));
        words[16] = self.bias;
        words[17] = self.scale.to_bits();
        words
    }
}

fn uniform(packing: &Packing, more: [u32; 4]) -> [u32; 16] {
    let mut words = [0; 16];
    words[..12].copy_from_slice(&packing.words());
    words[12..].copy_from_slice(&more);
    words
}
