//! How parameters are ordered for users (PyTorch's order) and for the products.

use crate::model::Convolution;

/// How a layer's parameters `[first, second, taps]` and its bias lie in a packed array, and in every plane of partial sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    pub elements: u32,
    /// Size of the weight's second dimension.
    pub second: u32,
    pub taps: u32,
    /// Distance in the packed array between neighbours along the three dimensions.
    pub strides: [u32; 3],
    /// Indices along the first dimension that make a group, and the extra distance between groups.
    pub per_group: u32,
    pub group: u32,
    /// Where the bias begins.
    pub bias: u32,
    pub biases: u32,
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

    /// `struct Packing` of `conv/packing.wgsl`.
    pub(super) fn words(&self) -> [u32; 12] {
        let [first, second, tap] = self.strides;
        let Packing { elements, taps, per_group, group, bias, biases, .. } = *self;
        [elements, self.second, taps, first, second, tap, per_group, group, bias, biases, 0, 0]
    }
}

impl Convolution {
    /// Where the weight's elements lie in the packed weight `[out, taps, in]`, channels padded.
    pub(crate) fn packing(&self) -> Packing {
        let (inputs, outputs, group_in, group_out) = self.channels();
        let taps = self.window.taps() as u32;
        let (out, tap) = (taps * inputs, inputs);
        let (group_in, group_out) = (group_in as u32, group_out as u32);
        let elements = (self.inputs * self.outputs / self.groups) as u32 * taps;
        // PyTorch's layout is [out, in of its group, taps], or [in, out of its group, taps] of a transposed convolution.
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

    /// Whether packing would change nothing.
    pub(crate) fn is_packed(&self) -> bool {
        let whole = self.inputs.is_multiple_of(4) && self.outputs.is_multiple_of(4) && self.groups == 1;
        whole && self.window.taps() == 1 && !self.transposed
    }
}
