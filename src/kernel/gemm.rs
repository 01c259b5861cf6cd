//! The tiled product in its three uses.

use super::convolution::{Image, Split};
use super::optimizer::Update;
use super::source::{self, Header};
use super::tile::{DeviceClass, Family, Sizes, Tile, TileUse, Tuning};
use super::{Binding, Binding::*, GemmPlaces, Number, Workgroup};
use crate::model::{Activation, Mode};

/// Where the four elements of a vector lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Access {
    /// In one vec4.
    Vector,
    /// One by one: the contiguous size is no multiple of four.
    Scalar,
}

impl Access {
    fn of(contiguous: u32) -> Access {
        if contiguous.is_multiple_of(4) { Access::Vector } else { Access::Scalar }
    }

    fn pick(self, vector: &'static str, scalar: &'static str) -> &'static str {
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
        /// What follows the layer, fused.
        activation: Activation,
        /// Whether there is a bias.
        bias: bool,
        /// Whether the backward pass needs the activation's input.
        keep: bool,
    },
    /// The signal through the layer and the activation below: m = batch, n = in, k = out.
    Signal {
        /// Numbers per element, and whether the f'' term is there.
        mode: Mode,
        /// What stands below, fused.
        below: Activation,
    },
    /// Gradient and diagonal of a dense layer: m = out, n = in, k = batch.
    Parameters {
        /// Whether there is a diagonal.
        diagonal: bool,
        /// Whether there is a bias.
        bias: bool,
        /// What becomes of them.
        leave: Leave,
    },
    /// Sums for the gradient and diagonal of a convolution over parts of the batch: m = out, n = taps × in, k = positions.
    Partial {
        /// Numbers per element.
        mode: Mode,
        /// Whether there is a bias.
        bias: bool,
    },
}

/// What becomes of a dense layer's gradient and diagonal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Leave {
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
    /// Of a convolution: what is summed over beside k, and where it lies.
    pub image: Option<Image>,
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
    image: super::convolution::ImageUniform,
}

/// Numbers that flow backwards per element: g; g, h; g, h and u.
pub(crate) fn numbers(mode: Mode) -> u32 {
    mode.components() as u32
}

/// Planes a signal is stored in: its numbers, and beside u the sum of all curvature.
pub(crate) fn planes(mode: Mode) -> u32 {
    mode.planes() as u32
}

/// Parameters' sums are never longer than this.
pub(crate) const LONG_SUM: u32 = 16_384;

/// Steps of a run, and terms of the longest sum that is made in one go. Convolutions stand behind each other in dozens, and
/// what their biases sum over positions cancels: short runs there keep errors three times smaller, for a twentieth of the
/// time.
const IMAGE_RUN: (u32, u32) = (16, 64);
const DENSE_RUN: (u32, u32) = (1024, 16_384);

