//! A Vulkan device as wgpu asks for one, with the extension that tells what a pipeline became.

use ash::{ext, khr, vk};

use crate::report;

pub(crate) struct Device {
    pub(crate) name: String,
    device: ash::Device,
    properties: khr::pipeline_executable_properties::Device,
    instance: ash::Instance,
    /// Holds the loader's library.
    _entry: ash::Entry,
}

fn fault(what: &'static str) -> impl Fn(vk::Result) -> String {
    move |result| format!("{what}: {result}")
}

impl Device {
    pub(crate) fn first() -> Result<Device, String> {
        // SAFETY: the loader is a system library, whose initialisation has no requirements.
        let entry = unsafe { ash::Entry::load() }.map_err(|e| e.to_string())?;
        // Drivers know applications by these.
        let application =
            vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3).engine_name(c"wgpu-hal");
        let create = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: the instance is destroyed after the device that is made of it, and before the entry.
        let instance = unsafe { entry.create_instance(&create, None) }.map_err(fault("no instance"))?;
        // SAFETY: the instance lives.
        let found = unsafe { instance.enumerate_physical_devices() }.map_err(fault("no devices"))?;
        let physical = *found.first().ok_or("the driver has no device")?;
        let (device, name) = open(&instance, physical)?;
        let properties = khr::pipeline_executable_properties::Device::new(&instance, &device);
        Ok(Device { name, device, properties, instance, _entry: entry })
    }

    /// A report on the shader; on a refusal too.
    pub(crate) fn compile(&self, words: &[u32], bindings: &str, program: bool) -> Result<String, String> {
        let device = &self.device;
        let binding = |(at, kind): (u32, char)| {
            let kind = match kind {
                'u' => Ok(vk::DescriptorType::UNIFORM_BUFFER),
                's' => Ok(vk::DescriptorType::STORAGE_BUFFER),
                other => Err(format!("`{other}` is no kind of binding")),
            };
            kind.map(|kind| {
                let binding = vk::DescriptorSetLayoutBinding::default().binding(at).descriptor_type(kind);
                binding.descriptor_count(1).stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
        };
        let bindings = (0..).zip(bindings.chars()).map(binding).collect::<Result<Vec<_>, _>>()?;
        let create = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        // SAFETY: all handles are made here of a device that lives, and destroyed once, after the pipeline that uses them.
        unsafe {
            let set = device.create_descriptor_set_layout(&create, None).map_err(fault("bindings"))?;
            let sets = [set];
            let create = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = device.create_pipeline_layout(&create, None).map_err(fault("layout"))?;
            let create = vk::ShaderModuleCreateInfo::default().code(words);
            let module = device.create_shader_module(&create, None).map_err(fault("module"))?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            let mut flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR;
            if program {
                flags |= vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
            }
            let create = vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout).flags(flags);
            let begin = std::time::Instant::now();
            let made = device.create_compute_pipelines(vk::PipelineCache::null(), &[create], None);
            let elapsed = begin.elapsed();
            let text = match made {
                Ok(pipelines) => {
                    let text = report::of(&self.properties, pipelines[0], elapsed, program);
                    device.destroy_pipeline(pipelines[0], None);
                    text.map_err(fault("statistics"))
                }
                Err((_, result)) => Ok(report::refused(result)),
            };
            device.destroy_shader_module(module, None);
            device.destroy_pipeline_layout(layout, None);
            device.destroy_descriptor_set_layout(set, None);
            text
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: nothing that was made of them is left.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}

/// A logical device with the features that wgpu enables for the crate's shaders: robust access to buffers wherever there is any,
/// and storage in f16.
fn open(instance: &ash::Instance, physical: vk::PhysicalDevice) -> Result<(ash::Device, String), String> {
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
    // SAFETY: the structures are chained correctly, here and below, and the instance lives.
    unsafe { instance.get_physical_device_properties2(physical, &mut properties) };
    let name =
        properties.properties.device_name_as_c_str().unwrap_or_default().to_string_lossy().into_owned();
    let version = driver.driver_info_as_c_str().unwrap_or_default().to_string_lossy().into_owned();

    // SAFETY: as above.
    let known = unsafe { instance.enumerate_device_extension_properties(physical) };
    let known = known.map_err(fault("extensions"))?;
    let has = |name| known.iter().any(|one| one.extension_name_as_c_str() == Ok(name));
    let mut extensions = vec![khr::pipeline_executable_properties::NAME.as_ptr()];
    if !has(khr::pipeline_executable_properties::NAME) {
        return Err(format!("{name} tells nothing of its pipelines"));
    }
    let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT::default();
    let mut halves = vk::PhysicalDeviceShaderFloat16Int8Features::default();
    let mut stored = vk::PhysicalDevice16BitStorageFeatures::default();
    let mut features = vk::PhysicalDeviceFeatures2::default().push_next(&mut halves).push_next(&mut stored);
    if has(ext::robustness2::NAME) {
        extensions.push(ext::robustness2::NAME.as_ptr());
        features = features.push_next(&mut robust);
    }
    // SAFETY: as above.
    unsafe { instance.get_physical_device_features2(physical, &mut features) };
    let robust_access = features.features.robust_buffer_access;
    robust.null_descriptor = vk::FALSE;
    halves.shader_int8 = vk::FALSE;
    let wanted = vk::PhysicalDeviceFeatures::default().robust_buffer_access(robust_access == vk::TRUE);
    let mut told =
        vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
    let queue = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
    // They are chained anew.
    for next in [&mut halves.p_next, &mut stored.p_next, &mut robust.p_next] {
        *next = std::ptr::null_mut();
    }
    let mut create = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queue)
        .enabled_extension_names(&extensions)
        .enabled_features(&wanted)
        .push_next(&mut told)
        .push_next(&mut halves)
        .push_next(&mut stored);
    if has(ext::robustness2::NAME) {
        create = create.push_next(&mut robust);
    }
    // SAFETY: as above.
    let device = unsafe { instance.create_device(physical, &create, None) }.map_err(fault("no device"))?;
    Ok((device, format!("{name}; {version}")))
}
