//! Copies the rows that count.

use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, compose, words};

/// The first rows of all planes, zeros in the others: `shaders/partial/rows.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rows {
    pub elements: u32,
    /// Elements of a row.
    pub row: u32,
    pub planes: u32,
    pub plane_in: u32,
    pub plane_out: u32,
}

impl Key for Rows {
    fn label(&self) -> String {
        format!("rows that count {}x{}x{}", self.planes, self.elements / self.row, self.row)
    }

    /// All rows, their number, the result.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        compose(&Header::lanes(), &["partial/rows", "lib/each", "lib/divide"])
    }

    fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let Rows { elements, row, planes, plane_in, plane_out } = *self;
        words(&[elements, grid_x, row, planes, plane_in, plane_out, elements / row, 0])
    }
}
