//! Elementwise affine maps: dropout, and batch normalisation with fixed statistics.

use super::image::{Key, LANES, vectors};
use super::signal::{Flow, Width};
use super::source::{self, Header};
use super::{Binding, Binding::*, Workgroup};
use crate::model::threshold;

/// How a batch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// `[batch, features]`.
    Rows { batch: u32, features: u32 },
    /// `[batch, positions, channels]`, channels padded to a multiple of four.
    Image { batch: u32, channels: u32, positions: u32 },
}

impl Storage {
    pub(super) fn width(self) -> Width {
        match self {
            Storage::Rows { .. } => Width::Scalar,
            Storage::Image { .. } => Width::Vector,
        }
    }

    pub(super) fn channels(self) -> u32 {
        match self {
            Storage::Rows { features, .. } => features,
            Storage::Image { channels, .. } => channels,
        }
    }

    pub(super) fn positions(self) -> u32 {
        match self {
            Storage::Rows { .. } => 1,
            Storage::Image { positions, .. } => positions,
        }
    }

    pub(super) fn batch(self) -> u32 {
        match self {
            Storage::Rows { batch, .. } | Storage::Image { batch, .. } => batch,
        }
    }

    /// Values of one position, as many numbers each as the width says.
    pub(super) fn vectors(self) -> u32 {
        match self {
            Storage::Rows { features, .. } => features,
            Storage::Image { channels, .. } => vectors(channels),
        }
    }

    fn values(self) -> u32 {
        self.batch() * self.positions() * self.vectors()
    }

    pub(super) fn label(self) -> String {
        match self {
            Storage::Rows { batch, features } => format!("{batch}x{features}"),
            Storage::Image { batch, channels, positions } => format!("{batch}x{channels}x{positions}"),
        }
    }

    fn groups(self) -> u32 {
        self.values().div_ceil(LANES)
    }

    /// The uniform of `affine/params.wgsl`.
    fn uniform(self, grid_x: u32, planes: [u32; 2], [node, threshold, scale]: [u32; 3]) -> Vec<u32> {
        let (channels, vectors, positions) = (self.channels(), self.vectors(), self.positions());
        let [plane_in, plane_out] = planes;
        let first = [self.values(), grid_x, plane_in, plane_out, channels, vectors, positions];
        [&first[..], &[node, threshold, scale, 0, 0]].concat()
    }
}

fn forward(storage: Storage, plugs: &[&'static str]) -> String {
    let mut header = Header::default();
    header.number("LANES", LANES);
    let body = ["affine/params", "affine/forward", storage.width().file()];
    source::compose(&header, &[&body[..], plugs].concat())
}

fn signal(storage: Storage, flow: &Flow, plugs: &[&'static str], extras: u32) -> String {
    let mut header = Header::default();
    header.number("LANES", LANES);
    let mut files = vec!["affine/params", "affine/signal"];
    files.extend(plugs);
    files.extend(flow.files(&mut header, storage.width(), extras));
    source::compose(&header, &files)
}

/// Dropout in training: `shaders/affine/dropout.wgsl`. `node` is the number that [`Noise`](crate::model::Noise) draws for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dropout {
    pub storage: Storage,
    pub node: u32,
    pub p: f64,
}

impl Dropout {
    /// Words of the buffer with seed and step.
    pub(crate) const NOISE_LEN: usize = 4;

    fn words(&self) -> [u32; 3] {
        [self.node, threshold(self.p), ((1.0 / (1.0 - self.p)) as f32).to_bits()]
    }
}

impl Key for Dropout {
    fn label(&self) -> String {
        format!("dropout {}", self.storage.label())
    }

    /// x, z, seed and step.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self) -> String {
        forward(self.storage, &["affine/dropout", "affine/dropout_forward", "lib/divide"])
    }

    fn groups(&self) -> u32 {
        self.storage.groups()
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        self.storage.uniform(grid_x, [0, 0], self.words())
    }
}

/// The signal through dropout and the activation below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DropoutSignal {
    pub dropout: Dropout,
    pub flow: Flow,
}

impl Key for DropoutSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.dropout.label())
    }

    /// The signals above and below, seed and step; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(1)
    }

    fn source(&self) -> String {
        signal(self.dropout.storage, &self.flow, &["affine/dropout", "lib/divide"], 1)
    }

    fn groups(&self) -> u32 {
        self.dropout.groups()
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        let storage = self.dropout.storage;
        storage.uniform(grid_x, self.flow.planes(storage.width()), self.dropout.words())
    }
}

/// Counts a backward pass for dropout, on the GPU, so that any number of recorded steps may be submitted together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AdvanceNoise;

impl Key for AdvanceNoise {
    fn label(&self) -> String {
        "dropout advance".into()
    }

    /// Seed and step.
    fn bindings(&self) -> Vec<Binding> {
        vec![Write]
    }

    fn source(&self) -> String {
        source::compose(&Header::default(), &["affine/advance"])
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(1)
    }

    fn groups(&self) -> u32 {
        1
    }

    fn uniform(&self, _: u32) -> Vec<u32> {
        vec![]
    }
}

/// Batch normalisation with fixed statistics: `shaders/affine/norm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Norm {
    pub storage: Storage,
}

impl Norm {
    /// Numbers of the statistics: the means, then 1 / √(var + ε), each padded as the storage's channels are.
    pub(crate) fn statistics_len(&self) -> u32 {
        2 * self.storage.vectors() * self.storage.width().numbers()
    }
}

impl Key for Norm {
    fn label(&self) -> String {
        format!("norm {}", self.storage.label())
    }

    /// x, z, statistics, γ, β.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read, Read, Read]
    }

    fn source(&self) -> String {
        forward(self.storage, &["affine/norm", "affine/norm_forward"])
    }

    fn groups(&self) -> u32 {
        self.storage.groups()
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        self.storage.uniform(grid_x, [0, 0], [0; 3])
    }
}

/// The signal through batch normalisation and the activation below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormSignal {
    pub norm: Norm,
    pub flow: Flow,
}

impl Key for NormSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.norm.label())
    }

    /// The signals above and below, statistics, γ; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(2)
    }

    fn source(&self) -> String {
        signal(self.norm.storage, &self.flow, &["affine/norm"], 2)
    }

    fn groups(&self) -> u32 {
        self.norm.groups()
    }

    fn uniform(&self, grid_x: u32) -> Vec<u32> {
        let storage = self.norm.storage;
        storage.uniform(grid_x, self.flow.planes(storage.width()), [0; 3])
    }
}
