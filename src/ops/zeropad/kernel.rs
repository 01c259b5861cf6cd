//! The kernels of zero padding.

use crate::shader::{
    Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, pair, vectors, words,
};

/// Zero padding: `shaders/zeropad/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PadForward {
    pub batch: u32,
    pub channels: u32,
    pub image: [usize; 2],
    /// Left, right, top, bottom: as the layer has it.
    pub padding: [usize; 4],
}

impl PadForward {
    fn padded(&self) -> [u32; 2] {
        let ([h, w], [left, right, top, bottom]) = (self.image, self.padding);
        pair([h + top + bottom, w + left + right])
    }

    fn elements(&self, [rows, columns]: [u32; 2]) -> u32 {
        self.batch * rows * columns * vectors(self.channels)
    }

    fn uniforms_of(&self, n: u32, planes: [u32; 2], grid_x: u32) -> Vec<Vec<u8>> {
        let before = pair([self.padding[2], self.padding[0]]);
        let mut all = [pair(self.image), self.padded(), before].concat();
        all.extend([n, grid_x, vectors(self.channels), planes[0], planes[1], 0]);
        words(&all)
    }
}

impl Key for PadForward {
    fn label(&self) -> String {
        let ([h, w], [rows, columns]) = (self.image, self.padded());
        format!("pad {}x{}x{h}x{w} to {rows}x{columns}", self.batch, self.channels)
    }

    /// x, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        compose(&Header::lanes(), &["zeropad/params", "lib/each", "lib/divide", "zeropad/forward"])
    }

    fn groups(&self) -> u32 {
        self.elements(self.padded()).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.uniforms_of(self.elements(self.padded()), [0, 0], grid_x)
    }
}

/// The signal through zero padding and the activation below: `shaders/zeropad/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PadSignal {
    pub pad: PadForward,
    pub flow: Flow,
}

impl Key for PadSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.pad.label())
    }

    /// The signals above and below; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(0)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["zeropad/params", "lib/each", "lib/divide", "zeropad/signal"];
        files.extend(self.flow.files(&mut header, Width::Vector, 0));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.pad.elements(pair(self.pad.image)).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let n = self.pad.elements(pair(self.pad.image));
        self.pad.uniforms_of(n, self.flow.planes(Width::Vector), grid_x)
    }
}
