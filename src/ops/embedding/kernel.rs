//! The kernels of embeddings.

use crate::ops::row_sums::Selection;
use crate::shader::{Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, vectors, words};

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
        let own = ["embedding/params", "embedding/row", "embedding/forward"];
        compose(&Header::lanes(), &[&own[..], &["lib/each", "lib/divide", "lib/math"]].concat())
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms(self.values(), grid_x, [0; 4])
    }
}

/// The signal at the inputs, where somebody asks for it: zeros. `shaders/embedding/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EmbeddingSignal {
    pub elements: u32,
    pub flow: Flow,
}

impl Key for EmbeddingSignal {
    fn label(&self) -> String {
        format!("signal {} below an embedding of {}", self.flow.label(), self.elements)
    }

    /// The signals above and below.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(0)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["lib/elementwise", "lib/each", "embedding/signal"];
        files.extend(self.flow.files(&mut header, Width::Scalar, 0));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let [plane_in, plane_out] = self.flow.planes(Width::Scalar);
        words(&[self.elements, grid_x, plane_in, plane_out])
    }
}
