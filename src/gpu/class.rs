//! The class of a device, from what its adapter says of itself.

use crate::shader::DeviceClass;
use wgpu::{AdapterInfo, Backend, DeviceType};

/// Who made the GPU, where that alone tells the class, or nearly.
#[derive(Clone, Copy, PartialEq)]
enum Maker {
    Apple,
    /// One whose GPUs are all for phones and small boards.
    Mobile,
    /// AMD, Intel, NVIDIA.
    Desktop,
}

/// Vendors by PCI or Khronos id; DX12 has Qualcomm by the letters of its ACPI id.
const VENDORS: &[(u32, Maker)] = &[
    (0x106B, Maker::Apple),
    (0x1010, Maker::Mobile),      // Imagination
    (0x10001, Maker::Mobile),     // Vivante
    (0x13B5, Maker::Mobile),      // Arm
    (0x144D, Maker::Mobile),      // Samsung
    (0x14E4, Maker::Mobile),      // Broadcom
    (0x19E5, Maker::Mobile),      // Huawei
    (0x5143, Maker::Mobile),      // Qualcomm
    (0x4D4F_4351, Maker::Mobile), // QCOM
    (0x1002, Maker::Desktop),     // AMD
    (0x10DE, Maker::Desktop),     // NVIDIA
    (0x8086, Maker::Desktop),     // Intel
];

/// Words of names and drivers, for those whose vendor is 0 or Mesa. The first that is found counts: a layer over another API names
/// both.
const NAMES: &[(&str, Maker)] = &[
    ("nvidia", Maker::Desktop),
    ("geforce", Maker::Desktop),
    ("radeon", Maker::Desktop),
    ("amd ", Maker::Desktop),
    ("intel", Maker::Desktop),
    ("adreno", Maker::Mobile),
    ("turnip", Maker::Mobile),
    ("mali", Maker::Mobile),
    ("immortalis", Maker::Mobile),
    ("panfrost", Maker::Mobile),
    ("powervr", Maker::Mobile),
    ("xclipse", Maker::Mobile),
    ("maleoon", Maker::Mobile),
    ("v3d", Maker::Mobile),
    ("videocore", Maker::Mobile),
    ("vivante", Maker::Mobile),
    ("apple", Maker::Apple),
    ("honeykrisp", Maker::Apple),
    ("asahi", Maker::Apple),
];

/// Drivers that run on a CPU, where the API has no word for it.
const SOFTWARE: &[&str] = &["llvmpipe", "softpipe", "swiftshader", "lavapipe", "basic render driver"];

pub(super) fn class_of(info: &AdapterInfo) -> DeviceClass {
    let said = [&info.name, &info.driver, &info.driver_info].map(|text| text.to_lowercase()).join(" ");
    if info.device_type == DeviceType::Cpu || SOFTWARE.iter().any(|name| said.contains(name)) {
        return DeviceClass::Software;
    }
    let by_vendor = VENDORS.iter().find(|(id, _)| *id == info.vendor).map(|(_, maker)| *maker);
    let by_name = || NAMES.iter().find(|(word, _)| said.contains(word)).map(|(_, maker)| *maker);
    match (by_vendor.or_else(by_name), info.device_type) {
        (Some(Maker::Apple), _) => DeviceClass::Apple,
        (Some(Maker::Mobile), _) => DeviceClass::Mobile,
        (_, DeviceType::IntegratedGpu) if info.backend == Backend::Metal && !is_x86(&said) => {
            DeviceClass::Apple
        }
        (_, DeviceType::IntegratedGpu) => DeviceClass::Integrated,
        (_, DeviceType::DiscreteGpu) => DeviceClass::Discrete,
        // GL and virtual machines do not say which; a desktop GPU's name does.
        (Some(Maker::Desktop), _) if is_x86(&said) && said.contains("graphics") => DeviceClass::Integrated,
        (Some(Maker::Desktop), _) => DeviceClass::Discrete,
        _ => by_subgroups(info.subgroup_min_size, info.subgroup_max_size),
    }
}

/// Of AMD or Intel, who make both kinds.
fn is_x86(said: &str) -> bool {
    ["radeon", "amd ", "intel"].iter().any(|name| said.contains(name))
}

