//! Pipelines, compiled once per context and shader text, and dispatches ready to be recorded.

use super::context::Context;
use super::device::Buffer;
use crate::plug::INDEXES;
use crate::shader::{Binding, Dtype, Kernel};
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Pipelines by shader text, bind group layouts by bindings.
#[derive(Default)]
pub(super) struct Pipelines {
    pipelines: Mutex<HashMap<String, wgpu::ComputePipeline>>,
    layouts: Mutex<HashMap<Vec<Binding>, wgpu::BindGroupLayout>>,
}

impl Pipelines {
    /// Locked for a lookup or an insertion only, never while a driver compiles.
    fn made(&self) -> MutexGuard<'_, HashMap<String, wgpu::ComputePipeline>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer range that a kernel reads or writes, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Resource {
    pub buffer: Buffer,
    pub offset: u64,
    pub size: u64,
    /// What it holds, where that may differ.
    pub dtype: Dtype,
}

/// A pipeline with its bind group and grid: all that recording needs.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub label: String,
    pub flops: u64,
    /// Bytes of the bound ranges that it accesses.
    pub bytes: u64,
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    pub(crate) grid: (u32, u32),
    /// For rebuilding it with another tile, and for tests that run it elsewhere.
    pub made_of: (Kernel, Vec<Resource>),
}

impl Dispatch {
    /// An estimate of its time, in arithmetic operations plus bytes.
    pub(crate) fn cost(&self) -> u64 {
        self.flops + self.bytes
    }

    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.grid.0, self.grid.1, 1);
    }
}

/// A grid of `groups` workgroups, folded into rows no longer than the device allows; all but the last row are full.
fn fold(groups: u32, longest: u32) -> (u32, u32) {
    let rows = groups.div_ceil(longest).max(1);
    (groups.div_ceil(rows).max(1), rows)
}

impl Context {
    fn layout(&self, bindings: &[Binding]) -> Result<wgpu::BindGroupLayout> {
        let mut layouts = self.inner.pipelines.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = layouts.get(bindings) {
            return Ok(layout.clone());
        }
        let entries: Vec<_> = (0..)
            .zip(bindings)
            .map(|(binding, kind)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match kind {
                        Binding::Uniform => wgpu::BufferBindingType::Uniform,
                        Binding::Read => wgpu::BufferBindingType::Storage { read_only: true },
                        Binding::Write => wgpu::BufferBindingType::Storage { read_only: false },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some("hesscale"), entries: &entries };
        let layout = self.guarded(|| self.inner.device.create_bind_group_layout(&descriptor))?;
        layouts.insert(bindings.to_vec(), layout.clone());
        Ok(layout)
    }

    /// Number of pipelines that have been made, for all plans of this context.
    pub fn pipelines(&self) -> usize {
        self.inner.pipelines.made().len()
    }

    /// Creates the missing pipelines of `kernels`. `progress` receives the number done after each.
    pub(crate) fn compile<'a>(
        &self,
        kernels: impl Iterator<Item = &'a Kernel>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<()> {
        let mut missing: Vec<(String, &Kernel)> = Vec::new();
        for kernel in kernels {
            let source = kernel.source();
            let known = self.inner.pipelines.made().contains_key(&source);
            if !known && missing.iter().all(|(other, _)| *other != source) {
                missing.push((source, kernel));
            }
        }
        let total = missing.len();
        for (done, (_, kernel)) in (1..).zip(missing) {
            self.pipeline(kernel)?;
            progress(done, total);
        }
        Ok(())
    }

    fn check_limits(&self, kernel: &Kernel) -> Result<()> {
        let (limits, bindings) = (&self.inner.limits, kernel.bindings());
        let uniforms = bindings.iter().filter(|kind| **kind == Binding::Uniform).count() as u32;
        let storage = bindings.len() as u32 - uniforms;
        let largest = kernel.uniforms(1).iter().map(Vec::len).max().unwrap_or(0).next_multiple_of(16) as u64;
        self.tuning().allowed.check(&kernel.label(), kernel.workgroup())?;
        let (storage, uniforms, all) = (storage.into(), uniforms.into(), bindings.len() as u64);
        let limits = [
            (
                "max_storage_buffers_per_shader_stage",
                storage,
                limits.max_storage_buffers_per_shader_stage.into(),
            ),
            (
                "max_uniform_buffers_per_shader_stage",
                uniforms,
                limits.max_uniform_buffers_per_shader_stage.into(),
            ),
            ("max_bindings_per_bind_group", all, limits.max_bindings_per_bind_group.into()),
            ("max_uniform_buffer_binding_size", largest, limits.max_uniform_buffer_binding_size),
        ];
        Error::check_limits(&kernel.label(), limits)
    }

