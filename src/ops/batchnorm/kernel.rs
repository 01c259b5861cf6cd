//! Batch normalisation of a channel once its statistics are there.

use crate::shader::{BatchShape, Binding, Binding::*, Dtypes, Flow, Key, affine};

/// Where the statistics are from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NormBy {
    /// The model's, or running ones.
    Given,
    /// This batch, of which an element that is not finite has made them NaN.
    Batch,
}

impl NormBy {
    /// The plug `standardized`.
    pub(crate) fn file(self) -> &'static str {
        match self {
            NormBy::Given => "batchnorm/given",
            NormBy::Batch => "norm/standardized",
        }
    }
}

/// Batch normalisation: `shaders/batchnorm/batchnorm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormForward {
    pub shape: BatchShape,
    pub by: NormBy,
}

impl NormForward {
    /// Elements of the statistics: m and d, with mean = m + d, then 1 / √(var + ε), each padded as the channels of an image are.
    pub(crate) fn statistics_len(&self) -> u32 {
        3 * self.shape.vectors() * self.shape.width().elements()
    }
}

impl Key for NormForward {
    fn label(&self) -> String {
        format!("norm {}", self.shape.label())
    }

    /// x, z, statistics, γ, β.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read, Read, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        affine::forward(self.shape, &["batchnorm/batchnorm", "batchnorm/forward", self.by.file()])
    }

    fn groups(&self) -> u32 {
        self.shape.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        affine::uniforms(self.shape, self.shape.channels(), grid_x, [0, 0], [0; 3])
    }
}

/// The signal through batch normalisation and the activation below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormSignal {
    pub shape: BatchShape,
    pub flow: Flow,
}

impl Key for NormSignal {
    fn label(&self) -> String {
        format!("signal {} through norm {}", self.flow.label(), self.shape.label())
    }

    /// The signals above and below, statistics, γ; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(2)
    }

    fn source(&self, _: Dtypes) -> String {
        affine::signal(self.shape, &self.flow, &["batchnorm/batchnorm"], 2)
    }

    fn groups(&self) -> u32 {
        self.shape.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let shape = self.shape;
        affine::uniforms(shape, shape.channels(), grid_x, self.flow.planes(shape.width()), [0; 3])
    }
}
