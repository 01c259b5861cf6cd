//! Convolutional layers.

use super::layer::yes;
use super::pair::{Pair, ones, pair, zeros};
use super::window::{MOST, Padding, Window, check_sizes};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

fn one() -> usize {
    1
}

/// `z[o, q] = Σ_{c, t} W[o, c, t] x[c, q·stride + t·dilation − padding] + b[o]`, `W` of shape `[out, in/groups, kh, kw]`.
/// With groups, output channels of group i see the input channels of group i only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct Conv2d {
    /// Channels of the input; a [`Builder`](super::Builder) fills in a 0.
    #[serde(rename = "in")]
    pub inputs: usize,
    /// Channels of the output.
    #[serde(rename = "out")]
    pub outputs: usize,
    /// Height and width of the kernel.
    #[serde(deserialize_with = "pair")]
    pub kernel: [usize; 2],
    /// Distance between positions.
    #[serde(default = "ones", deserialize_with = "pair")]
    pub stride: [usize; 2],
    /// Zeros around the image.
    #[serde(default)]
    pub padding: Padding,
    /// Distance between the kernel's elements.
    #[serde(default = "ones", deserialize_with = "pair")]
    pub dilation: [usize; 2],
    /// Groups of channels; as many as input channels: a depthwise convolution.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether there is a `b`.
    #[serde(default = "yes")]
    pub bias: bool,
}

impl Conv2d {
    /// Stride 1, no padding, with bias. A [`Builder`](super::Builder) fills in the number of input channels.
    pub fn new(outputs: usize, kernel: impl Into<Pair>) -> Conv2d {
        Conv2d {
            inputs: 0,
            outputs,
            kernel: kernel.into().0,
            stride: ones(),
            padding: Padding::default(),
            dilation: ones(),
            groups: 1,
            bias: true,
        }
    }

    setters! {
        /// Channels of the input.
        inputs(inputs: usize) => inputs;
        /// Distance between positions.
        stride(stride: impl Into<Pair>) => stride.into().0;
        /// Zeros around the image: numbers, [`Padding::SAME`] or [`Padding::VALID`].
        padding(padding: impl Into<Padding>) => padding.into();
    }

    /// Zeros around the image so that the output is as large as the input divided by the stride: [`Padding::SAME`].
    pub fn same(self) -> Conv2d {
        Conv2d { padding: Padding::SAME, ..self }
    }

    setters! {
        /// Distance between the kernel's elements.
        dilation(dilation: impl Into<Pair>) => dilation.into().0;
        /// Groups of channels.
        groups(groups: usize) => groups;
        /// Whether there is a bias.
        bias(bias: bool) => bias;
    }
}

/// [`Conv2d`] along one dimension: `[channels, length]`, `W` of shape `[out, in/groups, k]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct Conv1d {
    /// Channels of the input; a [`Builder`](super::Builder) fills in a 0.
    #[serde(rename = "in")]
    pub inputs: usize,
    /// Channels of the output.
    #[serde(rename = "out")]
    pub outputs: usize,
    /// Length of the kernel.
    pub kernel: usize,
    /// Distance between positions.
    #[serde(default = "one")]
    pub stride: usize,
    /// Zeros at both ends.
    #[serde(default)]
    pub padding: usize,
    /// Distance between the kernel's elements.
    #[serde(default = "one")]
    pub dilation: usize,
    /// Groups of channels.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether there is a `b`.
    #[serde(default = "yes")]
    pub bias: bool,
}

impl Conv1d {
    /// Stride 1, no padding, with bias. A [`Builder`](super::Builder) fills in the number of input channels.
    pub fn new(outputs: usize, kernel: usize) -> Conv1d {
        Conv1d { inputs: 0, outputs, kernel, stride: 1, padding: 0, dilation: 1, groups: 1, bias: true }
    }

    setters! {
        /// Channels of the input.
        inputs(inputs: usize) => inputs;
        /// Distance between positions.
        stride(stride: usize) => stride;
        /// Zeros at both ends.
        padding(padding: usize) => padding;
        /// Distance between the kernel's elements.
        dilation(dilation: usize) => dilation;
        /// Groups of channels.
        groups(groups: usize) => groups;
        /// Whether there is a bias.
        bias(bias: bool) => bias;
    }
}

