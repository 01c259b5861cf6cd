//! Frames that a fragment shader draws of a distance.

use crate::picture::Picture;
use hesscale::wgpu;
use std::error::Error;
use std::time::{Duration, Instant};

const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// A pipeline, what it reads, and what it draws onto.
#[derive(Debug)]
pub(crate) struct View {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipeline: wgpu::RenderPipeline,
    parameters: Option<wgpu::BindGroup>,
    frame: wgpu::Texture,
}

impl View {
    /// Of a text that declares `distance`, with parameters at group 0, binding 0, if it reads any.
    pub(crate) fn new(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        [width, height]: [u32; 2],
        distance: &str,
        parameters: Option<wgpu::BindingResource<'_>>,
    ) -> View {
        let size = format!("const SIZE = vec2<f32>({width}, {height});");
        let pipeline = pipeline(device, [include_str!("draw.wgsl"), &size, distance].join("\n"));
        let parameters = parameters.map(|resource| {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("parameters"),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &[wgpu::BindGroupEntry { binding: 0, resource }],
            })
        });
        let frame = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("frame"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        View { device: device.clone(), queue: queue.clone(), pipeline, parameters, frame }
    }

    /// Draws a frame; returns the time until the GPU is done.
    pub(crate) fn draw(&self) -> Result<Duration, Box<dyn Error>> {
        let begin = Instant::now();
        let view = self.frame.create_view(&Default::default());
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
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
            if let Some(parameters) = &self.parameters {
                pass.set_bind_group(0, parameters, &[]);
            }
            pass.draw(0..3, 0..1);
        }
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok(begin.elapsed())
    }

    /// Draws a frame and reads it.
    pub(crate) fn picture(&self) -> Result<Picture, Box<dyn Error>> {
        self.draw()?;
        let wgpu::Extent3d { width, height, .. } = self.frame.size();
        let row = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(row * height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let layout = wgpu::TexelCopyBufferLayout { bytes_per_row: Some(row), ..Default::default() };
        let to = wgpu::TexelCopyBufferInfo { buffer: &staging, layout };
        encoder.copy_texture_to_buffer(self.frame.as_image_copy(), to, self.frame.size());
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        let bytes = staging.get_mapped_range(..)?;
        let rows = bytes.chunks(row as usize).map(|line| &line[..4 * width as usize]);
        let rgb = rows.flat_map(|line| line.chunks(4).flat_map(|pixel| &pixel[..3])).copied().collect();
        Ok(Picture { width, height, rgb })
    }
}

fn pipeline(device: &wgpu::Device, text: String) -> wgpu::RenderPipeline {
    let source = wgpu::ShaderSource::Wgsl(text.into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some("draw"), source });
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
            targets: &[Some(FORMAT.into())],
        }),
        primitive: Default::default(),
        depth_stencil: None,
        multisample: Default::default(),
        multiview_mask: None,
        cache: None,
    })
}
