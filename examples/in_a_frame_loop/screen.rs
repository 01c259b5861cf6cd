//! The application's own rendering: its device, the photograph as a texture, and frames that are drawn from a buffer.

use crate::picture::Picture;
use hesscale::wgpu;
use std::error::Error;

/// Of the photograph, and of frames that go to files.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

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
        let texture = device.create_texture(&texture("photograph", [photo.width, photo.height], usage));
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
        let pipeline = pipeline(&device, format);
        let picture = [photo.width, photo.height];
        let photo = texture.create_view(&Default::default());
        let screen = Screen { device, queue, photo, pipeline, size, picture };
        screen.fit(screen.picture);
        Ok(screen)
    }

    /// A texture that a frame can be drawn onto and read from.
    pub(crate) fn offscreen(&self) -> wgpu::Texture {
        let usage = wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC;
        self.device.create_texture(&texture("frame", self.picture, usage))
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
        let view = frame.create_view(&Default::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("frame"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations::default(),
            })],
            ..Default::default()
        });
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, shown, &[]);
        pass.draw(0..3, 0..1);
    }

    /// Reads back an offscreen frame, for files and PSNR figures, not for training.
    pub(crate) fn screenshot(&self, frame: &wgpu::Texture) -> Result<Picture, Box<dyn Error>> {
        let [width, height] = self.picture;
        let row = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("screenshot"),
            size: u64::from(row * height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let layout = wgpu::TexelCopyBufferLayout {
            bytes_per_row: Some(row),
            ..wgpu::TexelCopyBufferLayout::default()
        };
        let to = wgpu::TexelCopyBufferInfo { buffer: &staging, layout };
        encoder.copy_texture_to_buffer(frame.as_image_copy(), to, frame.size());
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        let bytes = staging.get_mapped_range(..)?;
        let rows = bytes.chunks(row as usize).map(|line| &line[..4 * width as usize]);
        let rgb = rows.flat_map(|line| line.chunks(4).flat_map(|pixel| &pixel[..3])).copied().collect();
        Ok(Picture { width, height, rgb })
    }
}

fn texture(
    label: &str,
    [width, height]: [u32; 2],
    usage: wgpu::TextureUsages,
) -> wgpu::TextureDescriptor<'_> {
    wgpu::TextureDescriptor {
        label: Some(label),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage,
        view_formats: &[],
    }
}

fn pipeline(device: &wgpu::Device, format: wgpu::TextureFormat) -> wgpu::RenderPipeline {
    let module = device.create_shader_module(wgpu::include_wgsl!("draw.wgsl"));
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("draw"),
        layout: None,
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("corner"),
            compilation_options: Default::default(),
            buffers: &[],
        },
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("colour"),
            compilation_options: Default::default(),
            targets: &[Some(format.into())],
        }),
        primitive: Default::default(),
        depth_stencil: None,
        multisample: Default::default(),
        multiview_mask: None,
        cache: None,
    })
}

/// A resource at a binding.
pub(crate) fn entry(binding: u32, resource: wgpu::BindingResource<'_>) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry { binding, resource }
}
