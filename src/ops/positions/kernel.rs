//! The kernel of learned positions.

use crate::shader::{BatchShape, Binding, Binding::*, Dtypes, Key, affine};

/// `z = x + W`: `shaders/positions/positions.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PositionsForward(pub BatchShape);

impl Key for PositionsForward {
    fn label(&self) -> String {
        format!("positions {}", self.0.label())
    }

    /// x, z, W.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        affine::forward(self.0, &["positions/positions"])
    }

    fn groups(&self) -> u32 {
        self.0.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        affine::uniforms(self.0, self.0.channels(), grid_x, [0, 0], [0; 3])
    }
}
