//! The shape of a batch in memory.

use super::{LANES, Width, vectors};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchShape {
    /// `[batch, features]`.
    Rows { batch: u32, features: u32 },
    /// `[batch, positions, channels]`, channels padded to a multiple of four.
    Image { batch: u32, channels: u32, positions: u32 },
}

impl BatchShape {
    pub(crate) fn width(self) -> Width {
        match self {
            BatchShape::Rows { .. } => Width::Scalar,
            BatchShape::Image { .. } => Width::Vector,
        }
    }

    pub(crate) fn channels(self) -> u32 {
        match self {
            BatchShape::Rows { features, .. } => features,
            BatchShape::Image { channels, .. } => channels,
        }
    }

    pub(crate) fn positions(self) -> u32 {
        match self {
            BatchShape::Rows { .. } => 1,
            BatchShape::Image { positions, .. } => positions,
        }
    }

    pub(crate) fn batch(self) -> u32 {
        match self {
            BatchShape::Rows { batch, .. } | BatchShape::Image { batch, .. } => batch,
        }
    }

    /// Values of one position, as many elements each as the width says.
    pub(crate) fn vectors(self) -> u32 {
        match self {
            BatchShape::Rows { features, .. } => features,
            BatchShape::Image { channels, .. } => vectors(channels),
        }
    }

    pub(crate) fn values(self) -> u32 {
        self.batch() * self.positions() * self.vectors()
    }

    pub(crate) fn label(self) -> String {
        match self {
            BatchShape::Rows { batch, features } => format!("{batch}x{features}"),
            BatchShape::Image { batch, channels, positions } => format!("{batch}x{channels}x{positions}"),
        }
    }

    pub(crate) fn groups(self) -> u32 {
        self.values().div_ceil(LANES)
    }
}
