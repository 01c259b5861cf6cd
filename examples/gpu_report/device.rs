//! The device's peak throughput: multiply-adds, copies.

use crate::Outcome;
use hesscale::{Context, wgpu};
use std::time::Instant;

/// The median time of `run` in seconds, after two runs that do not count.
pub(crate) fn median(runs: usize, mut run: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let [time] = medians(runs, |_| run())?;
    Ok(time)
}

/// The same for several interleaved runs; `run` receives the index.
pub(crate) fn medians<const N: usize>(
    runs: usize,
    run: impl FnMut(usize) -> Outcome<()>,
) -> Outcome<[f64; N]> {
    Ok(sorted(runs, run)?.map(|times| times[runs / 2]))
}

/// The shortest time, for an upper bound on throughput.
fn shortest(runs: usize, mut run: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let [times] = sorted(runs, |_| run())?;
    Ok(times[0])
}

/// Times of at least one run each.
fn sorted<const N: usize>(runs: usize, mut run: impl FnMut(usize) -> Outcome<()>) -> Outcome<[Vec<f64>; N]> {
    let mut times = [const { Vec::new() }; N];
    for i in 0..runs + 2 {
        for (whose, times) in times.iter_mut().enumerate() {
            let start = Instant::now();
            run(whose)?;
            if i >= 2 {
                times.push(start.elapsed().as_secs_f64());
            }
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
    Ok(times)
}

pub(crate) struct Probe<'a> {
    context: &'a Context,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(context: &'a Context) -> Probe<'a> {
        Probe { context }
    }

    /// GFLOP/s of multiply-adds on registers.
    pub(crate) fn multiply_adds(&self, small: bool) -> Outcome<f64> {
        let groups = if small { 64 } else { 16_384 };
        let device = self.context.device();
        let out = self.buffer(groups * 256 * 16);
        let module = device.create_shader_module(wgpu::include_wgsl!("fma.wgsl"));
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let entries = [wgpu::BindGroupEntry { binding: 0, resource: out.as_entire_binding() }];
        let layout = pipeline.get_bind_group_layout(0);
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries };
        let group = device.create_bind_group(&descriptor);
        let seconds = shortest(10, || {
            let mut encoder = device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &group, &[]);
                pass.dispatch_workgroups(groups as u32, 1, 1);
            }
            self.context.queue().submit([encoder.finish()]);
            Ok(self.context.wait()?)
        })?;
        self.context.health()?;
        Ok((2 * 4 * 32 * 1024 * 256 * groups) as f64 / seconds / 1e9)
    }

    /// GB/s of buffer copies of `bytes`, counting reads and writes.
    pub(crate) fn copies(&self, bytes: u64) -> Outcome<f64> {
        let bytes = bytes.next_multiple_of(256);
        let (from, to) = (self.buffer(bytes), self.buffer(bytes));
        let seconds = shortest(20, || {
            let mut encoder = self.context.device().create_command_encoder(&Default::default());
            for _ in 0..10 {
                encoder.copy_buffer_to_buffer(&from, 0, &to, 0, bytes);
            }
            self.context.queue().submit([encoder.finish()]);
            Ok(self.context.wait()?)
        })?;
        self.context.health()?;
        Ok((2 * 10 * bytes) as f64 / seconds / 1e9)
    }

    fn buffer(&self, size: u64) -> wgpu::Buffer {
        use wgpu::BufferUsages as U;
        let usage = U::STORAGE | U::COPY_SRC | U::COPY_DST;
        self.context.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    }
}
