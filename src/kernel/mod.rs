//! Kernels as data: a typed key gives WGSL text, bindings, grid and uniform. No wgpu type appears here.

mod affine;
mod convolution;
mod cooperative;
#[cfg(test)]
mod cooperative_permutations;
mod depthwise;
mod elementwise;
mod gemm;
#[cfg(test)]
mod half_permutations;
mod image;
#[cfg(test)]
mod image_permutations;
mod join;
#[cfg(test)]
pub(crate) mod join_permutations;
mod last;
mod layout;
mod loss;
mod number;
mod optimizer;
mod pad;
mod partial;
#[cfg(test)]
pub(crate) mod permutations;
mod pool;
mod show;
mod signal;
mod source;
mod splice;
mod sum;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod tile;
mod whole;
#[cfg(test)]
mod whole_permutations;
mod workgroup;

pub(crate) use affine::{AdvanceNoise, Dropout, DropoutSignal, Norm, NormSignal, Storage};
pub(crate) use convolution::{Pack, Packing, Unpack, padded};
pub use cooperative::Cooperative;
pub(crate) use depthwise::{Depthwise, DepthwiseSignal, DepthwiseSizes};
pub(crate) use elementwise::{Backward, Forward};
pub(crate) use gemm::{Gemm, Leave, Use, planes};
pub(crate) use image::Image;
pub(crate) use join::Join;
pub(crate) use last::LastLayer;
pub(crate) use layout::{Direction, Layout};
pub(crate) use loss::{LossKernel, Reduce};
#[cfg(test)]
pub(crate) use number::ENABLE;
pub use number::Number;
pub(crate) use number::Numbers;
pub(crate) use optimizer::{Advance, Hyper, Update};
pub(crate) use pad::{Pad, PadSignal};
pub(crate) use partial::{Parameters, Partial};
pub(crate) use pool::{Pool, PoolSignal, Pooling};
pub(crate) use show::Show;
pub(crate) use signal::Flow;
pub(crate) use sum::{Sum, SumSignal};
pub use table::{TileEntry, TileTable};
pub(crate) use tile::{Allowed, Sizes, Tuning};
pub use tile::{DeviceClass, Family, Tile, TileUse};
pub(crate) use whole::{Back, Gather, Job, Layer, MOST_CLASSES, MOST_LAYERS, Whole, WholeKernel};
pub(crate) use workgroup::Workgroup;

/// Storage buffers of a kernel: Metal needs the eighth.
const MOST_BUFFERS: usize = 7;

/// Whether those of a kernel are few enough.
fn is_bindable(bindings: &[Binding]) -> bool {
    bindings.iter().filter(|binding| **binding != Binding::Uniform).count() <= MOST_BUFFERS
}

/// What stands at a binding, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Binding {
    Uniform,
    Read,
    Write,
}

/// Every kernel of the crate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kernel {
    Gemm(Gemm, GemmPlaces),
    Pack(Pack),
    Unpack(Unpack),
    Loss(LossKernel),
    Reduce(Reduce),
    Forward(Forward),
    Backward(Backward),
    Advance(Advance),
    Update(Update),
    Image(Image),
    Whole(WholeKernel),
    Gather(Gather),
    Join(Box<Join>),
    LastLayer(Box<LastLayer>),
    /// One of those above, where some of what it binds is stored in less than f32.
    Half(Box<Kernel>, Numbers),
}

/// Where a product finds its planes and its bias, in elements, and what its result is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GemmPlaces {
    pub a_plane: u32,
    pub c_plane: u32,
    pub bias: u32,
    pub scale: f32,
    /// Where the parameters that are updated begin, or weights that are read beside others that are: in vec4s.
    pub first: u32,
}

impl GemmPlaces {
    /// One plane, no bias, scale 1.
    pub(crate) const ALONE: GemmPlaces = GemmPlaces { a_plane: 0, c_plane: 0, bias: 0, scale: 1.0, first: 0 };
}

