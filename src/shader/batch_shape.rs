//! The shape of a batch in memory.

use super::{LANES, Width, vectors};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchShape {
    /// `[batch, features]`.
    Rows { batch: u32, features: u32 },
    /// `[batch, positions, channels]`, channels padded to a multiple of four.
    Image { batch: u32, channels: u32, positions: u32 },
    /// `[batch, rows, stride]` of a single channel; in each row `columns` numbers count.
    Line { batch: u32, rows: u32, columns: u32, stride: u32 },
}

impl BatchShape {
    /// The same memory, all channels taken for one.
    pub(crate) fn as_line(self) -> BatchShape {
        let (batch, rows, columns) = (self.batch(), self.positions(), self.channels());
        BatchShape::Line { batch, rows, columns, stride: self.vectors() * self.width().elements() }
    }

    /// The same memory, each position taken for a sample.
    pub(crate) fn with_positions_as_samples(self) -> BatchShape {
        match self {
            BatchShape::Image { batch, channels, positions } => {
                BatchShape::Image { batch: batch * positions, channels, positions: 1 }
            }
            other => other,
        }
    }

    pub(crate) fn width(self) -> Width {
        match self {
            BatchShape::Rows { .. } | BatchShape::Line { .. } => Width::Scalar,
            BatchShape::Image { .. } => Width::Vector,
        }
    }

    pub(crate) fn channels(self) -> u32 {
        match self {
            BatchShape::Rows { features, .. } => features,
            BatchShape::Image { channels, .. } => channels,
            BatchShape::Line { .. } => 1,
        }
    }

    pub(crate) fn positions(self) -> u32 {
        match self {
            BatchShape::Rows { .. } => 1,
            BatchShape::Image { positions, .. } => positions,
            BatchShape::Line { rows, columns, .. } => rows * columns,
        }
    }

    /// Rows of neighbouring positions, how many each, and from one row to the next in memory.
    pub(crate) fn lines(self) -> [u32; 3] {
        match self {
            BatchShape::Line { rows, columns, stride, .. } => [rows, columns, stride],
            _ => [1, self.positions(), self.positions()],
        }
    }

    pub(crate) fn batch(self) -> u32 {
        match self {
            BatchShape::Rows { batch, .. }
            | BatchShape::Image { batch, .. }
            | BatchShape::Line { batch, .. } => batch,
        }
    }

    /// Values of one position, as many elements each as the width says.
    pub(crate) fn vectors(self) -> u32 {
        match self {
            BatchShape::Rows { features, .. } => features,
            BatchShape::Image { channels, .. } => vectors(channels),
            BatchShape::Line { .. } => 1,
        }
    }

    pub(crate) fn values(self) -> u32 {
        self.batch() * self.positions() * self.vectors()
    }

    pub(crate) fn label(self) -> String {
        match self {
            BatchShape::Rows { batch, features } => format!("{batch}x{features}"),
            BatchShape::Image { batch, channels, positions } => format!("{batch}x{channels}x{positions}"),
            BatchShape::Line { batch, rows, columns, .. } => format!("{batch}x{rows}x{columns}"),
        }
    }

    pub(crate) fn groups(self) -> u32 {
        self.values().div_ceil(LANES)
    }
}
