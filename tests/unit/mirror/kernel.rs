//! Its kernels.

use crate::shader::{Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, words};

/// `z_i = c_i x_{n-1-i}`: `forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MirrorForward {
    pub batch: u32,
    pub features: u32,
}

impl MirrorForward {
    fn n(&self) -> u32 {
        self.batch * self.features
    }
}

/// A file of this folder behind those of `shaders/`.
fn with(header: &Header, files: &[&str], own: &str) -> String {
    compose(header, files) + include_str!("params.wgsl") + own
}

impl Key for MirrorForward {
    fn label(&self) -> String {
        format!("mirror {}x{}", self.batch, self.features)
    }

    /// x, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        with(&Header::lanes(), &["lib/each", Width::Scalar.file()], include_str!("forward.wgsl"))
    }

    fn groups(&self) -> u32 {
        self.n().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.n(), grid_x, self.features, 0, 0, 0, 0, 0])
    }
}

/// The signal through it, and the activation below: `signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MirrorSignal {
    pub mirror: MirrorForward,
    pub flow: Flow,
}

impl Key for MirrorSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.mirror.label())
    }

    /// The signals above and below; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(0)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = self.flow.files(&mut header, Width::Scalar, 0);
        files.push("lib/each");
        with(&header, &files, include_str!("signal.wgsl"))
    }

    fn groups(&self) -> u32 {
        self.mirror.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let [plane_in, plane_out] = self.flow.planes(Width::Scalar);
        words(&[self.mirror.n(), grid_x, self.mirror.features, plane_in, plane_out, 0, 0, 0])
    }
}
