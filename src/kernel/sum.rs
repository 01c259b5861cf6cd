//! Where a residual block ends, and where it begins.

use super::image::{Key, LANES};
use super::signal::{Flow, Width};
use super::source::{self, Header};
use super::{Binding, Binding::*};

/// `z = x + y`: `shaders/sum/forward.wgsl`. Images or rows alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sum {
    /// Padding channels included.
    pub elements: u32,
}

fn width(elements: u32) -> Width {
    if elements.is_multiple_of(4) { Width::Vector } else { Width::Scalar }
}

impl Sum {
    fn values(&self) -> u32 {
        self.elements / width(self.elements).numbers()
    }
}

impl Key for Sum {
    fn label(&self) -> String {
        format!("sum {}", self.elements)
    }

    /// x, y, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Read, Write]
    }

    fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES);
        source::compose(&header, &["sum/params", "sum/forward", width(self.elements).file()])
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        vec![self.values(), grid_x, 0, 0]
    }
}

/// The signal where two branches begin: `shaders/sum/signal.wgsl`. Both branches' planes have the size `flow.plane_in`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SumSignal {
    pub sum: Sum,
    pub flow: Flow,
}

impl Key for SumSignal {
    fn label(&self) -> String {
        format!("signal {} of two branches {}", self.flow.label(), self.sum.elements)
    }

    /// One branch's signal, the result, the other branch's signal; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(1)
    }

    fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES);
        let mut files = vec!["sum/params", "sum/signal"];
        files.extend(self.flow.files(&mut header, width(self.sum.elements), 1));
        source::compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.sum.groups()
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        let [plane_in, plane_out] = self.flow.planes(width(self.sum.elements));
        vec![self.sum.values(), grid_x, plane_in, plane_out]
    }
}
