//! Rows `[batch, channels, positions]` to images `[batch, positions, channels]` and back.

use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, compose, vectors, words};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToImage,
    ToRows,
}

/// Converts the layout of all planes: `shaders/layout/`. Padding channels become zeros.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reorder {
    pub direction: Direction,
    pub batch: u32,
    pub channels: u32,
    pub positions: u32,
    pub planes: u32,
    pub plane_rows: u32,
    pub plane_image: u32,
}

impl Reorder {
    fn elements(&self) -> u32 {
        self.batch * self.positions * vectors(self.channels)
    }
}

impl Key for Reorder {
    fn label(&self) -> String {
        let to = if self.direction == Direction::ToImage { "image" } else { "rows" };
        format!("to {to} {}x{}x{}", self.batch, self.channels, self.positions)
    }

    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let file = match self.direction {
            Direction::ToImage => "layout/to_image",
            Direction::ToRows => "layout/to_rows",
        };
        compose(&Header::lanes(), &["layout/params", "lib/each", "lib/divide", file])
    }

    fn groups(&self) -> u32 {
        self.elements().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let Reorder { channels, positions, planes, plane_rows, plane_image, .. } = *self;
        words(&[
            self.elements(),
            grid_x,
            channels,
            vectors(channels),
            positions,
            planes,
            plane_rows,
            plane_image / 4,
        ])
    }
}
