//! Zeros around an image.

use super::image::{Key, LANES, pair, vectors};
use super::signal::{Flow, Width};
use super::source::{self, Header};
use super::{Binding, Binding::*};

/// Zero padding: `shaders/pad/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pad {
    pub batch: u32,
    pub channels: u32,
    pub image: [usize; 2],
    /// Left, right, top, bottom: as the layer has it.
    pub padding: [usize; 4],
}

impl Pad {
    fn padded(&self) -> [u32; 2] {
        let ([h, w], [left, right, top, bottom]) = (self.image, self.padding);
        pair([h + top + bottom, w + left + right])
    }

    fn elements(&self, [rows, columns]: [u32; 2]) -> u32 {
        self.batch * rows * columns * vectors(self.channels)
    }

    fn words(&self, n: u32, planes: [u32; 2], grid_x: u32) -> Vec<u32> {
        let before = pair([self.padding[2], self.padding[0]]);
        let mut words = [pair(self.image), self.padded(), before].concat();
        words.extend([n, grid_x, vectors(self.channels), planes[0], planes[1], 0]);
        words
    }
}

impl Key for Pad {
    fn label(&self) -> String {
        let ([h, w], [rows, columns]) = (self.image, self.padded());
        format!("pad {}x{}x{h}x{w} to {rows}x{columns}", self.batch, self.channels)
    }

    /// x, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES);
        source::compose(&header, &["pad/params", "lib/divide", "pad/forward"])
    }

    fn groups(&self) -> u32 {
        self.elements(self.padded()).div_ceil(LANES)
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        self.words(self.elements(self.padded()), [0, 0], grid_x)
    }
}

/// The signal through zero padding and the activation below: `shaders/pad/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PadSignal {
    pub pad: Pad,
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

    fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES);
        let mut files = vec!["pad/params", "lib/divide", "pad/signal"];
        files.extend(self.flow.files(&mut header, Width::Vector, 0));
        source::compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.pad.elements(pair(self.pad.image)).div_ceil(LANES)
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        let n = self.pad.elements(pair(self.pad.image));
        self.pad.words(n, self.flow.planes(Width::Vector), grid_x)
    }
}
