//! The tiled product (GEMM) and its uses: forward, signal, parameters.

use super::choose::Tuning;
use super::image::{ImageGeometry, ImageUniform, Split};
use super::sizes::{Sizes, TileUse};
use super::tile::Tile;
use crate::model::{Activation, Mode};
use crate::ops::optimizer::Update;
use crate::shader::{Binding, Binding::*, DeviceClass, Dtypes, Kernel, Key, Workgroup, bytes_of};

/// How a vector of four elements is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Vector,
    /// One by one: the contiguous size is no multiple of four.
    Scalar,
}

impl Access {
    pub(super) fn of(contiguous: u32) -> Access {
        if contiguous.is_multiple_of(4) { Access::Vector } else { Access::Scalar }
    }

    pub(super) fn pick(self, vector: &'static str, scalar: &'static str) -> &'static str {
        match self {
            Access::Vector => vector,
            Access::Scalar => scalar,
        }
    }
}

/// What the product is used for, with all that changes the shader.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Use {
    /// `z = act(x Wᵀ + b)`: m = batch, n = out, k = in.
    Forward {
        /// The activation after the layer, fused.
        activation: Activation,
        bias: bool,
        /// Whether the backward pass needs the activation's input.
        keep: bool,
    },
    /// The signal through the layer and the activation below: m = batch, n = in, k = out.
    Signal {
        /// Components per element, and whether the f'' term is there.
        mode: Mode,
        /// The activation before the layer, fused.
        below: Activation,
    },
    /// Gradient and diagonal of a dense layer: m = out, n = in, k = batch.
    Parameters { diagonal: bool, bias: bool, sink: GradientSink },
    /// Sums for the gradient and diagonal of a convolution over parts of the batch: m = out, n = taps × in, k = positions.
    Partial {
        /// Components per element.
        mode: Mode,
        bias: bool,
    },
}

/// Where a dense layer's gradient and diagonal go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum GradientSink {
    /// They are left in memory.
    Replace,
    /// They are added to what is there.
    Accumulate,
    /// The optimiser's step is taken, and they are not kept.
    Update(Update),
}

/// One product: its use and sizes decide the permutation, the grid and the uniform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gemm {
    pub usage: Use,
    pub m: u32,
    pub n: u32,
    pub k: u32,
    tile: Tile,
    /// Of a convolution.
    pub image: Option<ImageGeometry>,
}

/// The uniform of `gemm.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct GemmUniform {
    m: u32,
    n: u32,
    k: u32,
    tiles_n: u32,
    tiles: u32,
    splits: u32,
    grid_x: u32,
    a_plane: u32,
    c_plane: u32,
    bias: u32,
    scale: f32,
    first: u32,
    image: ImageUniform,
}

/// Fours of a run, and terms of the longest sum made in one run. In networks of many convolutions, bias sums over positions
/// cancel: short runs keep their errors three times smaller, for a twentieth of the time.
const IMAGE_RUN: (u32, u32) = (16, 64);
const DENSE_RUN: (u32, u32) = (1024, 16_384);

/// Terms of the longest slice of a sum.
pub(super) const LONGEST_SLICE: u32 = DENSE_RUN.1;

