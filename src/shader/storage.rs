//! How a batch lies in memory.

use super::{LANES, Width, vectors};

/// How a batch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// `[batch, features]`.
    Rows { batch: u32, features: u32 },
    /// `[batch, positions, channels]`, channels padded to a multiple of four.
    Image { batch: u32, channels: u32, positions: u32 },
}

impl Storage {
    pub(crate) fn width(self) -> Width {
        match self {
            Storage::Rows { .. } => Width::Scalar,
            Storage::Image { .. } => Width::Vector,
        }
    }

    pub(crate) fn channels(self) -> u32 {
        match self {
            Storage::Rows { features, .. } => features,
            Storage::Image { channels, .. } => channels,
        }
    }

    pub(crate) fn positions(self) -> u32 {
        match self {
            Storage::Rows { .. } => 1,
            Storage::Image { positions, .. } => positions,
        }
    }

    pub(crate) fn batch(self) -> u32 {
        match self {
            Storage::Rows { batch, .. } | Storage::Image { batch, .. } => batch,
        }
    }

    /// Values of one position, as many elements each as the width says.
    pub(crate) fn vectors(self) -> u32 {
        match self {
            Storage::Rows { features, .. } => features,
            Storage::Image { channels, .. } => vectors(channels),
        }
    }

    pub(crate) fn values(self) -> u32 {
        self.batch() * self.positions() * self.vectors()
    }

    pub(crate) fn label(self) -> String {
        match self {
            Storage::Rows { batch, features } => format!("{batch}x{features}"),
            Storage::Image { batch, channels, positions } => format!("{batch}x{channels}x{positions}"),
        }
    }

    pub(crate) fn groups(self) -> u32 {
        self.values().div_ceil(LANES)
    }
}