impl Kernel {
    /// What the choice of a tile depends on, of a product.
    pub(crate) fn product(&self) -> Option<(&Gemm, Sizes)> {
        match self {
            Kernel::Gemm(gemm, _) => Some((gemm, gemm.sizes())),
            Kernel::Half(kernel, _) => kernel.product(),
            _ => None,
        }
    }

    /// The same product in another tile; whatever else it is stays as it is.
    pub(crate) fn with_tile(self, tile: Tile) -> Kernel {
        match self {
            Kernel::Gemm(gemm, places) => Kernel::Gemm(gemm.with_tile(tile), places),
            Kernel::Half(kernel, numbers) => Kernel::Half(Box::new(kernel.with_tile(tile)), numbers),
            other => other,
        }
    }

    /// A name for tables, profilers and error messages.
    pub(crate) fn label(&self) -> String {
        match self {
            Kernel::Gemm(k, _) => k.label(),
            Kernel::Pack(k) => k.label(),
            Kernel::Unpack(k) => k.label(),
            Kernel::Loss(k) => k.label(),
            Kernel::Reduce(_) => "reduce loss".into(),
            Kernel::Forward(k) => k.label(),
            Kernel::Backward(k) => k.label(),
            Kernel::Advance(_) => "optimizer advance".into(),
            Kernel::Update(k) => k.label(),
            Kernel::Image(k) => k.key().label(),
            Kernel::Whole(k) => k.label(),
            Kernel::Gather(k) => k.label(),
            Kernel::Join(k) => k.label(),
            Kernel::LastLayer(k) => k.label(),
            Kernel::Half(k, _) => format!("{} in f16", k.label()),
        }
    }

    /// The same with what its bindings hold stored as that.
    pub(crate) fn storing(self, numbers: Numbers) -> Kernel {
        if numbers.all_f32() { self } else { Kernel::Half(Box::new(self), numbers) }
    }

    /// The shader, whole.
    pub(crate) fn source(&self) -> String {
        match self {
            Kernel::Half(k, numbers) => k.text(*numbers),
            kernel => kernel.text(Numbers::default()),
        }
    }

    fn text(&self, numbers: Numbers) -> String {
        let text = self.body(numbers);
        match self {
            Kernel::Gemm(..)
            | Kernel::Loss(_)
            | Kernel::Forward(_)
            | Kernel::Backward(_)
            | Kernel::Image(_) => {
                let bindings = (0..).zip(self.bindings()).skip(1);
                let mut written = bindings.filter(|(_, b)| *b == Binding::Write).map(|(i, _)| numbers.at(i));
                numbers.with(&text, written.find(|number| *number != Number::F32).unwrap_or_default())
            }
            _ => text,
        }
    }

    /// All but what says how numbers are stored.
    fn body(&self, numbers: Numbers) -> String {
        match self {
            Kernel::Gemm(k, _) => k.source(numbers.at(3)),
            Kernel::Pack(k) => k.source(),
            Kernel::Unpack(k) => k.source(),
            Kernel::Loss(k) => k.source(),
            Kernel::Reduce(k) => k.source(),
            Kernel::Forward(k) => k.source(),
            Kernel::Backward(k) => k.source(),
            Kernel::Advance(k) => k.source(),
            Kernel::Update(k) => k.source(),
            Kernel::Image(k) => k.key().source(),
            Kernel::Whole(k) => k.source(),
            Kernel::Gather(k) => k.source(),
            Kernel::Join(k) => k.source(),
            Kernel::LastLayer(k) => k.source(),
            Kernel::Half(k, numbers) => k.body(*numbers),
        }
    }

    /// What is bound where.
    pub(crate) fn bindings(&self) -> Vec<Binding> {
        match self {
            Kernel::Gemm(k, _) => k.bindings(),
            Kernel::Loss(k) => k.bindings(),
            Kernel::Unpack(Unpack { diagonal: true, .. }) => {
                vec![Binding::Uniform, Binding::Read, Binding::Write, Binding::Write]
            }
            Kernel::Reduce(_) | Kernel::Forward(_) | Kernel::Pack(_) | Kernel::Unpack(_) => {
                vec![Binding::Uniform, Binding::Read, Binding::Write]
            }
            Kernel::Backward(_) => vec![Binding::Uniform, Binding::Read, Binding::Read, Binding::Write],
            Kernel::Advance(k) => k.bindings(),
            Kernel::Update(k) => k.bindings(),
            Kernel::Image(k) => k.key().bindings(),
            Kernel::Whole(k) => k.bindings(),
            Kernel::Gather(k) => k.bindings(),
            Kernel::Join(k) => k.bindings(),
            Kernel::LastLayer(k) => k.bindings(),
            Kernel::Half(k, _) => k.bindings(),
        }
    }

