//! The kernels of dropout.

use crate::model::threshold;
use crate::shader::{BatchShape, Binding, Binding::*, Dtypes, Flow, Key, affine};

/// Dropout in training: `shaders/dropout/dropout.wgsl`. `node` is the number that [`Noise`](crate::model::Noise) draws for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DropoutForward {
    pub shape: BatchShape,
    pub node: u32,
    pub p: f64,
}

impl DropoutForward {
    fn words(&self) -> [u32; 3] {
        [self.node, threshold(self.p), ((1.0 / (1.0 - self.p)) as f32).to_bits()]
    }
}

impl Key for DropoutForward {
    fn label(&self) -> String {
        format!("dropout {}", self.shape.label())
    }

    /// x, z, seed and step.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        affine::forward(self.shape, &["dropout/dropout", "lib/pcg4d", "dropout/forward", "lib/divide"])
    }

    fn groups(&self) -> u32 {
        self.shape.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        affine::uniforms(self.shape, self.shape.channels(), grid_x, [0, 0], self.words())
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DropoutSignal {
    pub dropout: DropoutForward,
    pub flow: Flow,
}

impl Key for DropoutSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.dropout.label())
    }

    /// The signals above and below, seed and step; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(1)
    }

    fn source(&self, _: Dtypes) -> String {
        affine::signal(self.dropout.shape, &self.flow, &["dropout/dropout", "lib/pcg4d", "lib/divide"], 1)
    }

    fn groups(&self) -> u32 {
        self.dropout.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let shape = self.dropout.shape;
        affine::uniforms(
            shape,
            shape.channels(),
            grid_x,
            self.flow.planes(shape.width()),
            self.dropout.words(),
        )
    }
}
