//! The tiled product in its three uses.

use super::source::{self, Header};
use super::tile::{self, DeviceClass, Tile};
use super::{Binding, Binding::*};
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
    /// Gradient and diagonal: m = out, n = in, k = batch.
    Parameters {
        /// Whether there is a diagonal.
        diagonal: bool,
        /// Whether there is a bias.
        bias: bool,
        /// Whether the result is added to what is there.
        accumulate: bool,
    },
}

/// One product: its use and sizes decide the permutation, the grid and the uniform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gemm {
    pub usage: Use,
    pub m: u32,
    pub n: u32,
    pub k: u32,
    tile: Tile,
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
    grid_x: u32,
    a_plane: u32,
    c_plane: u32,
    bias: u32,
    scale: f32,
}

/// Numbers that flow backwards per element: g; g, h; g, h and u.
fn numbers(mode: Mode) -> u32 {
    match mode {
        Mode::None => 1,
        _ => 2 + mode.rank() as u32,
    }
}

/// Planes a signal is stored in: its numbers, and beside u the sum of all curvature.
pub(crate) fn planes(mode: Mode) -> u32 {
    numbers(mode) + u32::from(mode.rank() > 0)
}

/// Sums of more terms than this are made in runs; what parameters sum over is never longer, since the plan splits it.
const LONG_SUM: u32 = 16_384;

impl Gemm {
    pub(crate) fn new(class: DeviceClass, usage: Use, m: u32, n: u32, k: u32) -> Gemm {
        let contiguous = match usage {
            Use::Parameters { .. } => [m, n],
            Use::Forward { .. } | Use::Signal { .. } => [k, n],
        };
        let vectors = contiguous.into_iter().all(|size| Access::of(size) == Access::Vector);
        let tile = tile::choose(class, Gemm::numbers(usage), Gemm::step(usage), vectors, [m, n, k]);
        Gemm { usage, m, n, k, tile }
    }

    fn numbers(usage: Use) -> u32 {
        match usage {
            Use::Forward { .. } => 1,
            Use::Signal { mode, .. } => numbers(mode),
            Use::Parameters { diagonal, .. } => 1 + u32::from(diagonal),
        }
    }

    /// Advance along k: four where A is read along k.
    fn step(usage: Use) -> u32 {
        match usage {
            Use::Parameters { .. } => 1,
            _ => 4,
        }
    }

    pub(crate) fn label(&self) -> String {
        let Tile { rows, vectors, .. } = self.tile;
        let what = match self.usage {
            Use::Forward { activation, .. } => format!("forward+{}", activation.name()),
            Use::Signal { mode, below } => format!("signal {}+{}", mode.name(), below.name()),
            Use::Parameters { diagonal: true, .. } => "parameters gradient+diagonal".into(),
            Use::Parameters { .. } => "parameters gradient".into(),
        };
        format!("gemm {what} {}x{}x{} tile {rows}x{}", self.m, self.n, self.k, 4 * vectors)
    }

    pub(crate) fn bindings(&self) -> Vec<Binding> {
        match self.usage {
            Use::Forward { bias: true, .. } => vec![Uniform, Read, Read, Write, Read],
            Use::Signal { below, .. } if below != Activation::Identity => {
                vec![Uniform, Read, Read, Write, Read]
            }
            Use::Parameters { diagonal: true, .. } => vec![Uniform, Read, Read, Write, Write],
            _ => vec![Uniform, Read, Read, Write],
        }
    }

    pub(crate) fn source(&self) -> String {
        let Tile { rows, vectors, width, height } = self.tile;
        let mut header = Header::default();
        header.number("TM", rows).number("V", vectors).number("WX", width).number("WY", height);
        header.number("P", Gemm::numbers(self.usage)).number("KS", Gemm::step(self.usage));
        header.flag("LONG", self.k > LONG_SUM);
        let out = Access::of(self.n);
        let mut files = vec!["gemm/gemm", out.pick("gemm/out_vec4", "gemm/out_scalar")];
        match self.usage {
            Use::Forward { activation, bias, keep } => {
                let k = Access::of(self.k);
                header.flag("KEEP", keep);
                files.extend(["gemm/forward", "gemm/a_k", "gemm/b_k"]);
                files
                    .extend([k.pick("gemm/a_vec4", "gemm/a_scalar"), k.pick("gemm/b_vec4", "gemm/b_scalar")]);
                files.push(if bias { "gemm/bias" } else { "gemm/no_bias" });
                files.extend(source::activation(&mut header, activation));
            }
            Use::Signal { mode, below } => {
                let k = Access::of(self.k);
                header.flag("F2_TERM", mode != Mode::HesScaleGn);
                files.extend(["gemm/signal", "gemm/a_k", "gemm/b_n"]);
                files.extend([
                    k.pick("gemm/a_vec4", "gemm/a_scalar"),
                    out.pick("gemm/b_vec4", "gemm/b_scalar"),
                ]);
                files.push(match below {
                    Activation::Identity => "gemm/below_none",
                    _ => out.pick("gemm/below_vec4", "gemm/below_scalar"),
                });
                files.extend(source::activation(&mut header, below));
            }
            Use::Parameters { diagonal, bias, accumulate } => {
                header.flag("BIAS", bias).flag("ACCUMULATE", accumulate);
                files.extend(["gemm/parameters", "gemm/a_m", "gemm/b_n"]);
                files.push(Access::of(self.m).pick("gemm/a_vec4", "gemm/a_scalar"));
                files.push(out.pick("gemm/b_vec4", "gemm/b_scalar"));
                files.push(match diagonal {
                    true => out.pick("gemm/diagonal_vec4", "gemm/diagonal_scalar"),
                    false => "gemm/no_diagonal",
                });
            }
        }
        source::compose(&header, &files)
    }

    /// Workgroups in all: the tiles, and those that sum a bias beside them.
    pub(crate) fn groups(&self) -> u32 {
        let side = match self.usage {
            Use::Parameters { bias: true, .. } => self.m.div_ceil(4 * self.tile.width * self.tile.height),
            _ => 0,
        };
        self.tile.grid(self.m, self.n).1 + side
    }

    /// The uniform. Planes and the bias' place are in elements; `scale` multiplies what is stored.
    pub(crate) fn uniform(
        &self,
        grid_x: u32,
        a_plane: u32,
        c_plane: u32,
        bias: u32,
        scale: f32,
    ) -> GemmUniform {
        let (tiles_n, tiles) = self.tile.grid(self.m, self.n);
        GemmUniform { m: self.m, n: self.n, k: self.k, tiles_n, tiles, grid_x, a_plane, c_plane, bias, scale }
    }

    /// Multiply-adds, counted twice as is usual.
    pub(crate) fn flops(&self) -> u64 {
        2 * u64::from(self.m) * u64::from(self.n) * u64::from(self.k) * u64::from(Gemm::numbers(self.usage))
    }
}
