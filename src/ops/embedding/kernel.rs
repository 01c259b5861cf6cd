//! The kernels of embeddings.

use crate::ops::row_sums::Selection;
use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, compose, vectors};

/// `z[c, q] = W[x[q], c]`: `shaders/embedding/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EmbeddingForward(pub Selection);

impl EmbeddingForward {
    fn values(&self) -> u32 {
        self.0.entries() * vectors(self.0.width)
    }
}

impl Key for EmbeddingForward {
    fn label(&self) -> String {
        format!("embed {}x{} of {}", self.0.batch, self.0.each, self.0.width)
    }

    /// x, z, W.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        let own = ["row_sums/params", "embedding/row", "embedding/forward"];
        compose(&Header::lanes(), &[&own[..], &["lib/each", "lib/divide", "lib/math"]].concat())
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms(self.values(), grid_x, [0; 4])
    }
}
