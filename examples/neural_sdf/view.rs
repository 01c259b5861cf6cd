//! Frames that a fragment shader draws of a distance.

use crate::frame::{self, FORMAT};
use crate::picture::Picture;
use hesscale::wgpu;
use std::error::Error;
use std::time::{Duration, Instant};

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
        let text = [include_str!("draw.wgsl"), &size, distance].join("\n");
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("draw"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = frame::pipeline(device, &module, FORMAT);
        let parameters = parameters.map(|resource| {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("parameters"),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &[wgpu::BindGroupEntry { binding: 0, resource }],
            })
        });
        let frame = frame::offscreen(device, [width, height]);
        View { device: device.clone(), queue: queue.clone(), pipeline, parameters, frame }
    }

    /// Draws a frame; returns the time until the GPU is done.
    pub(crate) fn draw(&self) -> Result<Duration, Box<dyn Error>> {
        let begin = Instant::now();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        frame::draw(&mut encoder, &self.pipeline, self.parameters.as_ref(), &self.frame);
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok(begin.elapsed())
    }

    /// Draws a frame and reads it.
    pub(crate) fn picture(&self) -> Result<Picture, Box<dyn Error>> {
        self.draw()?;
        frame::read(&self.device, &self.queue, &self.frame)
    }
}
