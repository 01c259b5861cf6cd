//! The layers and their output shapes.

use super::attention::{Attention, Heads};
use super::convolution::{Conv1d, Conv2d, ConvTranspose2d, Convolution, transposed_window};
use super::embedding::Embedding;
use super::encoding::Encoding;
use super::hash_grid::HashGrid;
use super::normalization::{BatchNorm, GroupNorm, LayerNorm, Normalization, RmsNorm};
use super::pair::pair;
use super::pooling::{AvgPool2d, MaxPool2d};
use super::positions::PositionEmbedding;
use super::prelu::PRelu;
use super::recurrent::{Cell, Gru, Lstm, Recurrence};
use super::resample::{Resampling, Upsample2d};
use super::window::{Padding, Window};
use super::{Activation, Init, Parameter, Role};
use crate::rules::nothing;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// One layer. Images are `[channels, height, width]`, row-major, as PyTorch has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Layer {
    /// `z = x Wᵀ + b`, `W` of shape `[out, in]`, row-major.
    Dense {
        /// Number of inputs.
        #[serde(rename = "in")]
        inputs: usize,
        /// Number of outputs.
        #[serde(rename = "out")]
        outputs: usize,
        /// Whether there is a `b`.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// A table of vectors that the network's inputs select.
    Embedding(Embedding),
    /// Features of points, learned on grids of several resolutions.
    HashGrid(HashGrid),
    /// Each number a becomes `sin(2^j π a)`, `cos(2^j π a)` for the octaves j = 0, 1, …, in that order (Mildenhall et al., *NeRF*,
    /// 2020, arXiv 2003.08934). `[C, …]` becomes `[2 · octaves · C, …]`: what a number becomes stands side by side.
    FrequencyEncoding {
        /// How many there are, at most 32.
        octaves: usize,
    },
    /// Each number a becomes a Gaussian of it, one bin wide, over the bins of [0, 1]: `exp(−d²/2)`, `d = bins · a − k − ½`, for each bin
    /// k (Müller et al., *Neural Importance Sampling*, 2019, arXiv 1808.03856; here of height 1). `[C, …]` becomes `[bins · C, …]`. A
    /// number of bins that is a power of two rounds least.
    OneBlob {
        /// How many there are, at most 256.
        bins: usize,
    },
    /// An elementwise function.
    Act(Activation),
    /// A learned number that is added to each element of a sample.
    PositionEmbedding(PositionEmbedding),
    /// A rectifier whose slope below 0 is learned.
    PRelu(PRelu),
    /// `[C, H, W]` becomes `[C·H·W]`: the same values.
    #[serde(deserialize_with = "nothing")]
    Flatten,
    /// The same values in the same shape.
    #[serde(deserialize_with = "nothing")]
    Identity,
    /// A convolution of images.
    Conv2d(Conv2d),
    /// A convolution of sequences `[channels, length]`.
    Conv1d(Conv1d),
    /// The transpose of a convolution, as a layer of its own.
    ConvTranspose2d(ConvTranspose2d),
    /// The maximum of each window; among equals the first in row-major order. Padding is never the maximum.
    MaxPool2d(MaxPool2d),
    /// The mean of each window.
    AvgPool2d(AvgPool2d),
    /// The mean over windows chosen so that the output has a given size: the window of position `q` of `Q` covers the rows
    /// from `⌊q·H/Q⌋` to `⌈(q+1)·H/Q⌉`, as in PyTorch.
    AdaptiveAvgPool2d {
        /// Height and width of the output. `[1, 1]` is global average pooling.
        #[serde(deserialize_with = "pair")]
        output: [usize; 2],
    },
    /// Zeros around an image.
    ZeroPad2d {
        /// Left, right, top, bottom: PyTorch's order.
        padding: [usize; 4],
    },
    /// The image mirrored at its edges, which are not repeated themselves.
    ReflectionPad2d {
        /// Left, right, top, bottom, each smaller than the image.
        padding: [usize; 4],
    },
    /// The pixels of its edges around an image.
    ReplicationPad2d {
        /// Left, right, top, bottom.
        padding: [usize; 4],
    },
    /// An image enlarged by whole factors.
    Upsample2d(Upsample2d),
    /// `[C r², H, W]` becomes `[C, r H, r W]`: `z[c, r y + a, r x + b] = x[c r² + a r + b, y, x]`.
    PixelShuffle {
        /// r: the factor of height and width.
        factor: usize,
    },
    /// `[C, r H, r W]` becomes `[C r², H, W]`, the inverse of [`PixelShuffle`](Layer::PixelShuffle).
    PixelUnshuffle {
        /// r: the divisor of height and width.
        factor: usize,
    },
    /// Batch normalisation: by fixed statistics, an affine map per channel, or in training by those of the batch.
    BatchNorm(BatchNorm),
    /// Normalisation by mean and variance of all numbers of a sample.
    LayerNorm(LayerNorm),
    /// Normalisation by the root of a sample's mean square.
    RmsNorm(RmsNorm),
    /// Normalisation by mean and variance of groups of channels.
    GroupNorm(GroupNorm),
    /// Attention of a sample's positions to each other.
    Attention(Attention),
    /// Gated recurrent units over a sequence.
    Gru(Gru),
    /// Long short-term memory over a sequence.
    Lstm(Lstm),
    /// The last position of a sequence: `[C, T]` becomes `[C]`.
    #[serde(deserialize_with = "nothing")]
    Last,
    /// In training each element is zeroed with probability p and divided by 1 − p otherwise; nothing at inference. The
    /// random numbers depend on seed, step, layer and element alone: see [`Noise`](super::Noise).
    Dropout {
        /// Probability of a zero, in [0, 1).
        p: f64,
    },
    /// The same values, which later layers may read by this name.
    Name {
        /// Names each value once.
        name: String,
    },
    /// Goes on from a value that has been named, in place of the layer before.
    From {
        /// The value's name.
        name: String,
    },
    /// `z = x + y`, y a value of the same shape.
    Add {
        /// y's name.
        with: String,
    },
    /// `z = x y`, elementwise, y a value of the same shape. The diagonals drop the cross term of x and y.
    Multiply {
        /// y's name.
        with: String,
    },
    /// x, and behind its channels, or its numbers in a row, those of y: `[A, H, W]` and `[B, H, W]` become `[A + B, H, W]`.
    Concat {
        /// y's name.
        with: String,
    },
    /// An earlier layer once more, with the same parameters: their gradient is the sum over all uses, and so is their diagonal, which
    /// drops what two uses have in common.
    Shared {
        /// The earlier layer's path: `3`, or `3.body.0` within the block that is layer 3.
        layer: String,
    },
    /// `z = body(x) + projection(x)`; without a projection `z = body(x) + x`.
    Residual {
        /// The layers of the block.
        body: Vec<Layer>,
        /// The layers that bring `x` to the shape of the body's output; may be empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        projection: Vec<Layer>,
    },
    /// The operation of `tests/unit/mirror/`.
    #[cfg(test)]
    Mirror,
}

