//! Buffers, and transfers between them and the host.

use super::context::{Context, refused};
use super::device::Buffer;
use crate::{Error, Result};
use std::ops::Range;

/// A range of values in a buffer, which the host can read back, copy or bind.
#[derive(Debug, Clone)]
pub struct Tensor {
    name: String,
    buffer: Buffer,
    /// In elements.
    offset: usize,
    shape: Vec<usize>,
}

impl Tensor {
    pub(crate) fn new(name: impl Into<String>, buffer: &Buffer, offset: usize, shape: &[usize]) -> Tensor {
        Tensor { name: name.into(), buffer: buffer.clone(), offset, shape: shape.to_vec() }
    }

    /// What it holds.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The buffer it lies in.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    pub(crate) fn is(&self, other: &Tensor) -> bool {
        self.buffer == other.buffer && self.bytes() == other.bytes()
    }

    /// The buffer, with the device that it belongs to.
    pub(crate) fn owned(&self) -> &Buffer {
        &self.buffer
    }

    /// Its shape, row-major.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    #[allow(clippy::len_without_is_empty)] // never empty: sizes are validated
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// It as a resource of the host's own bind groups. What a plan or a state gives begins where a binding may begin, but for the
    /// optimiser's single words.
    pub fn binding(&self) -> wgpu::BindingResource<'_> {
        let Range { start, end } = self.bytes();
        let size = wgpu::BufferSize::new(end - start);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &self.buffer, offset: start, size })
    }

    /// Records a copy of its first `elements` to the first of another, whose buffer is another too.
    pub(crate) fn record_copy(&self, encoder: &mut wgpu::CommandEncoder, to: &Tensor, elements: usize) {
        let (from, target) = (self.bytes().start, to.bytes().start);
        encoder.copy_buffer_to_buffer(&self.buffer, from, &to.buffer, target, 4 * elements as u64);
    }

    /// Its bytes within the buffer.
    pub fn bytes(&self) -> Range<u64> {
        4 * self.offset as u64..4 * (self.offset + self.len()) as u64
    }
}

/// How a staging buffer's mapping ended, once it has.
type Mapped = futures::channel::oneshot::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>;

fn may_block() -> Result<()> {
    if cfg!(target_arch = "wasm32") {
        return Err(Error::device("a browser lets nothing block; there are async calls for it"));
    }
    Ok(())
}

impl Context {
    /// A zero-initialised buffer for `elements` values that shaders write and the host copies from and to. Its size is rounded
    /// up to 256 bytes.
    pub(crate) fn storage(&self, name: &str, elements: usize) -> Result<Buffer> {
        let size = (4 * elements as u64).next_multiple_of(256);
        self.check_binding(name, size)?;
        let available = self.inner.limits.max_buffer_size;
        if size > available {
            return Err(Error::limit(name, "max_buffer_size", size, available));
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        Ok(self.own(self.guarded(|| self.create_buffer(name, size, usage))?))
    }

    /// A buffer that is not mapped.
    pub(crate) fn create_buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        self.inner.device.create_buffer(&descriptor)
    }

    pub(crate) fn check_binding(&self, name: &str, bytes: u64) -> Result<()> {
        let available = self.inner.limits.max_storage_buffer_binding_size;
        if bytes > available {
            let limit = "max_storage_buffer_binding_size";
            return Err(Error::limit(name, limit, bytes, available));
        }
        Ok(())
    }

    pub(super) fn uniform(&self, bytes: &[u8]) -> Result<wgpu::Buffer> {
        let size = (bytes.len() as u64).next_multiple_of(16);
        let buffer = self.inner.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("hesscale uniform"),
            size,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        let mut view = buffer.get_mapped_range_mut(..).map_err(|_| lost())?;
        view.slice(..bytes.len()).copy_from_slice(bytes);
        drop(view);
        buffer.unmap();
        Ok(buffer)
    }

    /// Writes values into a tensor; they take effect before the commands of the next submission.
    ///
    /// # Errors
    /// [`Error::Foreign`] for a tensor of another device; [`Error::Length`]; [`Error::NotFinite`] where checking is on.
    pub fn write(&self, tensor: &Tensor, values: &[f32]) -> Result<()> {
        self.check_values(tensor, values)?;
        self.write_bytes(tensor, bytemuck::cast_slice(values))
    }

    /// Whether values may be written into a tensor.
    pub(crate) fn check_values(&self, tensor: &Tensor, values: &[f32]) -> Result<()> {
        Error::check_length(tensor.name.clone(), values.len(), tensor.len())?;
        if self.is_checked() { Error::check_finite(&tensor.name, values) } else { Ok(()) }
    }

    pub(crate) fn write_bytes(&self, tensor: &Tensor, bytes: &[u8]) -> Result<()> {
        self.check_buffer("tensor", &tensor.buffer)?;
        let Some(size) = wgpu::BufferSize::new(bytes.len() as u64) else { return Ok(()) };
        let queue = &self.inner.queue;
        let offset = tensor.bytes().start;
        // Unlike `write_buffer`, this says when the device is lost.
        let written = self.guarded(|| {
            let view = queue.write_buffer_with(&tensor.buffer, offset, size);
            view.map(|mut view| view.copy_from_slice(bytes))
        })?;
        written.ok_or_else(lost)
    }

