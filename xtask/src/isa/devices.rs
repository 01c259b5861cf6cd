//! The devices that pipelines are compiled for, none of which is there.

use super::program::{Program, adreno, apple, nvidia, rdna};

/// A variable, its value, and what is kept of a dump.
#[derive(Debug)]
pub(crate) struct Dump {
    pub(crate) variable: (&'static str, &'static str),
    pub(crate) kept: fn(&str) -> String,
}

#[derive(Debug)]
pub(crate) struct Device {
    /// As the command takes it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Mesa's driver, and the library of mesa-drm-shim that lets it believe in a device.
    pub(crate) driver: &'static str,
    pub(crate) shim: &'static str,
    /// Which device.
    pub(crate) variable: Option<(&'static str, &'static str)>,
    /// What lets the driver dump programs on the standard output, where Vulkan's extension does not tell them.
    pub(crate) dump: Option<Dump>,
    pub(crate) disassembly: fn(&str) -> Program,
    /// How its compiler calls numbers of [`super::figures::Figures`]: registers, spilled ones, waves.
    pub(crate) numbers: [&'static str; 3],
    /// Classes whose tiles it gets, as the crate's `DeviceClass` spells them, in lower case.
    pub(crate) classes: &'static [&'static str],
}

const RADV: [&str; 3] = ["VGPRs", "Spilled VGPRs", "Subgroups per SIMD"];
const NVK: [&str; 3] = ["Number of GPRs", "Spills to memory", "Max warps/SM"];

/// The chips in GPUs of their own stand for those beside a CPU too, where a vendor makes both of the same parts.
pub(crate) const DEVICES: [Device; 6] = [
    Device {
        name: "navi21",
        title: "AMD RDNA 2",
        driver: "radeon",
        shim: "amdgpu",
        variable: Some(("AMDGPU_GPU_ID", "navi21")),
        dump: None,
        disassembly: rdna::read,
        numbers: RADV,
        classes: &["discrete", "integrated"],
    },
    Device {
        name: "navi31",
        title: "AMD RDNA 3",
        driver: "radeon",
        shim: "amdgpu",
        variable: Some(("AMDGPU_GPU_ID", "navi31")),
        dump: None,
        disassembly: rdna::read,
        numbers: RADV,
        classes: &["discrete", "integrated"],
    },
    Device {
        name: "ampere",
        title: "NVIDIA Ampere",
        driver: "nouveau",
        shim: "nouveau",
        variable: Some(("NOUVEAU_CHIPSET", "170")),
        dump: None,
        disassembly: nvidia::read,
        numbers: NVK,
        classes: &["discrete"],
    },
    Device {
        name: "ada",
        title: "NVIDIA Ada",
        driver: "nouveau",
        shim: "nouveau",
        variable: Some(("NOUVEAU_CHIPSET", "190")),
        dump: None,
        disassembly: nvidia::read,
        numbers: NVK,
        classes: &["discrete"],
    },
    Device {
        name: "m1",
        title: "Apple M1",
        driver: "asahi",
        shim: "asahi",
        variable: None,
        dump: Some(Dump { variable: ("AGX_MESA_DEBUG", "shaders"), kept: apple::kept }),
        disassembly: apple::read,
        numbers: ["GPRs", "Spills", "Threads"],
        classes: &["apple"],
    },
    Device {
        name: "a730",
        title: "Adreno 730",
        driver: "freedreno",
        shim: "freedreno",
        variable: Some(("FD_GPU_ID", "730")),
        dump: None,
        disassembly: adreno::read,
        numbers: ["Registers used", "STP Count", "Max Waves Per Core"],
        classes: &["mobile"],
    },
];

impl Device {
    pub(crate) fn of(name: &str) -> Option<&'static Device> {
        DEVICES.iter().find(|device| device.name == name)
    }

    pub(crate) fn names() -> String {
        DEVICES.map(|device| device.name).join(", ")
    }

    pub(crate) fn is_of(&self, classes: &[String]) -> bool {
        self.classes.iter().any(|class| classes.iter().any(|other| other == class))
    }
}