    fn pipeline(&self, kernel: &Kernel) -> Result<wgpu::ComputePipeline> {
        let source = kernel.source();
        if let Some(pipeline) = self.inner.pipelines.made().get(&source) {
            return Ok(pipeline.clone());
        }
        self.check_limits(kernel)?;
        let layout = self.layout(&kernel.bindings())?;
        let label = kernel.label();
        let device = &self.inner.device;
        let pipeline = self.guarded(|| {
            let descriptor = wgpu::ShaderModuleDescriptor {
                label: Some(&label),
                source: wgpu::ShaderSource::Wgsl(source.as_str().into()),
            };
            let checks = wgpu::ShaderRuntimeChecks {
                bounds_checks: self.is_checked() || source.contains(INDEXES),
                // Every loop here ends. wgpu's extra counter in each loop prevents unrolling, and llvmpipe, which ends an
                // invocation's loops after 65,535 iterations in total, then miscounts them.
                force_loop_bounding: false,
                ..wgpu::ShaderRuntimeChecks::unchecked()
            };
            // SAFETY: the shaders are the crate's own; a plug of the user's has no buffers, and is checked where it computes places in
            // its own arrays. Every index and loop bound in them follows from the uniform and the
            // sizes of the bindings, which the plan derives from one validated model; tests also run them with bounds checks.
            let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
            let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some("hesscale"),
                bind_group_layouts: &[Some(&layout)],
                ..Default::default()
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: Some(&layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: self.inner.options.pipeline_cache.as_ref(),
            })
        })?;
        self.inner.pipelines.made().insert(source, pipeline.clone());
        Ok(pipeline)
    }

    /// Prepares a kernel for recording. `resources` follow the kernel's bindings after its uniforms.
    pub(crate) fn dispatch(&self, kernel: &Kernel, resources: &[Resource]) -> Result<Dispatch> {
        let longest = self.inner.limits.max_compute_workgroups_per_dimension;
        let grid = fold(kernel.groups(), longest.max(1));
        if grid.1 > longest {
            let limit = "max_compute_workgroups_per_dimension squared";
            return Err(Error::limit(
                kernel.label(),
                limit,
                kernel.groups().into(),
                u64::from(longest).pow(2),
            ));
        }
        let pipeline = self.pipeline(kernel)?;
        let layout = self.layout(&kernel.bindings())?;
        let bind_group = self.guarded(|| {
            let uniforms = kernel.uniforms(grid.0).into_iter().map(|bytes| self.uniform(&bytes));
            let uniforms = uniforms.collect::<Result<Vec<_>>>()?;
            let uniforms = uniforms.iter().map(wgpu::Buffer::as_entire_buffer_binding);
            let buffers = uniforms.chain(resources.iter().map(|r| wgpu::BufferBinding {
                buffer: &r.buffer,
                offset: r.offset,
                size: std::num::NonZeroU64::new(r.size),
            }));
            let entries: Vec<_> = (0..)
                .zip(buffers)
                .map(|(binding, buffer)| wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(buffer),
                })
                .collect();
            Ok(self.inner.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("hesscale"),
                layout: &layout,
                entries: &entries,
            }))
        })??;
        Ok(Dispatch {
            label: kernel.label(),
            flops: kernel.flops(),
            bytes: kernel.bytes(&resources.iter().map(|r| r.size).collect::<Vec<_>>()),
            pipeline,
            bind_group,
            grid,
            made_of: (kernel.clone(), resources.to_vec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn grids_fold_into_rows_within_the_limit() {
        assert_eq!(fold(1, 65_535), (1, 1));
        assert_eq!(fold(65_535, 65_535), (65_535, 1));
        let (x, y) = fold(65_536, 65_535);
        assert!(x <= 65_535 && y == 2 && x * y >= 65_536);
        let (x, y) = fold(10_000_000, 65_535);
        assert!(x <= 65_535 && u64::from(x) * u64::from(y) >= 10_000_000 && x * (y - 1) < 10_000_000);
    }
}
