//! Converts a signal from `f16` for the user.

use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, compose, words};

/// The first planes of a signal, in `f32` and without the loss's scale: `shaders/cast/cast.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cast {
    pub elements: u32,
    pub planes: u32,
    pub plane_in: u32,
    pub plane_out: u32,
    pub scale: f32,
}

impl Key for Cast {
    fn label(&self) -> String {
        format!("cast {}x{}", self.planes, self.elements)
    }

    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        compose(&Header::lanes(), &["cast/cast", "lib/each"])
    }

    fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let Cast { elements, planes, plane_in, plane_out, scale } = *self;
        words(&[elements, grid_x, planes, plane_in, plane_out, scale.to_bits(), 0, 0])
    }
}
