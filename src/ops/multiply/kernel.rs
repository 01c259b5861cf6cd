//! The kernels of elementwise products.

use crate::shader::{Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, words};

/// `z = x y`: `shaders/multiply/forward.wgsl`. Images or rows alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Multiply {
    /// Padding channels included.
    pub elements: u32,
}

impl Multiply {
    fn width(&self) -> Width {
        if self.elements.is_multiple_of(4) { Width::Vector } else { Width::Scalar }
    }

    fn values(&self) -> u32 {
        self.elements / self.width().elements()
    }
}

impl Key for Multiply {
    fn label(&self) -> String {
        format!("multiply {}", self.elements)
    }

    /// x, y, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let files = ["lib/elementwise", "lib/each", "multiply/forward", self.width().file()];
        compose(&Header::lanes(), &files)
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.values(), grid_x, 0, 0])
    }
}

/// The signal at one factor, through the activation below: `shaders/signal/affine.wgsl`, the other factor being the slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MultiplySignal {
    pub multiply: Multiply,
    pub flow: Flow,
}

impl Key for MultiplySignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.multiply.label())
    }

    /// The signals above and below, the other factor; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(1)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["lib/elementwise", "lib/each", "signal/affine", "multiply/slope"];
        files.extend(self.flow.files(&mut header, self.multiply.width(), 1));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.multiply.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let [plane_in, plane_out] = self.flow.planes(self.multiply.width());
        words(&[self.multiply.values(), grid_x, plane_in, plane_out])
    }
}
