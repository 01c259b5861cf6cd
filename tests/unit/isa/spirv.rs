//! SPIR-V as wgpu-hal's Vulkan backend asks naga for it, where the crate makes its pipelines: `gpu/pipeline.rs` asks for no checks,
//! for loops without a counter and for workgroup memory that is not zeroed; wgpu leaves shaders without debug information then.

use crate::texts::valid;
use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};

pub(super) fn spirv(text: &str) -> Result<Vec<u32>, String> {
    let (module, info) = valid(text)?;
    let unchecked = BoundsCheckPolicy::Unchecked;
    let options = spv::Options {
        // Of a device with Vulkan 1.3, as all are that we know of.
        lang_version: (1, 6),
        flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
        bounds_check_policies: BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        ray_query_initialization_tracking: false,
        emit_int_div_checks: false,
        task_dispatch_limits: None,
        mesh_shader_primitive_indices_clamp: false,
        ..Default::default()
    };
    let stage = naga::ShaderStage::Compute;
    let pipeline = spv::PipelineOptions { shader_stage: stage, entry_point: "main".into() };
    spv::write_vec(&module, &info, &options, Some(&pipeline)).map_err(|e| e.to_string())
}
