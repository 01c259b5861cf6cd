//! The types that activations and signals are stored as between kernels. All arithmetic is in `f32`.

use super::{Header, compose};

/// The type of a number as it lies in a buffer: see [`PlanOptions::storage`](crate::PlanOptions::storage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Dtype {
    /// Four bytes.
    #[default]
    F32,
    /// Two bytes: 11 bits of precision between 6.1e-5 and 65504, fewer down to 6e-8. Beyond 65504 a number counts as that.
    F16,
}

impl Dtype {
    fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
        }
    }

    pub(crate) fn bytes(self, elements: usize) -> usize {
        match self {
            Dtype::F32 => 4 * elements,
            Dtype::F16 => 2 * elements,
        }
    }

    /// Distance between planes of `elements` each, in elements: a multiple of 256 bytes, so that each can be bound by itself.
    pub(crate) fn plane(self, elements: usize) -> usize {
        elements.next_multiple_of(256 / self.bytes(1))
    }
}

/// The types of a kernel's bindings 1, 2, …: `N1`, `N2`, … in its shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dtypes([Dtype; 7]);

impl Dtypes {
    pub(crate) fn of(dtypes: impl Iterator<Item = Dtype>) -> Dtypes {
        let mut all = Dtypes::default();
        all.0.iter_mut().zip(dtypes).for_each(|(to, dtype)| *to = dtype);
        all
    }

    pub(crate) fn at(self, binding: usize) -> Dtype {
        self.0[binding - 1]
    }

    pub(crate) fn all_f32(self) -> bool {
        self == Dtypes::default()
    }

    /// Completes a shader of so many bindings that uses `N1`, `N2`, … and `storable`, given the type of what it writes. Files that
    /// several kernels share name the first few, bound or not.
    pub(crate) fn complete(self, text: &str, bindings: usize, written: Dtype) -> String {
        let mut header = Header::default();
        for (binding, dtype) in (1..=bindings.max(SHARED)).zip(self.0) {
            header.alias(&format!("N{binding}"), dtype.name());
        }
        let storable = match written {
            Dtype::F32 => "lib/store_exact",
            Dtype::F16 => "lib/store_saturated",
        };
        let enable = if self.all_f32() { "" } else { ENABLE };
        format!("{enable}{text}\n{}", compose(&header, &[storable]))
    }
}

/// Bindings whose types files of several kernels name.
const SHARED: usize = 5;

/// The first line of a shader that uses f16.
pub(crate) const ENABLE: &str = "enable f16;\n";