/// `z[o, q·stride + t·dilation − padding] += Σ_c W[c, o, t] x[c, q]`, `W` of shape `[in, out/groups, kh, kw]`: the
/// transpose of a [`Conv2d`]. The output is `(H − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1` high.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct ConvTranspose2d {
    /// Channels of the input; a [`Builder`](super::Builder) fills in a 0.
    #[serde(rename = "in")]
    pub inputs: usize,
    /// Channels of the output.
    #[serde(rename = "out")]
    pub outputs: usize,
    /// Height and width of the kernel.
    #[serde(deserialize_with = "pair")]
    pub kernel: [usize; 2],
    /// Distance, in the output, between neighbours of the input.
    #[serde(default = "ones", deserialize_with = "pair")]
    pub stride: [usize; 2],
    /// Rows and columns cut off each side of the output.
    #[serde(default = "zeros", deserialize_with = "pair")]
    pub padding: [usize; 2],
    /// Rows and columns added below and right of the output; less than the larger of stride and dilation.
    #[serde(default = "zeros", deserialize_with = "pair")]
    pub output_padding: [usize; 2],
    /// Distance between the kernel's elements.
    #[serde(default = "ones", deserialize_with = "pair")]
    pub dilation: [usize; 2],
    /// Groups of channels.
    #[serde(default = "one")]
    pub groups: usize,
    /// Whether there is a bias.
    #[serde(default = "yes")]
    pub bias: bool,
}

impl ConvTranspose2d {
    /// Stride 1, no padding, with bias. A [`Builder`](super::Builder) fills in the number of input channels.
    pub fn new(outputs: usize, kernel: impl Into<Pair>) -> ConvTranspose2d {
        ConvTranspose2d {
            inputs: 0,
            outputs,
            kernel: kernel.into().0,
            stride: ones(),
            padding: zeros(),
            output_padding: zeros(),
            dilation: ones(),
            groups: 1,
            bias: true,
        }
    }

    setters! {
        /// Channels of the input.
        inputs(inputs: usize) => inputs;
        /// Distance, in the output, between neighbours of the input.
        stride(stride: impl Into<Pair>) => stride.into().0;
        /// Rows and columns cut off each side of the output.
        padding(padding: impl Into<Pair>) => padding.into().0;
        /// Rows and columns added below and right of the output.
        output_padding(output_padding: impl Into<Pair>) => output_padding.into().0;
        /// Distance between the kernel's elements.
        dilation(dilation: impl Into<Pair>) => dilation.into().0;
        /// Groups of channels.
        groups(groups: usize) => groups;
        /// Whether there is a bias.
        bias(bias: bool) => bias;
    }
}

/// Any convolution as a window that slides over an image: the input, or the output of a transposed convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Convolution {
    pub window: Window,
    pub inputs: usize,
    pub outputs: usize,
    pub groups: usize,
    pub bias: bool,
    pub transposed: bool,
}

impl Convolution {
    /// Each channel of an image times a weight.
    pub(crate) fn of_each_channel(channels: usize, image: [usize; 2]) -> Convolution {
        let (one, none) = ([1, 1], [0, 0]);
        let (kernel, stride, dilation, before, after) = (one, one, one, none, none);
        let window = Window { image, kernel, stride, dilation, before, after, positions: image };
        Convolution {
            window,
            inputs: channels,
            outputs: channels,
            groups: channels,
            bias: false,
            transposed: false,
        }
    }
}

/// The window that slides over a transposed convolution's output once for each position of its input `image`.
pub(super) fn transposed_window(name: &str, image: [usize; 2], c: &ConvTranspose2d) -> Result<Window> {
    check_sizes(name, [c.kernel, c.stride, c.dilation])?;
    let mut size = [0; 2];
    for axis in 0..2 {
        if c.output_padding[axis] >= c.stride[axis].max(c.dilation[axis]) {
            let (value, needed) = (c.output_padding[axis] as f64, "less than the stride or the dilation");
            return Err(Error::value(name, "output_padding", value, needed));
        }
        if c.padding[axis] > MOST {
            return Err(Error::shape(name, &image, format!("padding of at most {MOST}")));
        }
        let reach = c.dilation[axis].checked_mul(c.kernel[axis] - 1);
        let full = (image[axis] - 1)
            .checked_mul(c.stride[axis])
            .zip(reach)
            .and_then(|(a, b)| a.checked_add(b)?.checked_add(c.output_padding[axis] + 1))
            .filter(|full| *full <= u32::MAX as usize);
        let cut = c.padding[axis].saturating_mul(2);
        let Some(rest) = full.and_then(|full| full.checked_sub(cut)).filter(|rest| *rest > 0) else {
            let needed = format!("an output that is larger than its padding {:?}", c.padding);
            return Err(Error::shape(name, &image, needed));
        };
        size[axis] = rest;
    }
    Ok(Window {
        image: size,
        kernel: c.kernel,
        stride: c.stride,
        dilation: c.dilation,
        before: c.padding,
        after: c.padding,
        positions: image,
    })
}
