//! What stands around products: pooling, padding, normalisation, dropout, sums, the two ways that images lie.

use super::affine::{AdvanceNoise, Dropout, DropoutSignal, Norm, NormSignal};
use super::depthwise::{Depthwise, DepthwiseSignal};
use super::layout::Layout;
use super::pad::{Pad, PadSignal};
use super::partial::Partial;
use super::pool::{Pool, PoolSignal};
use super::show::Show;
use super::sum::{Sum, SumSignal};
use super::{Binding, Kernel, Workgroup};

/// What a key says of its kernel: see the methods of [`Kernel`].
pub(crate) trait Key {
    fn label(&self) -> String;
    fn source(&self) -> String;
    fn bindings(&self) -> Vec<Binding>;
    fn groups(&self) -> u32;
    /// The uniform's words; none where there is no uniform.
    fn uniform(&self, grid_x: u32) -> Vec<u32>;

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(LANES)
    }
}

macro_rules! keys {
    ($($name:ident),* $(,)?) => {
        /// One of these kernels.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub(crate) enum Image {
            $($name($name)),*
        }

        impl Image {
            pub(crate) fn key(&self) -> &dyn Key {
                match self {
                    $(Image::$name(key) => key),*
                }
            }
        }

        $(impl From<$name> for Kernel {
            fn from(key: $name) -> Kernel {
                Kernel::Image(Image::$name(key))
            }
        })*
    };
}

keys![
    Layout,
    Pool,
    PoolSignal,
    Pad,
    PadSignal,
    Dropout,
    DropoutSignal,
    AdvanceNoise,
    Norm,
    NormSignal,
    Sum,
    SumSignal,
    Depthwise,
    DepthwiseSignal,
    Partial,
    Show,
];

/// Invocations of a workgroup.
pub(super) const LANES: u32 = 64;

/// vec4s that hold the channels of one position.
pub(super) fn vectors(channels: u32) -> u32 {
    channels.div_ceil(4)
}

/// A pair of the model's, as shaders have it.
pub(super) fn pair(sizes: [usize; 2]) -> [u32; 2] {
    sizes.map(|size| size as u32)
}
