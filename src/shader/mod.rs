//! What every kernel is (a typed key, from which text, bindings, grid and uniforms follow) and how WGSL is put together. No
//! wgpu type appears here.

pub(crate) mod affine;
mod batch_shape;
mod device;
mod dtype;
mod flow;
mod kernel;
mod pick;
mod source;
mod splice;

pub(crate) use batch_shape::BatchShape;
pub use device::DeviceClass;
pub(crate) use device::Workgroup;
pub use dtype::Dtype;
pub(crate) use dtype::Dtypes;
#[cfg(test)]
pub(crate) use dtype::ENABLE;
pub(crate) use flow::{Flow, Width, constants};
pub(crate) use kernel::{Binding, Kernel, Key, bytes_of, is_bindable, words};
pub(crate) use pick::{Picked, pick};
#[cfg(test)]
pub(crate) use source::FILES;
pub(crate) use source::{Header, activation, compose, file};
pub(crate) use splice::{Part, Slot, renamed, splice};

/// Invocations of a workgroup, unless a kernel says otherwise.
pub(crate) const LANES: u32 = 64;

/// vec4s that hold the channels of one position.
pub(crate) fn vectors(channels: u32) -> u32 {
    channels.div_ceil(4)
}

pub(crate) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(4)
}

/// A pair of the model's sizes as shaders have it.
pub(crate) fn pair(sizes: [usize; 2]) -> [u32; 2] {
    sizes.map(|size| size as u32)
}
