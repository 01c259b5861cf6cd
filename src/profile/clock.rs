//! GPU timestamps at the beginning and end of compute passes.

use crate::{Context, Error, Result};

pub(super) struct Clock {
    marks: wgpu::QuerySet,
    passes: u32,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// Microseconds per tick.
    period: f64,
}

impl Clock {
    pub(super) fn new(context: &Context, passes: usize) -> Result<Clock> {
        let device = context.device();
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            let ask = "a device with Features::TIMESTAMP_QUERY (Request::features)";
            return Err(Error::not_planned("a profile", ask));
        }
        let (needed, available) = (2 * passes as u64, u64::from(wgpu::QUERY_SET_MAX_QUERIES));
        if needed > available {
            let limit = "QUERY_SET_MAX_QUERIES";
            return Err(Error::limit("a profile", limit, needed, available));
        }
        let size = 8 * needed;
        let (marks, resolved, staging) = context.guarded(|| {
            let descriptor = wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: needed as u32,
            };
            let buffer = |usage| context.create_buffer("hesscale timestamps", size, usage);
            let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
            let staging = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
            (device.create_query_set(&descriptor), resolved, staging)
        })?;
        let period = f64::from(context.queue().get_timestamp_period()) / 1e3;
        Ok(Clock { marks, passes: passes as u32, resolved, staging, period })
    }

    /// Records each pass with `record`, submits all of them and waits. Returns the microseconds of each.
    pub(super) fn time(
        &self,
        context: &Context,
        mut record: impl FnMut(usize, &mut wgpu::ComputePass<'_>),
    ) -> Result<Vec<f64>> {
        context.guarded(|| {
            let mut encoder = context.device().create_command_encoder(&Default::default());
            for pass in 0..self.passes {
                let timestamp_writes = Some(wgpu::ComputePassTimestampWrites {
                    query_set: &self.marks,
                    beginning_of_pass_write_index: Some(2 * pass),
                    end_of_pass_write_index: Some(2 * pass + 1),
                });
                let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
                record(pass as usize, &mut encoder.begin_compute_pass(&descriptor));
            }
            encoder.resolve_query_set(&self.marks, 0..2 * self.passes, &self.resolved, 0);
            encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, self.staging.size());
            context.queue().submit([encoder.finish()]);
            // Failure shows when the mapped range is requested.
            self.staging.map_async(wgpu::MapMode::Read, .., |_| ());
        })?;
        context.wait()?;
        let view = self.staging.get_mapped_range(..).map_err(crate::gpu::refused)?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        self.staging.unmap();
        let (pairs, _) = ticks.as_chunks::<2>();
        Ok(pairs.iter().map(|[begin, end]| end.saturating_sub(*begin) as f64 * self.period).collect())
    }
}
