//! GPU timestamps, if they can be written between passes.

use hesscale::wgpu::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoder, Features, MapMode, QuerySet, QuerySetDescriptor,
    QueryType,
};
use hesscale::{Context, Error, Result};

/// Two GPU timestamps.
pub(crate) struct Timestamps {
    marks: QuerySet,
    resolved: Buffer,
    staging: Buffer,
    /// Milliseconds per tick.
    period: f64,
}

const BYTES: u64 = 16;

impl Timestamps {
    /// `None` if the device was created without the features.
    pub(crate) fn new(context: &Context) -> Option<Timestamps> {
        let device = context.device();
        let needed = Features::TIMESTAMP_QUERY | Features::TIMESTAMP_QUERY_INSIDE_ENCODERS;
        if !device.features().contains(needed) {
            return None;
        }
        let buffer = |usage| {
            device.create_buffer(&BufferDescriptor {
                label: None,
                size: BYTES,
                usage,
                mapped_at_creation: false,
            })
        };
        let marks =
            device.create_query_set(&QuerySetDescriptor { label: None, ty: QueryType::Timestamp, count: 2 });
        Some(Timestamps {
            marks,
            resolved: buffer(BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC),
            staging: buffer(BufferUsages::MAP_READ | BufferUsages::COPY_DST),
            period: f64::from(context.queue().get_timestamp_period()) / 1e6,
        })
    }

    /// Writes timestamp 0 or 1 after everything recorded before.
    pub(crate) fn write(&self, encoder: &mut CommandEncoder, mark: u32) {
        encoder.write_timestamp(&self.marks, mark);
    }

    /// Milliseconds from timestamp 0 to 1; blocks.
    pub(crate) fn read(&self, context: &Context) -> Result<f64> {
        let mut encoder = context.device().create_command_encoder(&Default::default());
        encoder.resolve_query_set(&self.marks, 0..2, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, BYTES);
        context.queue().submit([encoder.finish()]);
        // Failure shows when the mapped range is requested.
        self.staging.map_async(MapMode::Read, .., |_| ());
        context.wait()?;
        let ticks = {
            let view = self
                .staging
                .get_mapped_range(..)
                .map_err(|error| Error::Device { problem: error.to_string(), source: None })?;
            let ticks = |at: usize| view[at..][..8].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte));
            ticks(8).saturating_sub(ticks(0))
        };
        self.staging.unmap();
        Ok(ticks as f64 * self.period)
    }
}
