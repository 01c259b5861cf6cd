//! Ranges of the host's buffers.

use super::buffer::Tensor;
use super::context::Context;
use super::device::Buffer;
use crate::{Error, Result};
use std::ops::Range;

/// A range of a buffer of the host's, or of a tensor's: what a plan reads its input, targets or signal from.
///
/// ```
/// # use hesscale::{PlanOptions, wgpu};
/// # fn options(buffer: &wgpu::Buffer) -> PlanOptions {
/// // The whole buffer, and one from byte 1024 on; a `&Tensor` does as well.
/// PlanOptions::inference().input(buffer);
/// PlanOptions::inference().input(buffer.slice(1024..))
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BufferRange {
    buffer: wgpu::Buffer,
    bytes: Range<u64>,
}

impl BufferRange {
    /// Its buffer.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    /// Its bytes within the buffer.
    pub fn bytes(&self) -> Range<u64> {
        self.bytes.clone()
    }

    /// Whether the two have a byte in common.
    pub(crate) fn meets(&self, other: &BufferRange) -> bool {
        let apart = self.bytes.end <= other.bytes.start || other.bytes.end <= self.bytes.start;
        self.buffer == other.buffer && !apart
    }
}

impl From<&wgpu::Buffer> for BufferRange {
    fn from(buffer: &wgpu::Buffer) -> BufferRange {
        BufferRange { buffer: buffer.clone(), bytes: 0..buffer.size() }
    }
}

impl From<wgpu::BufferSlice<'_>> for BufferRange {
    fn from(slice: wgpu::BufferSlice<'_>) -> BufferRange {
        BufferRange { buffer: slice.buffer().clone(), bytes: slice.offset()..slice.offset() + slice.size() }
    }
}

impl From<&Tensor> for BufferRange {
    fn from(tensor: &Tensor) -> BufferRange {
        BufferRange { buffer: tensor.buffer().clone(), bytes: tensor.bytes() }
    }
}

impl Context {
    /// The range as a tensor for `elements` values that kernels read.
    pub(crate) fn adopt_range(&self, name: &str, range: &BufferRange, shape: &[usize]) -> Result<Tensor> {
        let Range { start, end } = range.bytes;
        let (got, needed) = (end - start, 4 * shape.iter().product::<usize>() as u64);
        if got < needed {
            return Err(Error::BufferSize { buffer: name.into(), got, needed });
        }
        let alignment = u64::from(self.inner.limits.min_storage_buffer_offset_alignment).max(4);
        if !start.is_multiple_of(alignment) {
            return Err(Error::BufferOffset { buffer: name.into(), offset: start, alignment });
        }
        let buffer = self.adopt_storage(name, &range.buffer, needed)?;
        Ok(Tensor::new(name, &buffer, (start / 4) as usize, shape))
    }

    /// A buffer of the host's of which kernels bind `bytes`.
    pub(crate) fn adopt_storage(&self, name: &str, buffer: &wgpu::Buffer, bytes: u64) -> Result<Buffer> {
        self.check_binding(name, bytes)?;
        if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
            let (got, needed) = (format!("{:?}", buffer.usage()), "STORAGE".into());
            return Err(Error::BufferUsage { buffer: name.into(), got, needed });
        }
        self.adopt(buffer.clone())
    }
}
