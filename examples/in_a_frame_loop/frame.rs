//! Frames: a triangle that covers them, drawn by a fragment shader, and read back.

use crate::picture::Picture;
use hesscale::wgpu;
use std::error::Error;

/// Of pictures, and of frames that go to files.
pub(crate) const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// Of a module with the entry points `corner` and `colour`.
pub(crate) fn pipeline(
    device: &wgpu::Device,
    module: &wgpu::ShaderModule,
    format: wgpu::TextureFormat,
) -> wgpu::RenderPipeline {
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("draw"),
        layout: None,
        vertex: wgpu::VertexState {
            module,
            entry_point: Some("corner"),
            compilation_options: Default::default(),
            buffers: &[],
        },
        fragment: Some(wgpu::FragmentState {
            module,
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

pub(crate) fn texture(
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

/// A texture that a frame can be drawn onto and read from.
pub(crate) fn offscreen(device: &wgpu::Device, size: [u32; 2]) -> wgpu::Texture {
    let usage = wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC;
    device.create_texture(&texture("frame", size, usage))
}

/// Draws a frame with what is bound at group 0.
pub(crate) fn draw(
    encoder: &mut wgpu::CommandEncoder,
    pipeline: &wgpu::RenderPipeline,
    bound: Option<&wgpu::BindGroup>,
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
    pass.set_pipeline(pipeline);
    if let Some(bound) = bound {
        pass.set_bind_group(0, bound, &[]);
    }
    pass.draw(0..3, 0..1);
}

/// Reads an offscreen frame back, for files and figures, not for training.
pub(crate) fn read(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    frame: &wgpu::Texture,
) -> Result<Picture, Box<dyn Error>> {
    let wgpu::Extent3d { width, height, .. } = frame.size();
    let row = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("picture"),
        size: u64::from(row * height),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    let layout = wgpu::TexelCopyBufferLayout { bytes_per_row: Some(row), ..Default::default() };
    let to = wgpu::TexelCopyBufferInfo { buffer: &staging, layout };
    encoder.copy_texture_to_buffer(frame.as_image_copy(), to, frame.size());
    queue.submit([encoder.finish()]);
    staging.map_async(wgpu::MapMode::Read, .., |_| ());
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let bytes = staging.get_mapped_range(..)?;
    let rows = bytes.chunks(row as usize).map(|line| &line[..4 * width as usize]);
    let rgb = rows.flat_map(|line| line.chunks(4).flat_map(|pixel| &pixel[..3])).copied().collect();
    Ok(Picture { width, height, rgb })
}