/// The kinds that JSON may name.
pub(super) const KINDS: &str = "dense embedding positionembedding hashgrid frequencyencoding oneblob act prelu flatten identity conv2d conv1d convtranspose2d maxpool2d avgpool2d adaptiveavgpool2d \
     zeropad2d reflectionpad2d replicationpad2d upsample2d pixelshuffle pixelunshuffle batchnorm \
     layernorm rmsnorm groupnorm attention gru lstm last dropout name from add multiply concat shared residual";

pub(super) fn yes() -> bool {
    true
}

macro_rules! into_layer {
    ($($layer:ident),*) => {
        $(impl From<$layer> for Layer {
            fn from(layer: $layer) -> Layer {
                Layer::$layer(layer)
            }
        })*
    };
}

into_layer!(
    Attention,
    Embedding,
    HashGrid,
    Conv2d,
    Conv1d,
    ConvTranspose2d,
    MaxPool2d,
    AvgPool2d,
    Upsample2d,
    BatchNorm,
    LayerNorm,
    RmsNorm,
    GroupNorm,
    PositionEmbedding,
    PRelu,
    Gru,
    Lstm
);

impl From<Activation> for Layer {
    fn from(activation: Activation) -> Layer {
        Layer::Act(activation)
    }
}

impl Layer {
    /// Global average pooling: each channel's mean.
    pub fn global_avg_pool() -> Layer {
        Layer::AdaptiveAvgPool2d { output: [1, 1] }
    }

