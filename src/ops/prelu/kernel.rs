//! The kernels of PReLU.

use crate::shader::{BatchShape, Binding, Binding::*, Dtypes, Flow, Key, affine};

/// `z = x` above 0, else `w x`: `shaders/prelu/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SlopesForward {
    pub shape: BatchShape,
    /// Slopes: 1, or as many as channels.
    pub slopes: u32,
}

impl SlopesForward {
    /// The channels that the shader knows are those that have slopes.
    fn uniforms_of(&self, grid_x: u32, planes: [u32; 2]) -> Vec<Vec<u8>> {
        affine::uniforms(self.shape, self.slopes, grid_x, planes, [0; 3])
    }
}

impl Key for SlopesForward {
    fn label(&self) -> String {
        format!("prelu {}", self.shape.label())
    }

    /// x, z, the slopes.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        affine::forward(self.shape, &["prelu/prelu", "prelu/forward"])
    }

    fn groups(&self) -> u32 {
        self.shape.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.uniforms_of(grid_x, [0, 0])
    }
}

/// The signal through PReLU and the activation below: `shaders/prelu/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SlopesSignal {
    pub slopes: SlopesForward,
    pub flow: Flow,
}

impl Key for SlopesSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.slopes.label())
    }

    /// The signals above and below, x, the slopes; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(2)
    }

    fn source(&self, _: Dtypes) -> String {
        affine::signal(self.slopes.shape, &self.flow, &["prelu/prelu", "prelu/signal"], 2)
    }

    fn groups(&self) -> u32 {
        self.slopes.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.slopes.uniforms_of(grid_x, self.flow.planes(self.slopes.shape.width()))
    }
}