impl Gemm {
    pub(crate) fn new<'a>(tuning: impl Into<Tuning<'a>>, usage: Use, m: u32, n: u32, k: u32) -> Gemm {
        Gemm::untiled(usage, [m, n, k], None).tiled_by(tuning.into())
    }

    /// A product over an image: k is of one segment.
    pub(super) fn over(tuning: Tuning<'_>, usage: Use, sizes: [u32; 3], image: Image) -> Gemm {
        Gemm::untiled(usage, sizes, Some(image)).tiled_by(tuning)
    }

    fn untiled(usage: Use, [m, n, k]: [u32; 3], image: Option<Image>) -> Gemm {
        Gemm { usage, m, n, k, tile: Tile::SLIM, image }
    }

    fn tiled_by(self, tuning: Tuning<'_>) -> Gemm {
        let updates = matches!(self.usage, Use::Parameters { leave: Leave::Update(_), .. });
        let slim = updates && tuning.class == DeviceClass::Software;
        self.with_tile(if slim { Tile::SLIM } else { tuning.choose(&self.sizes()) })
    }

    pub(crate) fn with_tile(self, tile: Tile) -> Gemm {
        Gemm { tile, ..self }
    }

    pub(crate) fn tile(&self) -> Tile {
        self.tile
    }

    /// What the choice of a tile depends on.
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
        // What a partial sum or a dense layer's parameters sum over is split elsewhere.
        let (_, longest) = self.run();
        Sizes {
            kind,
            numbers: Gemm::numbers(self.usage),
            m: self.m,
            n: self.n,
            k: self.k,
            segments,
            step: Gemm::step(self.usage),
            vectors,
            long: !partial && self.k.saturating_mul(segments) > longest,
        }
    }

    /// Steps of a run, and terms of the longest sum that is made in one go.
    fn run(&self) -> (u32, u32) {
        if self.image.is_some() { IMAGE_RUN } else { DENSE_RUN }
    }

    /// Whether the optimiser's step is better taken where parameters are summed over `samples` than in a kernel of its own:
    /// where they lie in vec4s; and on software, where only slim tiles bear it, while the sums are short. Measured in
    /// docs/performance.md.
    pub(crate) fn update_pays(class: DeviceClass, inputs: u32, samples: u32) -> bool {
        Access::of(inputs) == Access::Vector && (class != DeviceClass::Software || samples <= 2)
    }

    /// Tiles of the result.
    pub(super) fn tiles(&self) -> u32 {
        self.tile.grid(self.m, self.n).1
    }

    /// How the sum is cut.
    pub(crate) fn split(&self) -> Split {
        self.image.map_or(Split::WHOLE, |image| image.split)
    }

    /// Numbers that each part of the sum leaves.
    pub(crate) fn kept(&self) -> u32 {
        match self.usage {
            Use::Partial { .. } if !self.split().cuts_samples() => Gemm::numbers(self.usage).min(2),
            usage => Gemm::numbers(usage),
        }
    }

    fn numbers(usage: Use) -> u32 {
        match usage {
            Use::Forward { .. } => 1,
            Use::Signal { mode, .. } | Use::Partial { mode, .. } => numbers(mode),
            Use::Parameters { diagonal, .. } => 1 + u32::from(diagonal),
        }
    }

    /// Advance along k: four where A is read along k.
    fn step(usage: Use) -> u32 {
        match usage {
            Use::Parameters { .. } | Use::Partial { .. } => 1,
            _ => 4,
        }
    }

    pub(crate) fn label(&self) -> String {
        let what = match self.usage {
            Use::Forward { activation, .. } => format!("forward+{}", activation.name()),
            Use::Signal { mode, below } => format!("signal {}+{}", mode.name(), below.name()),
            Use::Parameters { leave: Leave::Update(update), .. } => format!("parameters {}", update.name()),
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
            Use::Parameters { leave: Leave::Update(_), .. } => vec![Uniform, Read, Read, Write, Write],
            Use::Parameters { diagonal: true, .. } => vec![Uniform, Read, Read, Write, Write],
            _ => vec![Uniform, Read, Read, Write],
        }
    }

    /// The shader, its result stored in such numbers.
    pub(crate) fn source(&self, result: Number) -> String {
        self.source_with(result, None)
    }

    /// The same, a signal's weights read by that file instead.
    pub(super) fn source_with(&self, result: Number, weights: Option<&'static str>) -> String {
        let Tile { family, rows, vectors, width, height } = self.tile;
        let mut header = Header::default();
        if let Family::Cooperative { matrices, .. } = family {
            matrices.types(&mut header);
        }
        header.number("TM", rows).number("V", vectors).number("WX", width).number("WY", height);
        header.number("P", Gemm::numbers(self.usage));
        let taps = self.image.map_or(1, |image| image.taps());
        let partial = matches!(self.usage, Use::Partial { .. });
        header.number("KEPT", self.kept()).number("TAPS", taps);
        header.flag("LONG", self.sizes().long).number("RUN", self.run().0);
        header.flag("JOINT", partial && self.kept() < Gemm::numbers(self.usage));
        let out = Access::of(self.n);
        let mut files = vec!["gemm/gemm"];
        if !matches!(self.usage, Use::Parameters { leave: Leave::Update(_), .. }) {
            files.push(out.pick("gemm/out_vec4", "gemm/out_scalar"));
        }
        if matches!(self.usage, Use::Forward { .. } | Use::Signal { .. }) {
            files.push(match result {
                Number::F32 => "gemm/hold_out",
                Number::F16 => "gemm/hold_aside",
            });
        }
        match family {
            Family::Registers => {
                header.number("HELD", rows).number("KS", Gemm::step(self.usage));
                files.push("gemm/registers");
            }
            Family::Workgroup { steps, buffers } => {
                header.number("HELD", rows.max(4)).number("STEPS", steps).number("BUFFERS", buffers);
                files.push("gemm/workgroup");
            }
            Family::Cooperative { matrices, steps } => {
                let (high, wide) = matrices.share(self.tile).unwrap_or((1, 1));
                header.number("STEPS", steps).number("HIGH", high).number("WIDE", wide);
                files.push("gemm/cooperative");
            }
        }
        let a = match (&self.image, partial) {
            (None, _) => {
                files.push("gemm/walk_dense");
                "gemm/a_k"
            }
            (Some(image), partial) => {
                image.constants(&mut header);
                files.extend([if partial { "gemm/walk_samples" } else { "gemm/walk_taps" }, "gemm/window"]);
                "gemm/a_image"
            }
        };
        match self.usage {
            Use::Forward { activation, bias, keep } => {
                let k = Access::of(self.k);
                header.flag("KEEP", keep);
                files.extend(["gemm/forward", a, "gemm/b_k"]);
                files
                    .extend([k.pick("gemm/a_vec4", "gemm/a_scalar"), k.pick("gemm/b_vec4", "gemm/b_scalar")]);
                files.push(if bias { "gemm/bias" } else { "gemm/no_bias" });
                files.extend(source::activation(&mut header, activation));
            }
            Use::Signal { mode, below } => {
                let k = Access::of(self.k);
                header.flag("F2_TERM", mode != Mode::HesScaleGn);
                files.extend(["gemm/signal", a, "gemm/b_n"]);
                files.push(k.pick("gemm/a_vec4", "gemm/a_scalar"));
                files.push(weights.unwrap_or(out.pick("gemm/b_vec4", "gemm/b_scalar")));
                files.push(match below {
                    Activation::Identity => "gemm/below_none",
                    _ => out.pick("gemm/below_vec4", "gemm/below_scalar"),
                });
                files.extend(source::activation(&mut header, below));
            }
            Use::Parameters { diagonal, bias, leave } => {
                // Whether the last tile has rows past the end.
                header.flag("BIAS", bias).flag("RAGGED", !self.m.is_multiple_of(rows * height));
                files.extend(["gemm/parameters", "gemm/a_m", "gemm/b_n"]);
                files.push(Access::of(self.m).pick("gemm/a_vec4", "gemm/a_scalar"));
                files.push(out.pick("gemm/b_vec4", "gemm/b_scalar"));
                if let Leave::Update(update) = leave {
                    header.number("MEMORY", 4);
                    files.push("gemm/update");
                    files.extend(update.rule(&mut header));
                } else {
                    header.flag("ACCUMULATE", leave == Leave::Accumulate);
                    files.push("gemm/leave");
                    files.push(match diagonal {
                        true => out.pick("gemm/diagonal_vec4", "gemm/diagonal_scalar"),
                        false => "gemm/no_diagonal",
                    });
                }
            }
            Use::Partial { bias, .. } => {
                header.flag("BIAS", bias);
                files.extend(["gemm/partial", "gemm/a_m", "gemm/a_vec4", "gemm/b_image", "gemm/b_vec4"]);
            }
        }
        source::compose(&header, &files)
    }

    /// Workgroups in all: the tiles, and those that sum a bias beside them.
    pub(crate) fn groups(&self) -> u32 {
        let side = match self.usage {
            Use::Parameters { bias: true, .. } | Use::Partial { bias: true, .. } => {
                self.m.div_ceil(4 * self.tile.lanes())
            }
            _ => 0,
        };
        (self.tiles() + side) * self.split().splits
    }

    pub(super) fn workgroup(&self) -> Workgroup {
        self.tile.workgroup(Gemm::numbers(self.usage))
    }

    /// The uniform.
    pub(crate) fn uniform(&self, grid_x: u32, places: &GemmPlaces) -> GemmUniform {
        let (tiles_n, tiles) = self.tile.grid(self.m, self.n);
        let (splits, image) =
            (self.split().splits, self.image.map(|image| image.uniform()).unwrap_or_default());
        let Gemm { m, n, k, .. } = *self;
        let GemmPlaces { a_plane, c_plane, bias, scale, first } = *places;
        GemmUniform { m, n, k, tiles_n, tiles, splits, grid_x, a_plane, c_plane, bias, scale, first, image }
    }

    /// Parameters that it updates.
    pub(crate) fn updated(&self, places: &GemmPlaces) -> Option<u32> {
        match self.usage {
            Use::Parameters { bias: true, leave: Leave::Update(_), .. } => Some(places.bias + self.m),
            Use::Parameters { leave: Leave::Update(_), .. } => Some(self.m * self.n),
            _ => None,
        }
    }

    /// Bytes that it touches of what is bound; `bound` has the size of each. An update binds all parameters and moments of the
    /// model, and touches its layer's.
    pub(super) fn bytes(&self, places: &GemmPlaces, bound: &[u64]) -> u64 {
        match (self.usage, self.updated(places)) {
            (Use::Parameters { leave: Leave::Update(update), .. }, Some(len)) => {
                bound[0] + bound[1] + 4 * u64::from(len) * (1 + update.moments())
            }
            _ => bound.iter().sum(),
        }
    }

    /// Multiply-adds, counted twice as is usual.
    pub(crate) fn flops(&self) -> u64 {
        let sums = match &self.image {
            None => u64::from(self.m) * u64::from(self.n) * u64::from(self.k),
            Some(image) => image.products(),
        };
        2 * sums * u64::from(Gemm::numbers(self.usage))
    }
}
