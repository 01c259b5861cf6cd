//! The multiresolution hash grid: the application's own buffers and shaders, before and behind the network.

use crate::screen::entry;
use hesscale::{Tensor, wgpu};

/// Features of a point: the width of the network's input.
pub(crate) const FEATURES: usize = 2 * LEVELS;

const LEVELS: usize = 8;
/// Of each level.
const ENTRIES: usize = 1 << 12;
/// Cells along an edge of the coarsest level, and the factor from each level to the next: the finest has 128.
const COARSEST: f32 = 8.0;
const GROWTH: f32 = 1.486;
/// Table sums are integers in units of 1 / UNITS. A batch of 4096 terms of at most MOST does not exceed 2³¹.
const UNITS: f32 = 65_536.0;
const MOST: f32 = 8.0;

/// How the table is trained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableRule {
    /// By the Hessian diagonal (AdaHesScale), or by squared gradients (Adam).
    pub(crate) curved: bool,
    pub(crate) rate: f32,
    pub(crate) eps: f32,
}

/// The table and its training.
#[derive(Debug)]
pub(crate) struct Grid {
    encode: wgpu::ComputePipeline,
    scatter: wgpu::ComputePipeline,
    update: wgpu::ComputePipeline,
    table: wgpu::Buffer,
    sums: wgpu::Buffer,
    memory: wgpu::Buffer,
}

/// Pipeline, bindings, and invocations.
type Recorded<'a> = (&'a wgpu::ComputePipeline, &'a wgpu::BindGroup, usize);

impl Grid {
    pub(crate) fn new(device: &wgpu::Device, queue: &wgpu::Queue, rule: TableRule) -> Grid {
        let TableRule { curved, rate, eps } = rule;
        let header = format!(
            "const LEVELS: u32 = {LEVELS}u;\nconst ENTRIES: u32 = {ENTRIES}u;\nconst COARSEST: f32 = {COARSEST:?};\n\
             const GROWTH: f32 = {GROWTH:?};\nconst UNITS: f32 = {UNITS:?};\nconst MOST: f32 = {MOST:?};\n\
             const CURVED: bool = {curved};\nconst RATE: f32 = {rate:?};\nconst EPS: f32 = {eps:?};\n"
        );
        let pipeline = |name: &str, text: &str| {
            let source = format!("{header}{}{text}", include_str!("grid.wgsl"));
            pipeline(device, name, source)
        };
        let entries = LEVELS * ENTRIES;
        let table = storage(device, "table", 2 * entries);
        let mut random = fastrand::Rng::with_seed(3);
        let start: Vec<u8> =
            (0..2 * entries).flat_map(|_| (1e-4 * (random.f32() - 0.5)).to_le_bytes()).collect();
        queue.write_buffer(&table, 0, &start);
        Grid {
            encode: pipeline("encode", include_str!("encode.wgsl")),
            scatter: pipeline("scatter", include_str!("scatter.wgsl")),
            update: pipeline("update", include_str!("update.wgsl")),
            sums: storage(device, "sums", 4 * entries),
            memory: storage(device, "memory", 8 * entries),
            table,
        }
    }

    /// What [`Grid::record_encode`] binds: from `points` to a network's input.
    pub(crate) fn encodes(
        &self,
        device: &wgpu::Device,
        points: &wgpu::Buffer,
        features: &wgpu::Buffer,
    ) -> wgpu::BindGroup {
        let resources = [points, &self.table, features].map(wgpu::Buffer::as_entire_binding);
        bind(device, &self.encode, resources)
    }

    /// What [`Grid::record_update`] binds: the signal at the network's input.
    pub(crate) fn learns(
        &self,
        device: &wgpu::Device,
        points: &wgpu::Buffer,
        gradient: &Tensor,
        diagonal: &Tensor,
    ) -> [wgpu::BindGroup; 2] {
        let [g, h] = [gradient, diagonal].map(Tensor::binding);
        let scattered = [points.as_entire_binding(), g, h, self.sums.as_entire_binding()];
        let updated = [&self.sums, &self.memory, &self.table].map(wgpu::Buffer::as_entire_binding);
        [bind(device, &self.scatter, scattered), bind(device, &self.update, updated)]
    }

    /// Points to features.
    pub(crate) fn record_encode(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        bound: &wgpu::BindGroup,
        points: usize,
    ) {
        record(encoder, &[(&self.encode, bound, points * LEVELS)]);
    }

    /// The signal at the features to the table's gradient and diagonal, and a step of the table.
    pub(crate) fn record_update(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        [scattered, updated]: &[wgpu::BindGroup; 2],
        points: usize,
    ) {
        let all = LEVELS * ENTRIES;
        record(encoder, &[(&self.scatter, scattered, points * LEVELS), (&self.update, updated, all)]);
    }
}

/// Records dispatches of workgroups of 64.
fn record(encoder: &mut wgpu::CommandEncoder, dispatches: &[Recorded<'_>]) {
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for (pipeline, bound, invocations) in dispatches {
        let groups = invocations.div_ceil(64) as u32;
        let rows = groups.div_ceil(65_535);
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, *bound, &[]);
        pass.dispatch_workgroups(groups.div_ceil(rows), rows, 1);
    }
}

/// Zeros.
pub(crate) fn storage(device: &wgpu::Device, name: &str, floats: usize) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(name),
        size: 4 * floats as u64,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

pub(crate) fn pipeline(device: &wgpu::Device, name: &str, source: String) -> wgpu::ComputePipeline {
    let source = wgpu::ShaderSource::Wgsl(source.into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(name), source });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(name),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    })
}

/// A bind group of consecutive bindings.
pub(crate) fn bind<const N: usize>(
    device: &wgpu::Device,
    pipeline: &wgpu::ComputePipeline,
    resources: [wgpu::BindingResource<'_>; N],
) -> wgpu::BindGroup {
    let entries: Vec<_> = (0..).zip(resources).map(|(binding, resource)| entry(binding, resource)).collect();
    let layout = &pipeline.get_bind_group_layout(0);
    device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
}
