//! What a kernel's workgroup takes of a device.

use super::tile::Allowed;
use super::{Kernel, image};
use crate::{Error, Result};

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
    pub(super) const fn row(invocations: u32) -> Workgroup {
        Workgroup::new([invocations, 1], 0)
    }

    /// With a sum and whatever else, `bytes` in all, for each invocation.
    pub(super) const fn each(self, bytes: u32) -> Workgroup {
        Workgroup { bytes: self.size[0] * self.size[1] * bytes, ..self }
    }

    pub(crate) fn invocations(self) -> u32 {
        self.size[0] * self.size[1]
    }

    /// Whether a device has it.
    pub(super) fn fits(self, allowed: &Allowed) -> bool {
        let [most, most_x, most_y] = allowed.invocations;
        let [x, y] = self.size;
        self.invocations() <= most && x <= most_x && y <= most_y && self.bytes <= allowed.storage
    }
}

impl Allowed {
    /// Invocations that a workgroup in a row may have.
    pub(crate) fn in_a_row(&self) -> u32 {
        self.invocations[0].min(self.invocations[1])
    }

    /// Whether the device has such workgroups.
    ///
    /// # Errors
    /// [`Error::Limit`] with the limit that is exceeded.
    pub(crate) fn check(&self, place: &str, workgroup: Workgroup) -> Result<()> {
        let [most, most_x, most_y] = self.invocations;
        let [x, y] = workgroup.size;
        let limits = [
            ("max_compute_invocations_per_workgroup", workgroup.invocations(), most),
            ("max_compute_workgroup_size_x", x, most_x),
            ("max_compute_workgroup_size_y", y, most_y),
            ("max_compute_workgroup_storage_size", workgroup.bytes, self.storage),
        ];
        match limits.into_iter().find(|(_, needed, available)| needed > available) {
            Some((limit, needed, available)) => {
                let (needed, available) = (needed.into(), available.into());
                Err(Error::Limit { place: place.into(), limit, needed, available })
            }
            None => Ok(()),
        }
    }
}

impl Kernel {
    pub(crate) fn workgroup(&self) -> Workgroup {
        match self {
            Kernel::Gemm(k, _) => k.workgroup(),
            Kernel::Loss(k) => k.workgroup(),
            Kernel::Reduce(k) => k.workgroup(),
            Kernel::Advance(_) => Workgroup::row(1),
            Kernel::Pack(_) | Kernel::Unpack(_) | Kernel::Forward(_) | Kernel::Backward(_) => {
                Workgroup::row(image::LANES)
            }
            Kernel::Update(_) | Kernel::Gather(_) => Workgroup::row(image::LANES),
            Kernel::Image(k) => k.key().workgroup(),
            Kernel::Whole(k) => k.net.workgroup(),
            Kernel::Join(k) => k.workgroup(),
            Kernel::LastLayer(k) => k.workgroup(),
            Kernel::Half(k, _) => k.workgroup(),
        }
    }
}
