//! Convolution of each channel by itself.

use super::image::{Key, LANES, pair, vectors};
use super::signal::{Flow, Width};
use super::source::{self, Header};
use super::{Binding, Binding::*};
use crate::model::{Activation, Window};

/// Neighbours in a row that an invocation makes.
const COLUMNS: u32 = 4;

/// A depthwise convolution: as many groups as channels, one output each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DepthwiseSizes {
    pub window: Window,
    pub batch: u32,
    pub channels: u32,
}

impl DepthwiseSizes {
    /// Kernels of more elements would have an invocation loop too often.
    pub(crate) const MOST_TAPS: usize = 2048;

    /// Invocations that make an image of this size.
    fn invocations(&self, image: [usize; 2]) -> u32 {
        let [rows, columns] = pair(image);
        self.batch * rows * columns.div_ceil(COLUMNS) * vectors(self.channels)
    }

    fn label(&self) -> String {
        let Window { image: [h, w], kernel: [kh, kw], .. } = self.window;
        format!("depthwise {}x{}x{h}x{w} {kh}x{kw}", self.batch, self.channels)
    }

    /// The constants: a division by the stride is none where that is 1.
    fn header(&self) -> Header {
        let [rows, columns] = pair(self.window.stride);
        let mut header = Header::default();
        header
            .number("LANES", LANES)
            .number("COLUMNS", COLUMNS)
            .number("STRIDE_ROWS", rows)
            .number("STRIDE_COLUMNS", columns);
        header
    }

    fn uniform(&self, n: u32, planes: [u32; 2], grid_x: u32) -> Vec<u32> {
        let Window { image, kernel, dilation, before, positions, .. } = self.window;
        let mut words = [image, kernel, dilation, before, positions].map(pair).concat();
        words.extend([n, grid_x, self.channels, vectors(self.channels), planes[0], planes[1]]);
        words
    }
}

/// Forward, with the activation that follows: `shaders/depthwise/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Depthwise {
    pub sizes: DepthwiseSizes,
    pub bias: bool,
    pub activation: Activation,
    /// Whether the activation's input goes to plane 1.
    pub keep: bool,
    /// Elements of a plane of the result; a multiple of four.
    pub plane: u32,
}

impl Key for Depthwise {
    fn label(&self) -> String {
        format!("forward+{} {}", self.activation.name(), self.sizes.label())
    }

    /// x, W, z, b.
    fn bindings(&self) -> Vec<Binding> {
        let mut bindings = vec![Uniform, Read, Read, Write];
        if self.bias {
            bindings.push(Read);
        }
        bindings
    }

    fn source(&self) -> String {
        let mut header = self.sizes.header();
        header.flag("KEEP", self.keep).number("WEIGHT_BINDING", 2);
        let bias = if self.bias { "depthwise/bias" } else { "depthwise/no_bias" };
        let [activation, math] = source::activation(&mut header, self.activation);
        let body = ["depthwise/params", "lib/divide", "depthwise/weight", "depthwise/forward"];
        source::compose(&header, &[&body[..], &[bias, activation, math]].concat())
    }

    fn groups(&self) -> u32 {
        self.sizes.invocations(self.sizes.window.positions).div_ceil(LANES)
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        let n = self.sizes.invocations(self.sizes.window.positions);
        self.sizes.uniform(n, [0, self.plane / 4], grid_x)
    }
}

/// The signal to the input, through the activation below: `shaders/depthwise/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DepthwiseSignal {
    pub sizes: DepthwiseSizes,
    pub flow: Flow,
}

impl Key for DepthwiseSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.sizes.label())
    }

    /// The signals above and below, W; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(1)
    }

    fn source(&self) -> String {
        let mut header = self.sizes.header();
        header.number("WEIGHT_BINDING", 3);
        let mut files = vec!["depthwise/params", "lib/divide", "depthwise/weight", "depthwise/signal"];
        files.extend(self.flow.files(&mut header, Width::Vector, 1));
        source::compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.sizes.invocations(self.sizes.window.image).div_ceil(LANES)
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        let n = self.sizes.invocations(self.sizes.window.image);
        self.sizes.uniform(n, self.flow.planes(Width::Vector), grid_x)
    }
}