    /// Number of workgroups.
    pub(crate) fn groups(&self) -> u32 {
        match self {
            Kernel::Gemm(k, _) => k.groups(),
            Kernel::Pack(k) => k.groups(),
            Kernel::Unpack(k) => k.groups(),
            Kernel::Loss(k) => k.groups(),
            Kernel::Reduce(_) | Kernel::Advance(_) => 1,
            Kernel::Forward(k) => k.groups(),
            Kernel::Backward(k) => k.groups(),
            Kernel::Update(k) => k.groups(),
            Kernel::Image(k) => k.key().groups(),
            Kernel::Whole(k) => k.groups(),
            Kernel::Gather(k) => k.groups(),
            Kernel::Join(k) => k.groups(),
            Kernel::LastLayer(k) => k.groups(),
            Kernel::Half(k, _) => k.groups(),
        }
    }

    /// The bytes of the uniforms, in the order of their bindings, for a grid folded into rows of `grid_x` workgroups.
    pub(crate) fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        vec![match self {
            Kernel::Gemm(k, p) => bytes(&k.uniform(grid_x, p)),
            Kernel::Pack(k) => bytes(&k.uniform(grid_x)),
            Kernel::Unpack(k) => bytes(&k.uniform(grid_x)),
            Kernel::Loss(k) => bytes(&k.uniform(grid_x)),
            Kernel::Reduce(k) => bytes(&k.uniform()),
            Kernel::Forward(k) => bytes(&k.uniform(grid_x)),
            Kernel::Backward(k) => bytes(&k.uniform(grid_x)),
            Kernel::Advance(_) => return Vec::new(),
            Kernel::Update(k) => bytes(&k.uniform(grid_x)),
            Kernel::Whole(k) => bytes(&k.uniform(grid_x)),
            Kernel::Gather(k) => bytes(&k.uniform(grid_x)),
            Kernel::Half(k, _) => return k.uniforms(grid_x),
            Kernel::Join(k) => {
                let (own, [first, second]) = k.uniforms(grid_x);
                return vec![bytes(&own), bytes(&first), bytes(&second)];
            }
            Kernel::LastLayer(k) => {
                let (product, loss) = k.uniforms(grid_x);
                return vec![bytes(&product), bytes(&loss)];
            }
            Kernel::Image(k) => {
                let words = k.key().uniform(grid_x);
                if words.is_empty() {
                    return Vec::new();
                }
                bytemuck::cast_slice(&words).to_vec()
            }
        }]
    }

    /// Bytes that it touches of what is bound; `bound` has the size of each, in order.
    pub(crate) fn bytes(&self, bound: &[u64]) -> u64 {
        match self {
            Kernel::Gemm(k, places) => k.bytes(places, bound),
            Kernel::Join(k) => k.bytes(bound),
            Kernel::Half(k, _) => k.bytes(bound),
            _ => bound.iter().sum(),
        }
    }

    /// Multiply-adds of the heavy part, counted twice; 0 for what only moves memory.
    pub(crate) fn flops(&self) -> u64 {
        match self {
            Kernel::Gemm(k, _) => k.flops(),
            Kernel::Whole(k) => k.flops(),
            Kernel::Join(k) => k.flops(),
            Kernel::LastLayer(k) => k.flops(),
            Kernel::Half(k, _) => k.flops(),
            _ => 0,
        }
    }
}

fn bytes<T: bytemuck::Pod>(value: &T) -> Vec<u8> {
    bytemuck::bytes_of(value).to_vec()
}
