//! The kernels of hash grids.

use crate::model::HashGrid;
use crate::ops::row_sums::Selection;
use crate::shader::{Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose};

/// The sizes of a hash grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Grid {
    pub axes: u32,
    levels: u32,
    /// Rows of a level.
    table: u32,
    /// Levels, the first, of which each corner has a row of its own.
    dense: u32,
    /// Along an axis, of each level.
    cells: [u32; MOST_LEVELS],
}

const MOST_LEVELS: usize = 32;

impl Grid {
    pub(crate) fn new(grid: &HashGrid, axes: usize) -> Grid {
        let mut cells = [0; MOST_LEVELS];
        let levels = || (0..grid.levels).map(|level| grid.level(level, axes));
        cells.iter_mut().zip(levels()).for_each(|(to, level)| *to = level.cells as u32);
        let dense = levels().take_while(|level| level.dense).count() as u32;
        let [axes, levels, table] = [axes, grid.levels, grid.table()].map(|size| size as u32);
        Grid { axes, levels, table, dense, cells }
    }

    /// What `shaders/row_sums/params.wgsl` has of a grid.
    pub(crate) const WORDS: usize = 5 + MOST_LEVELS;

    pub(crate) fn words(&self) -> [u32; Grid::WORDS] {
        let mut words = [0; Grid::WORDS];
        words[..3].copy_from_slice(&[self.levels, self.table, self.dense]);
        words[5..].copy_from_slice(&self.cells);
        words
    }
}

/// Features of points: `shaders/hashgrid/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HashGridForward {
    pub grid: Grid,
    pub selection: Selection,
}

impl HashGridForward {
    fn values(&self) -> u32 {
        self.selection.batch * self.outputs()
    }

    fn outputs(&self) -> u32 {
        self.grid.levels * self.selection.width
    }
}

impl Key for HashGridForward {
    fn label(&self) -> String {
        format!("hash grid {} of {}", self.selection.batch, self.outputs())
    }

    /// x, z, W.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = self.selection.files(&mut header, 1);
        files.extend(["hashgrid/forward", "lib/each", "lib/divide"]);
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.selection.uniforms(self.values(), grid_x, [0; 4])
    }
}

/// The signal at the points: `shaders/hashgrid/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HashGridSignal {
    pub grid: Grid,
    pub selection: Selection,
    pub flow: Flow,
}

impl HashGridSignal {
    fn numbers(&self) -> u32 {
        self.selection.batch * self.grid.axes
    }
}

impl Key for HashGridSignal {
    fn label(&self) -> String {
        format!("signal {} below a hash grid of {}", self.flow.label(), self.numbers())
    }

    /// The signals above and below, x, W.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(2)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = self.selection.files(&mut header, 3);
        files.extend(["hashgrid/signal", "lib/each", "lib/divide"]);
        files.extend(self.flow.files(&mut header, Width::Scalar, 2));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.numbers().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let [plane_in, plane_out] = self.flow.planes(Width::Scalar);
        self.selection.uniforms(self.numbers(), grid_x, [0, plane_in, plane_out, 0])
    }
}
