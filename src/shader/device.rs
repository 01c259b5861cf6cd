//! Classes of devices, and the resources of a workgroup.

/// What kind of machine runs the shaders. It decides tile shapes, how many invocations share a loss, and which dispatches are
/// joined; so the last bits of a loss, of dense layers' sums over few samples, and of a network that runs as a whole may depend on
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceClass {
    /// A CPU behind a graphics API (llvmpipe, SwiftShader): few wide cores, dear loads and barriers, a large cache.
    Software,
    /// A GPU beside an x86 CPU, of the same memory (Intel, AMD): few cores. Also what nothing is known of.
    Integrated,
    /// A GPU of its own.
    Discrete,
    /// Apple's GPUs: fewer registers for each invocation at full occupancy than desktop GPUs have, much bandwidth.
    Apple,
    /// GPUs of phones (Adreno, Mali, PowerVR, VideoCore): few cores, registers and little workgroup memory.
    Mobile,
}

impl DeviceClass {
    /// Every class that has tiles of its own.
    pub const ALL: [DeviceClass; 5] = [
        DeviceClass::Software,
        DeviceClass::Integrated,
        DeviceClass::Discrete,
        DeviceClass::Apple,
        DeviceClass::Mobile,
    ];

    /// Whether a CPU runs the shaders. Tiles apart, nothing else about a class decides anything.
    pub fn is_software(self) -> bool {
        self == DeviceClass::Software
    }
}

/// Invocations along x and y, and bytes of workgroup memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Workgroup {
    pub size: [u32; 2],
    pub bytes: u32,
}

impl Workgroup {
    pub(crate) const fn new(size: [u32; 2], bytes: u32) -> Workgroup {
        Workgroup { size, bytes }
    }

    /// In a row, without memory.
    pub(crate) const fn row(invocations: u32) -> Workgroup {
        Workgroup::new([invocations, 1], 0)
    }

    /// With `bytes` of memory for each invocation.
    pub(crate) const fn each(self, bytes: u32) -> Workgroup {
        Workgroup { bytes: self.size[0] * self.size[1] * bytes, ..self }
    }

    pub(crate) fn invocations(self) -> u32 {
        self.size[0] * self.size[1]
    }
}
