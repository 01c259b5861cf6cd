//! Pooling.

use super::image::{Key, LANES, pair, vectors};
use super::signal::{Flow, Width};
use super::source::{self, Header};
use super::{Binding, Binding::*};
use crate::model::Window;

/// What a pooling layer makes of which windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pooling {
    /// The largest of each window.
    Max(Window),
    /// The mean of each window; whether padding counts among its elements.
    Mean { window: Window, count_padding: bool },
    /// The means of windows that share an image among positions.
    Adaptive { image: [usize; 2], positions: [usize; 2] },
}

/// Windows of more elements than this are shared by a whole workgroup: an invocation must not loop more than 65,535 times
/// in all, and should not sum too long.
const SHARED: usize = 1024;

/// Invocations that share one.
const MANY: u32 = 256;

impl Pooling {
    fn name(&self) -> &'static str {
        match self {
            Pooling::Max(_) => "max",
            Pooling::Mean { .. } => "mean",
            Pooling::Adaptive { .. } => "adaptive mean",
        }
    }

    fn image(&self) -> [u32; 2] {
        match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => pair(window.image),
            Pooling::Adaptive { image, .. } => pair(*image),
        }
    }

    fn positions(&self) -> [u32; 2] {
        match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => pair(window.positions),
            Pooling::Adaptive { positions, .. } => pair(*positions),
        }
    }

    /// The most elements that a window has.
    fn most_elements(&self) -> usize {
        match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => window.taps(),
            Pooling::Adaptive { image, positions } => most(*image, *positions),
        }
    }

    /// The most windows that a place is in.
    fn most_windows(&self) -> usize {
        match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => {
                let along = |axis: usize| window.kernel[axis].div_ceil(window.stride[axis]);
                along(0) * along(1)
            }
            Pooling::Adaptive { image, positions } => most(*positions, *image),
        }
    }

    /// Constants and files of windows that are shared as `share` elements ask for.
    fn files(&self, header: &mut Header, share: usize) -> Vec<&'static str> {
        let (lanes, rows) = shape(share);
        header.number("LANES", lanes).number("ROWS", rows);
        // What is divided by is constant: divisions are dear on some devices.
        let windows = match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => {
                let [rows, columns] = pair(window.stride);
                header.number("STRIDE_ROWS", rows).number("STRIDE_COLUMNS", columns);
                "pool/sliding"
            }
            Pooling::Adaptive { .. } => {
                let ([rows, columns], [h, w]) = (self.positions(), self.image());
                header.number("IMAGE_ROWS", h).number("IMAGE_COLUMNS", w);
                header.number("POSITION_ROWS", rows).number("POSITION_COLUMNS", columns);
                "pool/adaptive"
            }
        };
        let mut files = vec!["pool/params", windows, "lib/walk", "lib/divide", "lib/rows"];
        if !matches!(self, Pooling::Max(_)) {
            header.flag("COUNT_PADDING", matches!(self, Pooling::Mean { count_padding: true, .. }));
            files.push("pool/weight");
        }
        files
    }

    fn uniform(&self, n: u32, channels: u32, planes: [u32; 2], grid_x: u32) -> Vec<u32> {
        let [kernel, before] = match self {
            Pooling::Max(window) | Pooling::Mean { window, .. } => [pair(window.kernel), pair(window.before)],
            Pooling::Adaptive { .. } => [[1, 1], [0, 0]],
        };
        let mut words = [self.image(), kernel, before, self.positions()].concat();
        words.extend([n, grid_x, vectors(channels), planes[0], planes[1], 0]);
        words
    }
}

/// The most of `size` that one of `parts` gets, along both axes.
fn most(size: [usize; 2], parts: [usize; 2]) -> usize {
    (size[0] / parts[0] + 2) * (size[1] / parts[1] + 2)
}

/// Invocations that share a result, and results of a workgroup.
fn shape(share: usize) -> (u32, u32) {
    if share > SHARED { (MANY, 1) } else { (1, LANES) }
}

/// Pooling forward: `shaders/pool/max_forward.wgsl`, `mean_forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pool {
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

impl Pool {
    fn keeps(&self) -> bool {
        self.keep && matches!(self.pooling, Pooling::Max(_))
    }

    fn elements(&self) -> u32 {
        let [rows, columns] = self.pooling.positions();
        self.batch * rows * columns * vectors(self.channels)
    }

    /// Words of the buffer that says which elements were the largest.
    pub(crate) fn taps_len(&self) -> u32 {
        match (self.keeps(), wide(&self.pooling)) {
            (false, _) => 0,
            (true, false) => self.elements(),
            (true, true) => 4 * self.elements(),
        }
    }
}

impl Key for Pool {
    fn label(&self) -> String {
        let ([rows, columns], [h, w]) = (self.pooling.positions(), self.pooling.image());
        let name = self.pooling.name();
        format!("{name} pool {}x{}x{h}x{w} to {rows}x{columns}", self.batch, self.channels)
    }

    /// x, z, and where kept the taps.
    fn bindings(&self) -> Vec<Binding> {
        let mut bindings = vec![Uniform, Read, Write];
        if self.keeps() {
            bindings.push(Write);
        }
        bindings
    }

    fn source(&self) -> String {
        let mut header = Header::default();
        let mut files = self.pooling.files(&mut header, self.pooling.most_elements());
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
        source::compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.elements().div_ceil(shape(self.pooling.most_elements()).1)
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        self.pooling.uniform(self.elements(), self.channels, [0, 0], grid_x)
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
        self.batch * rows * columns * vectors(self.channels)
    }
}

impl Key for PoolSignal {
    fn label(&self) -> String {
        let ([rows, columns], [h, w]) = (self.pooling.positions(), self.pooling.image());
        let (name, flow) = (self.pooling.name(), self.flow.label());
        format!(
            "signal {flow} through {name} pool {}x{}x{h}x{w} to {rows}x{columns}",
            self.batch, self.channels
        )
    }

    /// The signals above and below; for max pooling the taps; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(self.extras() as usize)
    }

    fn source(&self) -> String {
        let mut header = Header::default();
        let mut files = self.pooling.files(&mut header, self.pooling.most_windows());
        files.extend(self.flow.files(&mut header, Width::Vector, self.extras()));
        files.extend(["pool/signal", "signal/lanes"]);
        match self.pooling {
            Pooling::Max(_) if wide(&self.pooling) => files.extend(["pool/factor_max", "pool/tap_words"]),
            Pooling::Max(_) => files.extend(["pool/factor_max", "pool/tap_bytes"]),
            _ => files.push("pool/factor_mean"),
        }
        source::compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.elements().div_ceil(shape(self.pooling.most_windows()).1)
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        self.pooling.uniform(self.elements(), self.channels, self.flow.planes(Width::Vector), grid_x)
    }
}
