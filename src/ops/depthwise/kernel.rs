//! The kernels of depthwise convolutions.

use crate::model::{Activation, Window};
use crate::shader::{
    Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, activation, compose, pair, vectors, words,
};

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

    fn uniforms(&self, n: u32, planes: [u32; 2], grid_x: u32) -> Vec<Vec<u8>> {
        let Window { image, kernel, dilation, before, positions, .. } = self.window;
        let mut all = [image, kernel, dilation, before, positions].map(pair).concat();
        all.extend([n, grid_x, self.channels, vectors(self.channels), planes[0], planes[1]]);
        words(&all)
    }
}

/// Forward, with the activation that follows: `shaders/depthwise/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DepthwiseForward {
    pub sizes: DepthwiseSizes,
    pub bias: bool,
    pub activation: Activation,
    /// Whether the activation's input goes to plane 1.
    pub keep: bool,
    /// Elements of a plane of the result; a multiple of four.
    pub plane: u32,
}

impl Key for DepthwiseForward {
    fn label(&self) -> String {
        format!("forward+{} {}", self.activation.name(), self.sizes.label())
    }

    /// x, W, z, b.
    fn bindings(&self) -> Vec<Binding> {
        [Uniform, Read, Read, Write].into_iter().chain(self.bias.then_some(Read)).collect()
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = self.sizes.header();
        header.flag("KEEP", self.keep).number("WEIGHT_BINDING", 2);
        let bias = if self.bias { "depthwise/bias" } else { "depthwise/no_bias" };
        let [function, math] = activation(&mut header, self.activation);
        let body = ["depthwise/params", "lib/each", "lib/divide", "depthwise/weight", "depthwise/forward"];
        compose(&header, &[&body[..], &[bias, function, math]].concat())
    }

    fn groups(&self) -> u32 {
        self.sizes.invocations(self.sizes.window.positions).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let n = self.sizes.invocations(self.sizes.window.positions);
        self.sizes.uniforms(n, [0, self.plane / 4], grid_x)
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

    fn source(&self, _: Dtypes) -> String {
        let mut header = self.sizes.header();
        header.number("WEIGHT_BINDING", 3);
        let mut files =
            vec!["depthwise/params", "lib/each", "lib/divide", "depthwise/weight", "depthwise/signal"];
        files.extend(self.flow.files(&mut header, Width::Vector, 1));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.sizes.invocations(self.sizes.window.image).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let n = self.sizes.invocations(self.sizes.window.image);
        self.sizes.uniforms(n, self.flow.planes(Width::Vector), grid_x)
    }
}
