//! An adapter's peak arithmetic throughput and bandwidth, measured by two small kernels.

use super::clock::Clock;
use crate::shader::Workgroup;
use crate::{Context, Result};

/// The highest arithmetic throughput and memory bandwidth measured.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Roofline {
    /// Floating-point operations per second, in multiply-adds on registers.
    pub flops: f64,
    /// Bytes per second, read and written, of a copy of 64 MiB.
    pub bytes: f64,
}

const ARITHMETIC: &str = include_str!("../../shaders/roofline/arithmetic.wgsl");
const COPY: &str = include_str!("../../shaders/roofline/copy.wgsl");
const WORKGROUP: u32 = 256;
/// Invocations, and operations of each per iteration.
const INVOCATIONS: u32 = 1 << 18;
const TRIP: f64 = 128.0;
/// Most iterations of an invocation (llvmpipe leaves the loop after more).
const MOST_TRIPS: u32 = 1 << 15;
/// Shorter runs measure start-up rather than throughput.
const LONG_ENOUGH_MICROS: f64 = 5000.0;
/// Number of vec4s copied.
const COPIED: u32 = 1 << 22;
/// Number of runs, of which the fastest counts; the first is a warm-up.
const RUNS: usize = 5;

impl Roofline {
    /// Measures `context`'s adapter; blocks for a second at most.
    ///
    /// # Errors
    /// [`crate::Error::NotPlanned`] for a device without timestamps, [`crate::Error::Limit`], [`crate::Error::Device`].
    pub fn measure(context: &Context) -> Result<Roofline> {
        let clock = Clock::new(context, 1)?;
        let trips = context.storage("trips", 1)?;
        let results = context.storage("results", 4 * INVOCATIONS as usize)?;
        let arithmetic = Kernel::new(context, ARITHMETIC, &trips, &results, INVOCATIONS)?;
        let (mut n, mut micros) = (32_u32, 0.0);
        while n < MOST_TRIPS && micros < LONG_ENOUGH_MICROS {
            n *= 2;
            context.queue().write_buffer(&trips, 0, bytemuck::bytes_of(&n));
            micros = arithmetic.fastest(context, &clock)?;
        }
        let flops = f64::from(INVOCATIONS) * f64::from(n) * TRIP / micros * 1e6;

        let from = context.storage("copied from", 4 * COPIED as usize)?;
        let to = context.storage("copied to", 4 * COPIED as usize)?;
        let copy = Kernel::new(context, COPY, &from, &to, COPIED)?;
        let bytes = 32.0 * f64::from(COPIED) / copy.fastest(context, &clock)? * 1e6;
        Ok(Roofline { flops, bytes })
    }

    /// The least microseconds for this work, with arithmetic and traffic overlapped.
    pub fn micros(&self, flops: u64, bytes: u64) -> f64 {
        1e6 * (flops as f64 / self.flops).max(bytes as f64 / self.bytes)
    }
}

struct Kernel {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    groups: u32,
}

impl Kernel {
    fn new(
        context: &Context,
        source: &'static str,
        read: &wgpu::Buffer,
        written: &wgpu::Buffer,
        invocations: u32,
    ) -> Result<Kernel> {
        context.tuning().allowed.check("roofline", Workgroup::new([WORKGROUP, 1], 0))?;
        let device = context.device();
        context.guarded(|| {
            let source = wgpu::ShaderSource::Wgsl(source.into());
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("roofline"),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            });
            let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: read.as_entire_binding() },
                    wgpu::BindGroupEntry { binding: 1, resource: written.as_entire_binding() },
                ],
            });
            Kernel { pipeline, bind_group, groups: invocations / WORKGROUP }
        })
    }

    /// Microseconds of the fastest of some runs.
    fn fastest(&self, context: &Context, clock: &Clock) -> Result<f64> {
        let mut fastest = f64::INFINITY;
        for _ in 0..RUNS {
            let micros = clock.time(context, |_, pass| {
                pass.set_pipeline(&self.pipeline);
                pass.set_bind_group(0, &self.bind_group, &[]);
                pass.dispatch_workgroups(self.groups, 1, 1);
            })?;
            fastest = micros.into_iter().fold(fastest, f64::min);
        }
        Ok(fastest)
    }
}