/// A guess where nothing else is known: browsers hide name and vendor. Widths of subgroups are those of wgpu's documentation; 4 to
/// 64 is what Metal's implementations answer, for Metal has no such question.
fn by_subgroups(least: u32, most: u32) -> DeviceClass {
    match (least, most) {
        (4, 64) => DeviceClass::Apple,
        (64, 128) => DeviceClass::Mobile,
        // NVIDIA; AMD.
        (32, 32) | (32, 64) | (64, 64) => DeviceClass::Discrete,
        // Intel; or not said. Its tiles run well enough anywhere.
        _ => DeviceClass::Integrated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeviceClass::*;
    use DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu};

    /// What adapters say: backend, type, vendor, name, driver, subgroups; 0 where that is not known.
    type Said = (Backend, DeviceType, u32, &'static str, &'static str, [u32; 2]);

    const ADAPTERS: &[(Said, DeviceClass)] = &[
        // Vulkan.
        ((Backend::Vulkan, DiscreteGpu, 0x10DE, "NVIDIA GeForce RTX 3080", "NVIDIA", [32, 32]), Discrete),
        (
            (Backend::Vulkan, DiscreteGpu, 0x10DE, "NVIDIA GeForce RTX 3080 (NVK GA102)", "NVK", [32, 32]),
            Discrete,
        ),
        (
            (Backend::Vulkan, DiscreteGpu, 0x1002, "AMD Radeon RX 7900 XT (RADV NAVI31)", "radv", [32, 64]),
            Discrete,
        ),
        (
            (Backend::Vulkan, DiscreteGpu, 0x8086, "Intel(R) Arc(tm) A770 Graphics (DG2)", "Mesa", [8, 32]),
            Discrete,
        ),
        (
            (Backend::Vulkan, IntegratedGpu, 0x1002, "AMD Radeon 780M (RADV PHOENIX)", "radv", [32, 64]),
            Integrated,
        ),
        (
            (
                Backend::Vulkan,
                IntegratedGpu,
                0x8086,
                "Intel(R) Iris(R) Xe Graphics (TGL GT2)",
                "Mesa",
                [8, 32],
            ),
            Integrated,
        ),
        (
            (Backend::Vulkan, IntegratedGpu, 0x10DE, "NVIDIA Tegra Orin (nvgpu)", "NVIDIA", [32, 32]),
            Integrated,
        ),
        ((Backend::Vulkan, IntegratedGpu, 0x10005, "Apple M1 (G13G B0)", "Honeykrisp", [32, 32]), Apple),
        ((Backend::Vulkan, IntegratedGpu, 0x106B, "Apple M2 Pro", "MoltenVK", [32, 32]), Apple),
        ((Backend::Vulkan, IntegratedGpu, 0x5143, "Adreno (TM) 730", "Qualcomm", [64, 128]), Mobile),
        ((Backend::Vulkan, IntegratedGpu, 0x5143, "Turnip Adreno (TM) 730", "turnip", [64, 128]), Mobile),
        ((Backend::Vulkan, IntegratedGpu, 0x13B5, "Mali-G78", "Mali-G78", [16, 16]), Mobile),
        ((Backend::Vulkan, IntegratedGpu, 0x1010, "PowerVR B-Series BXE-4-32", "PowerVR", [1, 1]), Mobile),
        ((Backend::Vulkan, IntegratedGpu, 0x14E4, "V3D 7.1.7.0", "V3DV Mesa", [16, 16]), Mobile),
        ((Backend::Vulkan, IntegratedGpu, 0x144D, "Samsung Xclipse 920", "samsung", [32, 64]), Mobile),
        (
            (
                Backend::Vulkan,
                VirtualGpu,
                0x10DE,
                "Virtio-GPU Venus (NVIDIA GeForce RTX 3080)",
                "venus",
                [32, 32],
            ),
            Discrete,
        ),
        ((Backend::Vulkan, VirtualGpu, 0x10005, "Virtio-GPU Venus (Apple M1)", "venus", [32, 32]), Apple),
        ((Backend::Vulkan, Cpu, 0x10005, "llvmpipe (LLVM 15.0.6, 256 bits)", "llvmpipe", [8, 8]), Software),
        (
            (Backend::Vulkan, Cpu, 0x1AE0, "SwiftShader Device (Subzero)", "SwiftShader driver", [4, 4]),
            Software,
        ),
        // Metal: no vendor.
        ((Backend::Metal, IntegratedGpu, 0, "Apple M1", "", [4, 64]), Apple),
        ((Backend::Metal, IntegratedGpu, 0, "Apple A15 GPU", "", [4, 64]), Apple),
        ((Backend::Metal, IntegratedGpu, 0, "Paravirtual device", "", [4, 64]), Apple),
        ((Backend::Metal, DiscreteGpu, 0, "AMD Radeon Pro 5500M", "", [4, 64]), Discrete),
        ((Backend::Metal, IntegratedGpu, 0, "Intel(R) UHD Graphics 630", "", [4, 64]), Integrated),
        // DX12: the driver is a version.
        ((Backend::Dx12, DiscreteGpu, 0x10DE, "NVIDIA GeForce RTX 3080", "32.0.15.6094", [32, 32]), Discrete),
        ((Backend::Dx12, DiscreteGpu, 0x1002, "AMD Radeon RX 7900 XT", "31.0.24027", [32, 64]), Discrete),
        (
            (Backend::Dx12, IntegratedGpu, 0x1002, "AMD Radeon(TM) Graphics", "31.0.21924", [32, 64]),
            Integrated,
        ),
        (
            (Backend::Dx12, IntegratedGpu, 0x8086, "Intel(R) UHD Graphics 770", "31.0.101", [8, 32]),
            Integrated,
        ),
        (
            (
                Backend::Dx12,
                IntegratedGpu,
                0x4D4F_4351,
                "Qualcomm(R) Adreno(TM) X1-85 GPU",
                "31.0.56",
                [64, 128],
            ),
            Mobile,
        ),
        ((Backend::Dx12, Cpu, 0x1414, "Microsoft Basic Render Driver", "10.0.22621", [4, 4]), Software),
        // GL: often no type; wgpu finds a vendor in the text, or none.
        ((Backend::Gl, Other, 0x10DE, "NVIDIA GeForce RTX 3080/PCIe/SSE2", "4.6.0", [0, 0]), Discrete),
        (
            (Backend::Gl, Other, 0x1002, "AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 15)", "4.6", [0, 0]),
            Discrete,
        ),
        (
            (Backend::Gl, Other, 0x1002, "AMD Radeon Graphics (radeonsi, raphael_mendocino)", "4.6", [0, 0]),
            Integrated,
        ),
        (
            (Backend::Gl, IntegratedGpu, 0x8086, "Mesa Intel(R) UHD Graphics 620 (KBL GT2)", "4.6", [0, 0]),
            Integrated,
        ),
        ((Backend::Gl, IntegratedGpu, 0x10005, "Apple M1 (G13G B0)", "4.6 Mesa 24", [0, 0]), Apple),
        ((Backend::Gl, Other, 0, "ANGLE (Apple, ANGLE Metal Renderer: Apple M1 Pro)", "3.0", [0, 0]), Apple),
        (
            (Backend::Gl, Other, 0, "ANGLE (NVIDIA, NVIDIA GeForce GTX 1080 Direct3D11)", "3.1", [0, 0]),
            Discrete,
        ),
        (
            (Backend::Gl, Other, 0, "ANGLE (Intel, Intel(R) UHD Graphics 630 Direct3D11)", "3.1", [0, 0]),
            Integrated,
        ),
        ((Backend::Gl, IntegratedGpu, 0, "Mali-G57", "3.2", [0, 0]), Mobile),
        ((Backend::Gl, Other, 0, "Mali-G57 (Panfrost)", "3.1", [0, 0]), Mobile),
        ((Backend::Gl, IntegratedGpu, 0x5143, "Adreno (TM) 640", "3.2", [0, 0]), Mobile),
        ((Backend::Gl, Other, 0x1010, "PowerVR Rogue GE8320", "3.2", [0, 0]), Mobile),
        ((Backend::Gl, IntegratedGpu, 0x14E4, "V3D 4.2", "3.1", [0, 0]), Mobile),
        ((Backend::Gl, Other, 0x10005, "softpipe", "3.3", [0, 0]), Software),
        ((Backend::Gl, Cpu, 0x10005, "llvmpipe (LLVM 15.0.6, 256 bits)", "4.5", [0, 0]), Software),
        // A browser: a description at best.
        ((Backend::BrowserWebGpu, Other, 0, "", "", [32, 32]), Discrete),
        ((Backend::BrowserWebGpu, Other, 0, "", "", [32, 64]), Discrete),
        ((Backend::BrowserWebGpu, Other, 0, "", "", [8, 32]), Integrated),
        ((Backend::BrowserWebGpu, Other, 0, "", "", [16, 32]), Integrated),
        ((Backend::BrowserWebGpu, Other, 0, "", "", [4, 64]), Apple),
        ((Backend::BrowserWebGpu, Other, 0, "", "", [64, 128]), Mobile),
        ((Backend::BrowserWebGpu, Other, 0, "", "", [0, 0]), Integrated),
        ((Backend::BrowserWebGpu, Other, 0, "Apple M1", "", [0, 0]), Apple),
        ((Backend::BrowserWebGpu, Other, 0, "NVIDIA GeForce RTX 3080", "", [0, 0]), Discrete),
        ((Backend::BrowserWebGpu, Cpu, 0, "", "", [4, 4]), Software),
        // Unknown to this table.
        ((Backend::Vulkan, IntegratedGpu, 0xFFFF, "?", "", [0, 0]), Integrated),
        ((Backend::Vulkan, DiscreteGpu, 0x1ED5, "MTT S80", "", [0, 0]), Discrete),
    ];

    #[test]
    fn adapters_are_what_they_are() {
        for ((backend, kind, vendor, name, driver, subgroups), class) in ADAPTERS {
            let mut info = AdapterInfo::new(*kind, *backend);
            (info.vendor, info.name, info.driver) = (*vendor, (*name).into(), (*driver).into());
            if *subgroups != [0, 0] {
                [info.subgroup_min_size, info.subgroup_max_size] = *subgroups;
            }
            assert_eq!(class_of(&info), *class, "{info:?}");
        }
    }

    /// No rule stands there for nothing: each class is there on each API that has it.
    #[test]
    fn the_table_has_every_class() {
        for class in DeviceClass::ALL {
            let apis = [Backend::Vulkan, Backend::Gl, Backend::BrowserWebGpu];
            for backend in apis {
                let there = ADAPTERS.iter().any(|((api, ..), of)| *of == class && *api == backend);
                assert!(there, "{class:?} on {backend:?}");
            }
        }
    }
}
