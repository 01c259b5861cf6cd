//! The kernels of pixel shuffle.

use crate::shader::{
    Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, pair, vectors, words,
};

/// The sizes of a pixel shuffle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shuffle {
    pub batch: u32,
    /// Channels of the larger image; the smaller has r² times as many.
    pub channels: u32,
    /// Height and width of the larger image.
    pub large: [usize; 2],
    pub factor: usize,
}

impl Shuffle {
    fn small(&self) -> [usize; 2] {
        self.large.map(|size| size / self.factor)
    }

    fn label(&self, enlarges: bool) -> String {
        let ([h, w], name) = (self.large, if enlarges { "pixel shuffle" } else { "pixel unshuffle" });
        format!("{name} {}x{}x{h}x{w} by {}", self.batch, self.channels, self.factor)
    }

    /// Channels of an image, whether they are those of the larger one.
    fn channels(&self, large: bool) -> u32 {
        if large { self.channels } else { self.channels * (self.factor * self.factor) as u32 }
    }

    /// Numbers of the larger image or of the smaller one, padding included.
    fn elements(&self, large: bool) -> u32 {
        let [rows, columns] = pair(if large { self.large } else { self.small() });
        self.batch * rows * columns * 4 * vectors(self.channels(large))
    }

    /// The files of a kernel that makes the larger image, or the smaller one.
    fn files(enlarges: bool) -> [&'static str; 4] {
        let way = if enlarges { "pixelshuffle/to_pixels" } else { "pixelshuffle/to_channels" };
        ["pixelshuffle/params", way, "lib/each", "lib/divide"]
    }

    fn uniforms(&self, enlarges: bool, planes: [u32; 2], grid_x: u32) -> Vec<Vec<u8>> {
        let (to, of) = (self.channels(enlarges), self.channels(!enlarges));
        let [small, large] = [self.small(), self.large].map(pair);
        let (to_size, of_size) = if enlarges { (large, small) } else { (small, large) };
        let mut all = [to_size, of_size].concat();
        all.extend([self.elements(enlarges), grid_x, to, 4 * vectors(to), 4 * vectors(of)]);
        all.extend([self.factor as u32, planes[0], planes[1]]);
        words(&all)
    }
}

/// The image at the other size: `shaders/pixelshuffle/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShuffleForward {
    pub shuffle: Shuffle,
    /// Whether it makes the larger image.
    pub enlarges: bool,
}

impl Key for ShuffleForward {
    fn label(&self) -> String {
        self.shuffle.label(self.enlarges)
    }

    /// x, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut files = vec!["pixelshuffle/forward", Width::Scalar.file()];
        files.extend(Shuffle::files(self.enlarges));
        compose(&Header::lanes(), &files)
    }

    fn groups(&self) -> u32 {
        self.shuffle.elements(self.enlarges).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.shuffle.uniforms(self.enlarges, [0, 0], grid_x)
    }
}

/// The signal at the other size, through the activation below: `shaders/pixelshuffle/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShuffleSignal {
    pub shuffle: Shuffle,
    /// Whether it makes the larger image: where the layer makes the smaller.
    pub enlarges: bool,
    pub flow: Flow,
}

impl Key for ShuffleSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.shuffle.label(!self.enlarges))
    }

    /// The signals above and below; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(0)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["pixelshuffle/signal"];
        files.extend(Shuffle::files(self.enlarges));
        files.extend(self.flow.files(&mut header, Width::Scalar, 0));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.shuffle.elements(self.enlarges).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.shuffle.uniforms(self.enlarges, self.flow.planes(Width::Scalar), grid_x)
    }
}