impl Gemm {
    pub(crate) fn new<'a>(tuning: impl Into<Tuning<'a>>, usage: Use, m: u32, n: u32, k: u32) -> Gemm {
        Gemm::untiled(usage, [m, n, k], None).tiled_by(tuning.into())
    }

    /// A product over an image: k is of one segment.
    pub(crate) fn over(tuning: Tuning<'_>, usage: Use, sizes: [u32; 3], image: ImageGeometry) -> Gemm {
        Gemm::untiled(usage, sizes, Some(image)).tiled_by(tuning)
    }

    fn untiled(usage: Use, [m, n, k]: [u32; 3], image: Option<ImageGeometry>) -> Gemm {
        Gemm { usage, m, n, k, tile: Tile::SLIM, image }
    }

    fn tiled_by(self, tuning: Tuning<'_>) -> Gemm {
        let updates = matches!(self.usage, Use::Parameters { sink: GradientSink::Update(_), .. });
        let slim = updates && tuning.class.is_software();
        self.with_tile(if slim { Tile::SLIM } else { tuning.choose(&self.sizes()) })
    }

    pub(crate) fn with_tile(self, tile: Tile) -> Gemm {
        Gemm { tile, ..self }
    }

    pub(crate) fn tile(&self) -> Tile {
        self.tile
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let contiguous = match self.usage {
            Use::Parameters { .. } | Use::Partial { .. } => [self.m, self.n],
            Use::Forward { .. } | Use::Signal { .. } => [self.k, self.n],
        };
        let vectors = contiguous.into_iter().all(|size| Access::of(size) == Access::Vector);
        let partial = matches!(self.usage, Use::Partial { .. });
        let segments = match &self.image {
            Some(image) if partial => image.samples,
            Some(image) => image.taps(),
            None => 1,
        };
        let kind = match (self.usage, self.image.is_some()) {
            (Use::Forward { .. }, false) => TileUse::Forward,
            (Use::Forward { .. }, true) => TileUse::ConvolutionForward,
            (Use::Signal { .. }, false) => TileUse::Signal,
            (Use::Signal { .. }, true) => TileUse::ConvolutionSignal,
            (Use::Parameters { .. }, _) => TileUse::Parameters,
            (Use::Partial { .. }, _) => TileUse::ConvolutionParameters,
        };
        // The sums of partial products and of a dense layer's parameters are split elsewhere.
        let (_, longest) = self.run();
        Sizes {
            kind,
            components: self.components(),
            m: self.m,
            n: self.n,
            k: self.k,
            segments,
            step: self.step(),
            vectors,
            long: !partial && self.k.saturating_mul(segments) > longest,
        }
    }

    /// Fours of a run, and terms of the longest sum that is made in one go.
    pub(super) fn run(&self) -> (u32, u32) {
        if self.image.is_some() { IMAGE_RUN } else { DENSE_RUN }
    }

    /// Whether the kernel that sums parameters over `samples` should also take the optimiser's step: if the weights are read as
    /// vec4s; on software adapters, where only slim tiles allow it, for short sums. See docs/performance.md.
    pub(crate) fn update_pays(class: DeviceClass, inputs: u32, samples: u32) -> bool {
        Access::of(inputs) == Access::Vector && (!class.is_software() || samples <= 2)
    }

    pub(crate) fn tiles(&self) -> u32 {
        self.tile.grid(self.m, self.n).1
    }

    pub(crate) fn split(&self) -> Split {
        self.image.map_or(Split::WHOLE, |image| image.split)
    }

    /// Components that each part of the sum leaves.
    pub(crate) fn kept(&self) -> u32 {
        match self.usage {
            Use::Partial { .. } if !self.split().cuts_samples() => self.components().min(2),
            _ => self.components(),
        }
    }

    /// Components of A and of the result.
    pub(super) fn components(&self) -> u32 {
        match self.usage {
            Use::Forward { .. } => 1,
            Use::Signal { mode, .. } | Use::Partial { mode, .. } => mode.components() as u32,
            Use::Parameters { diagonal, .. } => 1 + u32::from(diagonal),
        }
    }

    /// Advance along k: four where A is read along k.
    pub(super) fn step(&self) -> u32 {
        match self.usage {
            Use::Parameters { .. } | Use::Partial { .. } => 1,
            _ => 4,
        }
    }

    pub(crate) fn label(&self) -> String {
        let what = match self.usage {
            Use::Forward { activation, .. } => format!("forward+{}", activation.name()),
            Use::Signal { mode, below } => format!("signal {}+{}", mode.name(), below.name()),
            Use::Parameters { sink: GradientSink::Update(update), .. } => {
                format!("parameters {}", update.name())
            }
            Use::Parameters { diagonal: true, .. } => "parameters gradient+diagonal".into(),
            Use::Parameters { .. } => "parameters gradient".into(),
            Use::Partial { mode, .. } => format!("partial {}", mode.name()),
        };
        let image = self.image.map_or(String::new(), |image| image.label());
        format!("gemm {what}{image} {}x{}x{} tile {}", self.m, self.n, self.k, self.tile)
    }

    pub(crate) fn bindings(&self) -> Vec<Binding> {
        match self.usage {
            Use::Forward { bias: true, .. } => vec![Uniform, Read, Read, Write, Read],
            Use::Signal { below, .. } if below != Activation::Identity => {
                vec![Uniform, Read, Read, Write, Read]
            }
            Use::Parameters { sink: GradientSink::Update(_), .. } => vec![Uniform, Read, Read, Write, Write],
            Use::Parameters { diagonal: true, .. } => vec![Uniform, Read, Read, Write, Write],
            _ => vec![Uniform, Read, Read, Write],
        }
    }

    /// Workgroups in all: the tiles, and those that sum a bias beside them.
    pub(crate) fn groups(&self) -> u32 {
        let side = match self.usage {
            Use::Parameters { bias: true, .. } | Use::Partial { bias: true, .. } => {
                self.m.div_ceil(4 * self.tile.bias_lanes())
            }
            _ => 0,
        };
        (self.tiles() + side) * self.split().splits
    }

    pub(super) fn workgroup(&self) -> Workgroup {
        self.tile.workgroup(self.components())
    }

    pub(crate) fn flops(&self) -> u64 {
        let sums = match &self.image {
            None => u64::from(self.m) * u64::from(self.n) * u64::from(self.k),
            Some(image) => image.products,
        };
        2 * sums * u64::from(self.components())
    }
}

