//! The kernels of pooling.

use crate::model::Window;
use crate::shader::{
    Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, Workgroup, compose, vectors, words,
};

/// A pooling layer and its windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pooling {
    /// The largest of each window.
    Max(Window),
    /// The mean of each window; whether padding counts among its elements.
    Mean { window: Window, count_padding: bool },
    /// The means of windows that share an image among positions.
    Adaptive { image: [usize; 2], positions: [usize; 2] },
}

/// Larger windows are shared by a workgroup: an invocation must not loop more than 65,535 times in total.
const SHARED: usize = 1024;

/// Invocations that share a large window.
const MANY: u32 = 256;

impl Pooling {
    fn name(&self) -> &'static str {
        match self {
            Pooling::Max(_) => "max",
            Pooling::Mean { .. } => "mean",
            Pooling::Adaptive { .. } => "adaptive mean",
        }
    }

    fn image(&self) -> [usize; 2] {
        match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => window.image,
            Pooling::Adaptive { image, .. } => *image,
        }
    }

    fn positions(&self) -> [usize; 2] {
        match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => window.positions,
            Pooling::Adaptive { positions, .. } => *positions,
        }
    }

    fn most_elements(&self) -> usize {
        match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => window.taps(),
            Pooling::Adaptive { image, positions } => most(*image, *positions),
        }
    }

    /// The most windows that cover one pixel.
    fn most_windows(&self) -> usize {
        match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => {
                let along = |axis: usize| window.kernel[axis].div_ceil(window.stride[axis]);
                along(0) * along(1)
            }
            Pooling::Adaptive { image, positions } => most(*positions, *image),
        }
    }

    /// vec4s of its output.
    pub(crate) fn outputs(&self, batch: u32, channels: u32) -> u32 {
        let [rows, columns] = self.positions();
        batch * (rows * columns) as u32 * vectors(channels)
    }

    pub(crate) fn label(&self, batch: u32, channels: u32) -> String {
        let ([rows, columns], [h, w], name) = (self.positions(), self.image(), self.name());
        format!("{name} pool {batch}x{channels}x{h}x{w} to {rows}x{columns}")
    }

    /// How kernels read the taps of max pooling.
    pub(crate) fn taps_file(&self) -> &'static str {
        if wide(self) { "pool/tap_words" } else { "pool/tap_bytes" }
    }

    /// Constants and files, given the number of elements that an invocation loops over.
    pub(crate) fn files(&self, header: &mut Header, channels: u32, share: usize) -> Vec<&'static str> {
        let (lanes, rows) = shape(share);
        header.number("LANES", lanes).number("ROWS", rows).number("VECTORS", vectors(channels));
        header.pair("IMAGE", self.image()).pair("POSITIONS", self.positions());
        let windows = match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => {
                header.pair("STRIDE", window.stride).pair("BEFORE", window.before);
                header.pair("KERNEL", window.kernel);
                "pool/sliding"
            }
            Pooling::Adaptive { .. } => "pool/adaptive",
        };
        let mut files = vec!["lib/elementwise", "pool/places", windows, "lib/walk", "lib/divide", "lib/rows"];
        match self {
            Pooling::Max(_) => {}
            Pooling::Mean { window, count_padding: true } => {
                header.pair("PADDED", window.padded());
                files.push("pool/weight_padded");
            }
            _ => files.push("pool/weight_inside"),
        }
        files
    }
}

/// The most of `size` that one of `parts` gets, along both axes.
fn most(size: [usize; 2], parts: [usize; 2]) -> usize {
    (size[0] / parts[0] + 2) * (size[1] / parts[1] + 2)
}

/// Invocations that share a result that `share` elements make, and results of a workgroup.
pub(crate) fn shape(share: usize) -> (u32, u32) {
    if share > SHARED { (MANY, 1) } else { (1, LANES) }
}

/// Pooling forward: `shaders/pool/max_forward.wgsl`, `mean_forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PoolForward {
    pub pooling: Pooling,
    pub batch: u32,
    pub channels: u32,
    /// Whether a backward pass follows that asks which elements were the largest; for max pooling.
    pub keep: bool,
}

/// Whether taps take a word each, instead of a byte.
fn wide(pooling: &Pooling) -> bool {
    pooling.most_elements() > 256
}

impl PoolForward {
    fn keeps(&self) -> bool {
        self.keep && matches!(self.pooling, Pooling::Max(_))
    }

    fn elements(&self) -> u32 {
        self.pooling.outputs(self.batch, self.channels)
    }

    /// Words of the buffer of taps: the element of each window that was the maximum.
    pub(crate) fn taps_len(&self) -> u32 {
        match (self.keeps(), wide(&self.pooling)) {
            (false, _) => 0,
            (true, false) => self.elements(),
            (true, true) => 4 * self.elements(),
        }
    }
}

impl Key for PoolForward {
    fn label(&self) -> String {
        self.pooling.label(self.batch, self.channels)
    }

    /// x, z, and where kept the taps.
    fn bindings(&self) -> Vec<Binding> {
        [Uniform, Read, Write].into_iter().chain(self.keeps().then_some(Write)).collect()
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::default();
        let mut files = self.pooling.files(&mut header, self.channels, self.pooling.most_elements());
        match self.pooling {
            Pooling::Max(_) => files.extend([
                "pool/max_forward",
                match (self.keeps(), wide(&self.pooling)) {
                    (false, _) => "pool/keep_none",
                    (true, false) => "pool/keep_bytes",
                    (true, true) => "pool/keep_words",
                },
            ]),
            _ => files.push("pool/mean_forward"),
        }
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.elements().div_ceil(shape(self.pooling.most_elements()).1)
    }

    /// A sum; max pooling also compares four values and their taps.
    fn workgroup(&self) -> Workgroup {
        let (lanes, rows) = shape(self.pooling.most_elements());
        let largest = if matches!(self.pooling, Pooling::Max(_)) { 32 } else { 0 };
        Workgroup::row(lanes * rows).each(16 + largest)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.elements(), grid_x, 0, 0])
    }
}

/// The signal through pooling and the activation below: `shaders/pool/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PoolSignal {
    pub pooling: Pooling,
    pub batch: u32,
    pub channels: u32,
    pub flow: Flow,
}

impl PoolSignal {
    fn extras(&self) -> u32 {
        u32::from(matches!(self.pooling, Pooling::Max(_)))
    }

    fn elements(&self) -> u32 {
        let [rows, columns] = self.pooling.image();
        self.batch * (rows * columns) as u32 * vectors(self.channels)
    }
}

impl Key for PoolSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.pooling.label(self.batch, self.channels))
    }

    /// The signals above and below; for max pooling the taps; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(self.extras() as usize)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::default();
        let mut files = self.pooling.files(&mut header, self.channels, self.pooling.most_windows());
        files.extend(self.flow.files(&mut header, Width::Vector, self.extras()));
        files.extend(["pool/signal", "signal/lanes"]);
        match self.pooling {
            Pooling::Max(_) => files.extend(["pool/factor_max", self.pooling.taps_file()]),
            _ => files.push("pool/factor_mean"),
        }
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.elements().div_ceil(shape(self.pooling.most_windows()).1)
    }

    fn workgroup(&self) -> Workgroup {
        let (lanes, rows) = shape(self.pooling.most_windows());
        Workgroup::row(lanes * rows).each(16)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let [plane_in, plane_out] = self.flow.planes(Width::Vector);
        words(&[self.elements(), grid_x, plane_in, plane_out])
    }
}
