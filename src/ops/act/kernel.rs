//! The kernels of an activation that is not fused into another kernel.

use crate::model::{Activation, Mode};
use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, activation, compose, words};

/// `z = f(a)`: `shaders/act/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ActForward {
    pub activation: Activation,
    pub elements: u32,
}

impl Key for ActForward {
    fn label(&self) -> String {
        format!("forward {} {}", self.activation.name(), self.elements)
    }

    /// a, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let [function, math] = activation(&mut header, self.activation);
        compose(&header, &["act/forward", function, math])
    }

    fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.elements, grid_x, 0, 0])
    }
}

/// The signal through an activation: `shaders/act/backward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ActSignal {
    pub activation: Activation,
    pub mode: Mode,
    pub elements: u32,
    pub plane_in: u32,
    pub plane_out: u32,
}

impl Key for ActSignal {
    fn label(&self) -> String {
        format!("signal {} through {} {}", self.mode.name(), self.activation.name(), self.elements)
    }

    /// The signal above, a, the signal below.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        header.number("RANK", self.mode.rank() as u32);
        header.flag("HAS_DIAGONAL", self.mode.has_diagonal()).flag("F2_TERM", self.mode != Mode::HesScaleGn);
        let [function, math] = activation(&mut header, self.activation);
        compose(&header, &["act/backward", function, math])
    }

    fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.elements, grid_x, self.plane_in, self.plane_out])
    }
}
