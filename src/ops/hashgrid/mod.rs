//! Features of points, learned on grids of several resolutions.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Grid, HashGridForward, HashGridSignal};

use crate::Result;
use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Setup, Signal, Value,
};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Activation, HashGrid as Features, Layer, Mode, Role};
use crate::ops::row_sums::{self, Entries, Selection};

#[derive(Debug)]
pub(crate) struct HashGrid {
    grid: Features,
    /// Of a point.
    axes: usize,
}

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Layer::HashGrid(grid) = *layer else { return Ok(None) };
    Ok(Some(HashGrid { grid, axes: at.input.iter().product() }.into()))
}

impl HashGrid {
    fn grid(&self) -> Grid {
        Grid::new(&self.grid, self.axes)
    }

    fn selection(&self, setup: &Setup<'_>) -> Selection {
        let (rows, each) = (self.grid.levels * self.grid.table(), self.grid.levels << self.axes);
        let [rows, width, batch, each] =
            [rows, self.grid.features, setup.batch, each].map(|size| size as u32);
        Selection { rows, width, batch, each, entries: Entries::HashGrid(self.grid()) }
    }
}

impl Operation for HashGrid {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Rows)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let weight = pass.setup.parameter(op, Role::Weight);
        let kernel = HashGridForward { grid: self.grid(), selection: self.selection(pass.setup) };
        pass.of_network_input(op, kernel, &[weight])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let selection = self.selection(pass.setup);
        if pass.continues(op) {
            let to = pass.target(op.input())?;
            let flow = pass.flow(signal, &to, Activation::Identity);
            let input = pass.saved.network_input(pass.graph);
            let weight = pass.setup.parameter(op, Role::Weight);
            let kernel = HashGridSignal { grid: self.grid(), selection, flow };
            pass.schedule.push(kernel, vec![signal.slice, to.slice, input, weight]);
        }
        if pass.setup.trains(op) {
            row_sums::push(pass, op, signal, selection)?;
        }
        Ok(())
    }

    /// Pairs of row and entry.
    fn scratch(&self, _: &Value, batch: usize, _: Mode) -> usize {
        batch.saturating_mul(2 * (self.grid.levels << self.axes))
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        let levels = (0..self.grid.levels).map(|level| self.grid.level(level, self.axes)).collect();
        host::Interpolate { grid: self.grid, axes: self.axes, levels }.into()
    }
}
