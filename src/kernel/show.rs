//! A signal that was stored in `f16`, for those who asked to see it.

use super::image::{Key, LANES};
use super::source::{self, Header};
use super::{Binding, Binding::*};

/// The first planes of a signal, in `f32` and without the loss's scale: `shaders/number/show.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Show {
    /// Of a plane.
    pub elements: u32,
    pub planes: u32,
    pub plane_in: u32,
    pub plane_out: u32,
    pub scale: f32,
}

impl Key for Show {
    fn label(&self) -> String {
        format!("show {}x{}", self.planes, self.elements)
    }

    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES);
        source::compose(&header, &["number/show"])
    }

    fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        let Show { elements, planes, plane_in, plane_out, scale } = *self;
        vec![elements, grid_x, planes, plane_in, plane_out, scale.to_bits(), 0, 0]
    }
}