/// Where a product finds its planes and its bias, in elements, and what its result is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Offsets {
    pub a_plane: u32,
    pub c_plane: u32,
    pub bias: u32,
    pub scale: f32,
    /// Where the parameters that are updated begin, or weights that are read beside others that are: in vec4s.
    pub first: u32,
}

impl Offsets {
    /// One plane, no bias, scale 1.
    pub(crate) const ALONE: Offsets = Offsets { a_plane: 0, c_plane: 0, bias: 0, scale: 1.0, first: 0 };
}

/// A product in a dispatch of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Product {
    pub gemm: Gemm,
    pub offsets: Offsets,
}

impl Product {
    pub(crate) fn with_tile(self, tile: Tile) -> Product {
        Product { gemm: self.gemm.with_tile(tile), ..self }
    }

    pub(crate) fn updated(&self) -> Option<u32> {
        match self.gemm.usage {
            Use::Parameters { bias: true, sink: GradientSink::Update(_), .. } => {
                Some(self.offsets.bias + self.gemm.m)
            }
            Use::Parameters { sink: GradientSink::Update(_), .. } => Some(self.gemm.m * self.gemm.n),
            _ => None,
        }
    }

    pub(super) fn uniform(&self, grid_x: u32) -> GemmUniform {
        let Gemm { m, n, k, .. } = self.gemm;
        let (tiles_n, tiles) = self.gemm.tile.grid(m, n);
        let (splits, image) = (self.gemm.split().splits, self.gemm.image.map(|image| image.uniform()));
        let image = image.unwrap_or_default();
        let Offsets { a_plane, c_plane, bias, scale, first } = self.offsets;
        GemmUniform { m, n, k, tiles_n, tiles, splits, grid_x, a_plane, c_plane, bias, scale, first, image }
    }
}

impl Key for Product {
    fn label(&self) -> String {
        self.gemm.label()
    }

    fn source(&self, dtypes: Dtypes) -> String {
        self.gemm.source(dtypes.at(3))
    }

    fn bindings(&self) -> Vec<Binding> {
        self.gemm.bindings()
    }

    fn groups(&self) -> u32 {
        self.gemm.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        vec![bytes_of(&self.uniform(grid_x))]
    }

    fn workgroup(&self) -> Workgroup {
        self.gemm.workgroup()
    }

    /// An update binds all parameters and moments of the model, and touches its layer's.
    fn bytes(&self, bound: &[u64]) -> u64 {
        match (self.gemm.usage, self.updated()) {
            (Use::Parameters { sink: GradientSink::Update(update), .. }, Some(len)) => {
                bound[0] + bound[1] + 4 * u64::from(len) * (1 + update.moments())
            }
            _ => bound.iter().sum(),
        }
    }

    fn flops(&self) -> u64 {
        self.gemm.flops()
    }
}

impl Kernel {
    pub(crate) fn product(&self) -> Option<&Product> {
        self.get()
    }

    pub(crate) fn with_tile(self, tile: Tile) -> Kernel {
        match self.get::<Product>() {
            Some(product) => Kernel::from(product.with_tile(tile)).storing(self.dtypes()),
            None => self,
        }
    }
}
