//! The kernels of resampling.

use crate::model::Resampling;
use crate::ops::pool::shape;
use crate::shader::{
    Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, Workgroup, compose, pair, vectors, words,
};

/// The sizes of a resampling; its matrices are bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Resample {
    pub batch: u32,
    pub channels: u32,
    pub image: [usize; 2],
    pub positions: [usize; 2],
    /// The most pixels of the output that one of the input has a part in.
    pub most: usize,
}

impl Resample {
    pub(crate) fn new(resampling: &Resampling, batch: u32, channels: u32) -> Resample {
        let Resampling { image, positions, .. } = *resampling;
        let along = |axis: usize| {
            let mut parts = vec![0; image[axis]];
            let taps = (0..positions[axis]).flat_map(|q| resampling.taps(axis, q));
            taps.for_each(|(place, _)| parts[place] += 1);
            parts.into_iter().max().unwrap_or(0)
        };
        let most: usize = along(0) * along(1);
        Resample { batch, channels, image, positions, most }
    }

    fn label(&self) -> String {
        let ([h, w], [rows, columns]) = (self.image, self.positions);
        format!("resample {}x{}x{h}x{w} to {rows}x{columns}", self.batch, self.channels)
    }

    fn elements(&self, [rows, columns]: [usize; 2]) -> u32 {
        self.batch * (rows * columns) as u32 * vectors(self.channels)
    }

    /// Of a kernel that makes an image of size `to` of one of size `of`.
    fn uniforms(&self, to: [usize; 2], of: [usize; 2], planes: [u32; 2], grid_x: u32) -> Vec<Vec<u8>> {
        let mut all = [pair(to), pair(of)].concat();
        all.extend([self.elements(to), grid_x, vectors(self.channels), planes[0], planes[1], 0, 0, 0]);
        words(&all)
    }
}

/// Forward: `shaders/resample/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ResampleForward(pub Resample);

impl Key for ResampleForward {
    fn label(&self) -> String {
        self.0.label()
    }

    /// x, z, the matrices.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        let files = ["resample/params", "resample/table", "resample/forward", "lib/each", "lib/divide"];
        compose(&Header::lanes(), &files)
    }

    fn groups(&self) -> u32 {
        self.0.elements(self.0.positions).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms(self.0.positions, self.0.image, [0, 0], grid_x)
    }
}

/// The signal through it and the activation below: `shaders/resample/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ResampleSignal {
    pub resample: Resample,
    pub flow: Flow,
}

impl Key for ResampleSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.resample.label())
    }

    /// The signals above and below, the transposed matrices, the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(1)
    }

    fn source(&self, _: Dtypes) -> String {
        let (lanes, rows) = shape(self.resample.most);
        let mut header = Header::default();
        header.number("LANES", lanes).number("ROWS", rows);
        let mut files = vec!["resample/params", "resample/table", "resample/signal", "signal/lanes"];
        files.extend(["lib/walk", "lib/divide", "lib/rows"]);
        files.extend(self.flow.files(&mut header, Width::Vector, 1));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.resample.elements(self.resample.image).div_ceil(shape(self.resample.most).1)
    }

    fn workgroup(&self) -> Workgroup {
        let (lanes, rows) = shape(self.resample.most);
        Workgroup::row(lanes * rows).each(16)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let planes = self.flow.planes(Width::Vector);
        self.resample.uniforms(self.resample.image, self.resample.positions, planes, grid_x)
    }
}
