//! Copies the host's signal to where it is stored as the pass wants it.

use crate::shader::{Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, words};

/// The host's signal with the diagonal beside u, times the loss's scale: `shaders/outside/take.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Take {
    pub elements: u32,
    /// Without an activation below.
    pub flow: Flow,
    pub scale: f32,
}

impl Take {
    fn width(&self) -> Width {
        if self.elements.is_multiple_of(4) { Width::Vector } else { Width::Scalar }
    }

    fn values(&self) -> u32 {
        self.elements / self.width().elements()
    }
}

impl Key for Take {
    fn label(&self) -> String {
        format!("take the signal {} {}", self.flow.mode.name(), self.elements)
    }

    /// The host's signal, the result.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["outside/take", "lib/each"];
        files.extend(self.flow.files(&mut header, self.width(), 0));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let [plane_in, plane_out] = self.flow.planes(self.width());
        let (scale, root) = (self.scale.to_bits(), self.scale.sqrt().to_bits());
        words(&[self.values(), grid_x, plane_in, plane_out, scale, root, 0, 0])
    }
}