    /// The layer's kind as JSON spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Layer::Dense { .. } => "dense",
            Layer::Embedding(_) => "embedding",
            Layer::HashGrid(_) => "hashgrid",
            Layer::FrequencyEncoding { .. } => "frequencyencoding",
            Layer::OneBlob { .. } => "oneblob",
            Layer::Act(_) => "act",
            Layer::PositionEmbedding(_) => "positionembedding",
            Layer::PRelu(_) => "prelu",
            Layer::Flatten => "flatten",
            Layer::Identity => "identity",
            Layer::Conv2d(_) => "conv2d",
            Layer::Conv1d(_) => "conv1d",
            Layer::ConvTranspose2d(_) => "convtranspose2d",
            Layer::MaxPool2d(_) => "maxpool2d",
            Layer::AvgPool2d(_) => "avgpool2d",
            Layer::AdaptiveAvgPool2d { .. } => "adaptiveavgpool2d",
            Layer::ZeroPad2d { .. } => "zeropad2d",
            Layer::ReflectionPad2d { .. } => "reflectionpad2d",
            Layer::ReplicationPad2d { .. } => "replicationpad2d",
            Layer::Upsample2d(_) => "upsample2d",
            Layer::PixelShuffle { .. } => "pixelshuffle",
            Layer::PixelUnshuffle { .. } => "pixelunshuffle",
            Layer::BatchNorm(_) => "batchnorm",
            Layer::LayerNorm(_) => "layernorm",
            Layer::RmsNorm(_) => "rmsnorm",
            Layer::GroupNorm(_) => "groupnorm",
            Layer::Attention(_) => "attention",
            Layer::Gru(_) => "gru",
            Layer::Lstm(_) => "lstm",
            Layer::Last => "last",
            Layer::Dropout { .. } => "dropout",
            Layer::Name { .. } => "name",
            Layer::From { .. } => "from",
            Layer::Add { .. } => "add",
            Layer::Multiply { .. } => "multiply",
            Layer::Concat { .. } => "concat",
            Layer::Shared { .. } => "shared",
            Layer::Residual { .. } => "residual",
            #[cfg(test)]
            Layer::Mirror => "mirror",
        }
    }

    /// The convolution this layer is, on an input of shape `input`; `None` for other layers.
    pub(crate) fn convolution(&self, name: &str, input: &[usize]) -> Result<Option<Convolution>> {
        let wrong = |needed: &str| Error::shape(name, input, needed);
        let (inputs, outputs, groups, bias) = match self {
            Layer::Conv2d(c) => (c.inputs, c.outputs, c.groups, c.bias),
            Layer::Conv1d(c) => (c.inputs, c.outputs, c.groups, c.bias),
            Layer::ConvTranspose2d(c) => (c.inputs, c.outputs, c.groups, c.bias),
            _ => return Ok(None),
        };
        for (size, what) in [(inputs, "in"), (outputs, "out"), (groups, "groups")] {
            if size == 0 {
                return Err(Error::zero_size(name, what));
            }
        }
        if !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            let needed = "a divisor of the numbers of input and output channels";
            return Err(Error::value(name, "groups", groups as f64, needed));
        }
        let (channels, image) = match (self, input) {
            (Layer::Conv1d(_), [c, length]) => (*c, [1, *length]),
            (Layer::Conv1d(_), _) => return Err(wrong(&format!("[{inputs}, length]"))),
            (_, [c, h, w]) => (*c, [*h, *w]),
            _ => return Err(wrong(&format!("[{inputs}, height, width]"))),
        };
        if channels != inputs {
            return Err(wrong(&format!("{inputs} channels")));
        }
        let (window, transposed) = match self {
            Layer::Conv2d(c) => {
                (Window::new(name, image, c.kernel, c.stride, c.padding, c.dilation, false)?, false)
            }
            Layer::Conv1d(c) => {
                let (kernel, stride, dilation) = ([1, c.kernel], [1, c.stride], [1, c.dilation]);
                let padding = Padding::Explicit([0, c.padding]);
                (Window::new(name, image, kernel, stride, padding, dilation, false)?, false)
            }
            Layer::ConvTranspose2d(c) => (transposed_window(name, image, c)?, true),
            _ => return Ok(None),
        };
        Ok(Some(Convolution { window, inputs, outputs, groups, bias, transposed }))
    }

    /// The window of a pooling layer on an input `[C, H, W]`.
    pub(crate) fn pooling(&self, name: &str, input: &[usize]) -> Result<Option<Window>> {
        let (kernel, stride, padding, ceil) = match self {
            Layer::MaxPool2d(p) => (p.kernel, p.stride, p.padding, p.ceil_mode),
            Layer::AvgPool2d(p) => (p.kernel, p.stride, p.padding, p.ceil_mode),
            _ => return Ok(None),
        };
        let image = image_of(name, input)?;
        if let Padding::Explicit(sides) = padding
            && (0..2).any(|axis| sides[axis] > kernel[axis] / 2)
        {
            let value = sides[0].max(sides[1]) as f64;
            return Err(Error::value(name, "padding", value, "at most half the kernel"));
        }
        Window::new(name, image, kernel, stride, padding, [1, 1], ceil).map(Some)
    }

    /// How this layer makes an image of another size, on an input `[C, H, W]`; `None` for other layers.
    pub(crate) fn resampling(&self, name: &str, input: &[usize]) -> Result<Option<Resampling>> {
        let padded = |padding: &[usize; 4], reflects| {
            Resampling::padding(name, *padding, image_of(name, input)?, reflects)
        };
        match self {
            Layer::Upsample2d(layer) => Resampling::upsampling(name, layer, image_of(name, input)?),
            Layer::ReflectionPad2d { padding } => padded(padding, true),
            Layer::ReplicationPad2d { padding } => padded(padding, false),
            Layer::Last => Resampling::last(name, input),
            _ => return Ok(None),
        }
        .map(Some)
    }

    /// The normalisation by a sample's own statistics that this layer is, on an input of shape `input`; `None` for other layers.
    pub(crate) fn normalization(&self, name: &str, input: &[usize]) -> Result<Option<Normalization>> {
        match self {
            Layer::LayerNorm(LayerNorm { shape, eps, affine }) => {
                let norm = Normalization::of_sample(name, shape, *eps, input)?;
                Ok(Some(Normalization { weight: *affine, bias: *affine, ..norm }))
            }
            Layer::RmsNorm(RmsNorm { shape, eps, affine }) => {
                let norm = Normalization::of_sample(name, shape, *eps, input)?;
                Ok(Some(Normalization { centred: false, weight: *affine, ..norm }))
            }
            Layer::GroupNorm(norm) => Normalization::of_groups(name, norm, input).map(Some),
            _ => Ok(None),
        }
    }

    /// The heads of attention on an input of shape `input`; `None` for other layers.
    pub(crate) fn heads(&self, name: &str, input: &[usize]) -> Result<Option<Heads>> {
        match self {
            Layer::Attention(attention) => attention.heads(name, input).map(Some),
            _ => Ok(None),
        }
    }

    /// The recurrence over an input of shape `input`; `None` for other layers.
    pub(crate) fn recurrence(&self, name: &str, input: &[usize]) -> Result<Option<Recurrence>> {
        let cell = match self {
            Layer::Gru(layer) => (Cell::Gru, layer.hidden, layer.bias),
            Layer::Lstm(layer) => (Cell::Lstm, layer.hidden, layer.bias),
            _ => return Ok(None),
        };
        Recurrence::new(cell, name, input).map(Some)
    }

    /// What it makes of single numbers, if it encodes them.
    pub(crate) fn encoding(&self) -> Option<Encoding> {
        match *self {
            Layer::FrequencyEncoding { octaves } => Some(Encoding::Frequency { octaves }),
            Layer::OneBlob { bins } => Some(Encoding::OneBlob { bins }),
            _ => None,
        }
    }

    /// The output's shape for an input of shape `input`, or the problem. Blocks are handled by `node::push`.
    /// `path` is the layer's: `3`, `3.body.0`.
    pub(super) fn output_shape(&self, path: &str, input: &[usize]) -> Result<Vec<usize>> {
        let name = &self.name_at(path);
        if let Some(c) = self.convolution(name, input)? {
            let size = if c.transposed { c.window.image } else { c.window.positions };
            return Ok(match self {
                Layer::Conv1d(_) => vec![c.outputs, size[1]],
                _ => vec![c.outputs, size[0], size[1]],
            });
        }
        if let Some(window) = self.pooling(name, input)? {
            return Ok(vec![input[0], window.positions[0], window.positions[1]]);
        }
        if let Some(resampling) = self.resampling(name, input)? {
            return Ok(match self {
                Layer::Last => vec![input[0]],
                _ => vec![input[0], resampling.positions[0], resampling.positions[1]],
            });
        }
        if let Some(heads) = self.heads(name, input)? {
            return Ok([&[heads.channels()], &input[1..]].concat());
        }
        if let Some(recurrence) = self.recurrence(name, input)? {
            return Ok(vec![recurrence.hidden, recurrence.positions]);
        }
        if let Some(encoding) = self.encoding() {
            return encoding.output_shape(name, input);
        }
        if self.normalization(name, input)?.is_some() {
            return Ok(input.to_vec());
        }
        match self {
            Layer::Dense { inputs, outputs, .. } => {
                for (size, what) in [(*inputs, "in"), (*outputs, "out")] {
                    if size == 0 {
                        return Err(Error::zero_size(name, what));
                    }
                }
                if input != [*inputs] {
                    return Err(Error::shape(name, input, format!("[{inputs}]")));
                }
                Ok(vec![*outputs])
            }
            Layer::Embedding(table) => table.output_shape(name, input),
            Layer::HashGrid(grid) => grid.output_shape(name, input),
            Layer::Act(activation) => match activation.parameter() {
                Some((what, value)) if !(value as f32).is_finite() => {
                    Err(Error::value(name, what, value, "finite"))
                }
                // f'' has its square.
                Some((what @ "frequency", value)) if !(value as f32).powi(2).is_finite() => {
                    Err(Error::value(name, what, value, "of a finite square"))
                }
                _ => Ok(input.to_vec()),
            },
            Layer::PositionEmbedding(positions) => {
                positions.validate(name, input)?;
                Ok(input.to_vec())
            }
            Layer::PRelu(prelu) => {
                prelu.validate(name, input)?;
                Ok(input.to_vec())
            }
            Layer::Flatten => Ok(vec![input.iter().fold(1, |n: usize, d| n.saturating_mul(*d))]),
            Layer::AdaptiveAvgPool2d { output } => {
                image_of(name, input)?;
                if output.contains(&0) {
                    return Err(Error::zero_size(name, "output"));
                }
                Ok(vec![input[0], output[0], output[1]])
            }
            Layer::ZeroPad2d { padding: [left, right, top, bottom] } => {
                let [h, w] = image_of(name, input)?;
                let grown = |size: usize, a: &usize, b: &usize| size.saturating_add(*a).saturating_add(*b);
                Ok(vec![input[0], grown(h, top, bottom), grown(w, left, right)])
            }
            Layer::PixelShuffle { factor } | Layer::PixelUnshuffle { factor } => {
                let [h, w] = image_of(name, input)?;
                if *factor == 0 {
                    return Err(Error::zero_size(name, "factor"));
                }
                let blocks = factor.saturating_mul(*factor);
                let times = |size: usize, by: usize| size.saturating_mul(by);
                match self {
                    Layer::PixelShuffle { .. } if input[0].is_multiple_of(blocks) => {
                        Ok(vec![input[0] / blocks, times(h, *factor), times(w, *factor)])
                    }
                    Layer::PixelUnshuffle { .. }
                        if h.is_multiple_of(*factor) && w.is_multiple_of(*factor) =>
                    {
                        Ok(vec![times(input[0], blocks), h / factor, w / factor])
                    }
                    Layer::PixelShuffle { .. } => {
                        Err(Error::shape(name, input, format!("channels that are a multiple of {blocks}")))
                    }
                    _ => Err(Error::shape(
                        name,
                        input,
                        format!("height and width that are multiples of {factor}"),
                    )),
                }
            }
            Layer::BatchNorm(norm) => {
                norm.validate(name)?;
                if norm.mean.is_empty() || input[0] != norm.mean.len() {
                    return Err(Error::shape(name, input, norm.needed()));
                }
                Ok(input.to_vec())
            }
            Layer::Dropout { p } => {
                if !(0.0..1.0).contains(p) {
                    return Err(Error::value(name, "p", *p, "in [0, 1)"));
                }
                Ok(input.to_vec())
            }
            _ => Ok(input.to_vec()),
        }
    }

    /// `dense 3`, `tanh 1`, `conv2d 2.body.0`.
    pub(super) fn name_at(&self, path: &str) -> String {
        match self {
            Layer::Act(activation) => format!("{} {path}", activation.name()),
            other => format!("{} {path}", other.kind()),
        }
    }

    /// The shapes of weight and bias, where there are any; for a layer whose shape has been checked.
    pub(super) fn parameter_shapes(&self) -> [(Role, Option<Vec<usize>>); 2] {
        let (weight, bias) = match self {
            Layer::Dense { inputs, outputs, bias } => (vec![*outputs, *inputs], bias.then(|| vec![*outputs])),
            Layer::Embedding(table) => (vec![table.count, table.width], None),
            Layer::HashGrid(grid) => (vec![grid.levels, grid.table(), grid.features], None),
            Layer::Conv2d(c) => (
                vec![c.outputs, c.inputs / c.groups, c.kernel[0], c.kernel[1]],
                c.bias.then(|| vec![c.outputs]),
            ),
            Layer::Conv1d(c) => {
                (vec![c.outputs, c.inputs / c.groups, c.kernel], c.bias.then(|| vec![c.outputs]))
            }
            Layer::ConvTranspose2d(c) => (
                vec![c.inputs, c.outputs / c.groups, c.kernel[0], c.kernel[1]],
                c.bias.then(|| vec![c.outputs]),
            ),
            Layer::BatchNorm(norm) => (vec![norm.mean.len()], Some(vec![norm.mean.len()])),
            Layer::LayerNorm(norm) if norm.affine => (norm.shape.clone(), Some(norm.shape.clone())),
            Layer::RmsNorm(norm) if norm.affine => (norm.shape.clone(), None),
            Layer::GroupNorm(norm) if norm.affine => (vec![norm.channels], Some(vec![norm.channels])),
            Layer::PositionEmbedding(positions) => (positions.shape.clone(), None),
            Layer::PRelu(prelu) => (vec![prelu.slopes], None),
            Layer::Gru(Gru { hidden, bias }) => (vec![3 * hidden, *hidden], bias.then(|| vec![3 * hidden])),
            Layer::Lstm(Lstm { hidden, bias }) => (vec![4 * hidden, *hidden], bias.then(|| vec![4 * hidden])),
            _ => return [(Role::Weight, None), (Role::Bias, None)],
        };
        [(Role::Weight, Some(weight)), (Role::Bias, bias)]
    }

    /// Whether it has any.
    pub(super) fn has_parameters(&self) -> bool {
        self.parameter_shapes().iter().any(|(_, shape)| shape.is_some())
    }

    /// The same normalisation without γ and β.
    pub(super) fn without_affine(&self) -> Layer {
        let mut layer = self.clone();
        match &mut layer {
            Layer::LayerNorm(norm) => norm.affine = false,
            Layer::RmsNorm(norm) => norm.affine = false,
            Layer::GroupNorm(norm) => norm.affine = false,
            _ => {}
        }
        layer
    }

    /// The same map without its bias.
    pub(super) fn without_bias(&self) -> Layer {
        let mut layer = self.clone();
        match &mut layer {
            Layer::Dense { bias, .. } => *bias = false,
            Layer::Conv2d(c) => c.bias = false,
            Layer::Conv1d(c) => c.bias = false,
            Layer::ConvTranspose2d(c) => c.bias = false,
            _ => {}
        }
        layer
    }

    /// Whether its inputs must be those of the network, for it selects by them.
    pub(super) fn selects(&self) -> bool {
        matches!(self, Layer::Embedding(_) | Layer::HashGrid(_))
    }

    /// Whether its output has the same numbers as its input, in the same order.
    pub(crate) fn passes_on(&self) -> bool {
        matches!(self, Layer::Identity | Layer::Flatten | Layer::Name { .. })
    }

    /// Bound of its initial weights, where not their number decides it: a row of an embedding has numbers of variance 1, as PyTorch's;
    /// those of a hash grid are next to nothing, as its authors have them; positions have a deviation of 0.02, as those of GPT-2. The
    /// weight of H recurrent units, unless another `init` is asked for, is up to 1/√H, as PyTorch's `weight_hh`.
    pub(super) fn bound(&self, init: Init) -> Option<f32> {
        match self {
            Layer::Embedding(_) => Some(3.0_f32.sqrt()),
            Layer::HashGrid(_) => Some(1e-4),
            Layer::PositionEmbedding(_) => Some(0.02 * 3.0_f32.sqrt()),
            Layer::Gru(Gru { hidden, .. }) | Layer::Lstm(Lstm { hidden, .. }) if init == Init::Auto => {
                Some(1.0 / (*hidden as f32).sqrt())
            }
            _ => None,
        }
    }

    /// Whether its weight is the γ of a normalisation.
    pub(super) fn normalises(&self) -> bool {
        matches!(self, Layer::BatchNorm(_) | Layer::LayerNorm(_) | Layer::RmsNorm(_) | Layer::GroupNorm(_))
    }

    /// What all numbers of its weight are at first, where that is not drawn.
    pub(super) fn first_weight(&self) -> Option<f32> {
        match self {
            Layer::PRelu(_) => Some(0.25),
            _ => self.normalises().then_some(1.0),
        }
    }

    /// Fan-in and fan-out, which decide the size of initial weights.
    pub(super) fn fans(&self, weight: &Parameter) -> (usize, usize) {
        let taps: usize = weight.shape.iter().skip(2).product();
        let (first, second) = (weight.shape[0], weight.shape.get(1).copied().unwrap_or(1));
        match self {
            Layer::ConvTranspose2d(c) => (first / c.groups * taps, second * c.groups * taps),
            _ => (second * taps, first * taps),
        }
    }
}

fn image_of(name: &str, input: &[usize]) -> Result<[usize; 2]> {
    match input {
        [_, h, w] => Ok([*h, *w]),
        _ => Err(Error::shape(name, input, "[channels, height, width]")),
    }
}
