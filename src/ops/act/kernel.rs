//! The kernels of an activation that is not fused into another kernel.

use crate::model::Activation;
use crate::shader::{
    Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, activation, compose, words,
};

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
        compose(&header, &["lib/elementwise", "lib/each", "act/forward", function, math])
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
    pub flow: Flow,
    pub elements: u32,
}

impl Key for ActSignal {
    fn label(&self) -> String {
        format!("signal {} through {} {}", self.flow.mode.name(), self.flow.below.name(), self.elements)
    }

    /// The signals above and below; a.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(0)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["lib/elementwise", "lib/each", "act/backward"];
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