    /// Reads tensors back, with one submission of copies. The future drives the device itself, so it can be awaited anywhere:
    /// each poll polls the device without blocking, and a thread that sleeps in the driver wakes it. A frame loop may poll it,
    /// and the device, as often as it likes.
    ///
    /// # Errors
    /// [`Error::Foreign`] for a tensor of another device; [`Error::Device`].
    pub async fn read_all(&self, tensors: &[&Tensor]) -> Result<Vec<Vec<f32>>> {
        let (staging, mapped, submission) = self.start_read(tensors)?;
        self.arrival(mapped, submission).await?;
        self.finish_read(&staging, tensors)
    }

    #[cfg(not(target_arch = "wasm32"))]
    async fn arrival(&self, mut mapped: Mapped, submission: wgpu::SubmissionIndex) -> Result<()> {
        use std::task::Poll;
        let (mut waiting, mut ended): (Option<super::waiting::Waiting>, _) = (None, false);
        std::future::poll_fn(|task| {
            let polled = self.inner.device.poll(wgpu::PollType::Poll);
            if let Poll::Ready(arrived) = std::pin::Pin::new(&mut mapped).poll(task) {
                let arrived = arrived.map_err(|_| Error::device("the read-back was dropped"));
                return Poll::Ready(arrived.and_then(|mapped| mapped.map_err(refused)));
            }
            polled.map_err(refused)?;
            let waiting = match &mut waiting {
                Some(waiting) => waiting,
                none => none.insert(super::waiting::Waiting::new(&self.inner.device, submission.clone())?),
            };
            // Once it is done it is not asked again: another thread that polled delivers the result.
            let end = if ended { Poll::Pending } else { waiting.poll(task) };
            if let Poll::Ready(end) = end {
                end?;
                ended = true;
            }
            Poll::Pending
        })
        .await
    }

    /// A browser drives the device itself, and only while nothing polls in a loop.
    #[cfg(target_arch = "wasm32")]
    async fn arrival(&self, mapped: Mapped, _: wgpu::SubmissionIndex) -> Result<()> {
        mapped.await.map_err(|_| Error::device("the read-back was dropped"))?.map_err(refused)
    }

    /// Reads one tensor back: see [`Context::read_all`].
    ///
    /// # Errors
    /// As [`Context::read_all`].
    pub async fn read(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        Ok(self.read_all(&[tensor]).await?.swap_remove(0))
    }

    /// Reads tensors back and blocks until they have arrived.
    ///
    /// # Errors
    /// As [`Context::read_all`], which browsers must use: this always fails there, because nothing may block.
    pub fn read_blocking(&self, tensors: &[&Tensor]) -> Result<Vec<Vec<f32>>> {
        may_block()?;
        let (staging, mapped, _) = self.start_read(tensors)?;
        self.poll_to_the_end()?;
        // Another thread that polls the device may be about to deliver the result.
        match pollster::block_on(mapped) {
            Ok(Ok(())) => self.finish_read(&staging, tensors),
            Ok(Err(error)) => Err(refused(error)),
            Err(_) => Err(Error::device("the read-back did not arrive")),
        }
    }

    /// Blocks until all submitted work is done.
    ///
    /// # Errors
    /// [`Error::Device`]; in a browser always, because nothing may block there.
    pub fn wait(&self) -> Result<()> {
        may_block()?;
        self.poll_to_the_end()?;
        // The loss of a host's device is not reported to us, but allocating on it fails.
        self.guarded(|| self.uniform(&[0]))?.map(drop)
    }

    fn poll_to_the_end(&self) -> Result<()> {
        self.inner.device.poll(wgpu::PollType::wait_indefinitely()).map_err(refused)?;
        self.health()
    }

    fn start_read(&self, tensors: &[&Tensor]) -> Result<(wgpu::Buffer, Mapped, wgpu::SubmissionIndex)> {
        tensors.iter().try_for_each(|tensor| self.check_buffer("tensor", &tensor.buffer))?;
        let size = tensors.iter().map(|t| 4 * t.len() as u64).sum();
        let (sender, receiver) = futures::channel::oneshot::channel();
        let (staging, submission) = self.guarded(|| {
            let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            let staging = self.create_buffer("hesscale read-back", size, usage);
            let mut encoder = self.inner.device.create_command_encoder(&Default::default());
            let mut at = 0;
            for tensor in tensors {
                let (start, len) = (tensor.bytes().start, 4 * tensor.len() as u64);
                encoder.copy_buffer_to_buffer(&tensor.buffer, start, &staging, at, len);
                at += len;
            }
            let submission = self.inner.queue.submit([encoder.finish()]);
            // A dropped receiver needs no result.
            staging.map_async(wgpu::MapMode::Read, .., move |result| drop(sender.send(result)));
            (staging, submission)
        })?;
        Ok((staging, receiver, submission))
    }

    fn finish_read(&self, staging: &wgpu::Buffer, tensors: &[&Tensor]) -> Result<Vec<Vec<f32>>> {
        self.health()?;
        let view = staging.get_mapped_range(..).map_err(refused)?;
        let mut rest: &[u8] = &view;
        let mut values = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let (bytes, tail) = rest.split_at(4 * tensor.len());
            values.push(bytemuck::pod_collect_to_vec(bytes));
            rest = tail;
        }
        Ok(values)
    }
}

/// For a device whose handlers are not ours: wgpu reports its loss only to those.
pub(super) fn lost() -> Error {
    Error::device("the device is lost")
}
