//! The kernels of a residual block: the sum at its end, and the sum of signals at its beginning.

use crate::shader::{Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, words};

/// `z = x + y`: `shaders/residual/forward.wgsl`. Images or rows alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Add {
    /// Padding channels included.
    pub elements: u32,
}

fn width(elements: u32) -> Width {
    if elements.is_multiple_of(4) { Width::Vector } else { Width::Scalar }
}

impl Add {
    fn values(&self) -> u32 {
        self.elements / width(self.elements).elements()
    }
}

impl Key for Add {
    fn label(&self) -> String {
        format!("add {}", self.elements)
    }

    /// x, y, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let width = width(self.elements).file();
        compose(&Header::lanes(), &["lib/elementwise", "lib/each", "residual/forward", width])
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.values(), grid_x, 0, 0])
    }
}

/// The signal where two branches begin: `shaders/residual/signal.wgsl`. Both branches' planes have the size `flow.plane_in`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AddSignal {
    pub add: Add,
    pub flow: Flow,
}

impl Key for AddSignal {
    fn label(&self) -> String {
        format!("signal {} of two branches {}", self.flow.label(), self.add.elements)
    }

    /// One branch's signal, the result, the other branch's signal; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(1)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["lib/elementwise", "lib/each", "residual/signal"];
        files.extend(self.flow.files(&mut header, width(self.add.elements), 1));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.add.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let [plane_in, plane_out] = self.flow.planes(width(self.add.elements));
        words(&[self.add.values(), grid_x, plane_in, plane_out])
    }
}
