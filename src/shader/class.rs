//! Classes of devices.

/// What kind of machine runs the shaders. Decides tile shapes, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceClass {
    /// A CPU behind a graphics API (llvmpipe, SwiftShader): few wide cores, dear loads and barriers, a large cache.
    Software,
    /// A GPU that shares the CPU's memory.
    Integrated,
    /// A GPU of its own.
    Discrete,
}

impl DeviceClass {
    /// Every class that has tiles of its own.
    pub const ALL: [DeviceClass; 3] = [DeviceClass::Software, DeviceClass::Integrated, DeviceClass::Discrete];
}
