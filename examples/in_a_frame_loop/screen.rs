//! The application's own rendering: its device, the photograph as a texture, and frames that are drawn from a buffer.

use crate::frame::{self, FORMAT};
use crate::picture::Picture;
use hesscale::wgpu;
use std::error::Error;

/// The application's own graphics state, independent of this crate.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) photo: wgpu::TextureView,
    pipeline: wgpu::RenderPipeline,
    size: wgpu::Buffer,
    picture: [u32; 2],
}

impl Screen {
    /// A device with default limits and no features, which is all the crate needs; frames are offscreen.
    pub(crate) async fn new(photo: &Picture) -> Result<Screen, Box<dyn Error>> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = instance.request_adapter(&Default::default()).await?;
        Screen::on(&adapter, photo, FORMAT).await
    }

    /// The same for frames of a `format`.
    pub(crate) async fn on(
        adapter: &wgpu::Adapter,
        photo: &Picture,
        format: wgpu::TextureFormat,
    ) -> Result<Screen, Box<dyn Error>> {
        let (device, queue) = adapter.request_device(&Default::default()).await?;
        let usage = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST;
        let texture =
            device.create_texture(&frame::texture("photograph", [photo.width, photo.height], usage));
        let layout = wgpu::TexelCopyBufferLayout {
            bytes_per_row: Some(4 * photo.width),
            ..wgpu::TexelCopyBufferLayout::default()
        };
        queue.write_texture(texture.as_image_copy(), &photo.rgba(), layout, texture.size());
        let size = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("size"),
            size: 16,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let module = device.create_shader_module(wgpu::include_wgsl!("draw.wgsl"));
        let pipeline = frame::pipeline(&device, &module, format);
        let picture = [photo.width, photo.height];
        let photo = texture.create_view(&Default::default());
        let screen = Screen { device, queue, photo, pipeline, size, picture };
        screen.fit(screen.picture);
        Ok(screen)
    }

    /// A texture that a frame can be drawn onto and read from.
    pub(crate) fn offscreen(&self) -> wgpu::Texture {
        frame::offscreen(&self.device, self.picture)
    }

    /// Sets the frame size: the picture is drawn at the largest integer scale that fits.
    pub(crate) fn fit(&self, frame: [u32; 2]) {
        let zoom = (frame[0] / self.picture[0]).min(frame[1] / self.picture[1]).max(1);
        let words = [self.picture[0], self.picture[1], zoom, 0];
        self.queue.write_buffer(&self.size, 0, &words.map(u32::to_le_bytes).concat());
    }

    /// Binds a buffer of colours to be drawn.
    pub(crate) fn shown(&self, colours: &wgpu::Buffer) -> wgpu::BindGroup {
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("shown"),
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &[entry(0, self.size.as_entire_binding()), entry(1, colours.as_entire_binding())],
        })
    }

    /// Draws what is bound onto a frame.
    pub(crate) fn draw(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        shown: &wgpu::BindGroup,
        frame: &wgpu::Texture,
    ) {
        frame::draw(encoder, &self.pipeline, Some(shown), frame);
    }

    /// Reads back an offscreen frame, for files and PSNR figures, not for training.
    pub(crate) fn screenshot(&self, frame: &wgpu::Texture) -> Result<Picture, Box<dyn Error>> {
        frame::read(&self.device, &self.queue, frame)
    }
}

/// A resource at a binding.
pub(crate) fn entry(binding: u32, resource: wgpu::BindingResource<'_>) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry { binding, resource }
}
