//! What a kernel's workgroup takes of a device.

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
