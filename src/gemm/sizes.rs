//! The sizes of a product, from which its tile is chosen.

use serde::{Deserialize, Serialize};

/// What the choice of a tile depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sizes {
    pub kind: TileUse,
    /// Components of A and of the result.
    pub components: u32,
    pub m: u32,
    pub n: u32,
    /// Terms of a segment.
    pub k: u32,
    pub segments: u32,
    /// Advance along k of the register family; with an advance of 1, rows are read in fours.
    pub step: u32,
    /// Whether all is read in vec4s.
    pub vectors: bool,
    /// Whether the sum is made in runs.
    pub long: bool,
}

impl Sizes {
    pub(crate) fn terms(&self) -> u32 {
        self.k.saturating_mul(self.segments)
    }
}

/// What a product is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TileUse {
    /// A dense layer's forward pass: m is the batch, n the outputs, k the inputs.
    Forward,
    /// A signal through a dense layer: m is the batch, n the inputs, k the outputs.
    Signal,
    /// A dense layer's gradient and diagonal: m are the outputs, n the inputs, k the batch.
    Parameters,
    /// A convolution's forward pass: m are positions, n channels, k taps and channels.
    ConvolutionForward,
    /// A signal through a convolution.
    ConvolutionSignal,
    /// A convolution's gradient and diagonal: m are channels, n taps and channels, k positions of all samples.
    ConvolutionParameters,
}

impl TileUse {
    /// As it stands in a table.
    pub fn name(self) -> &'static str {
        match self {
            TileUse::Forward => "forward",
            TileUse::Signal => "signal",
            TileUse::Parameters => "parameters",
            TileUse::ConvolutionForward => "convolution_forward",
            TileUse::ConvolutionSignal => "convolution_signal",
            TileUse::ConvolutionParameters => "convolution_parameters",
        }
    }
}
