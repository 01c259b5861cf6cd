//! Hash grids.

use super::{BATCH, Operation, backward, flow, is};
use crate::model::{Activation, HashGrid, Mode};
use crate::ops::hashgrid::{Grid, HashGridForward, HashGridSignal};
use crate::ops::row_sums::{Entries, Selection};
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<HashGridSignal>() {
        Some(signal) => backward(&signal.flow, &[]),
        None if is::<HashGridForward>(kernel) => vec![vec![F32, F16]],
        None => vec![],
    },
    family: |kernel| (is::<HashGridForward>(kernel) || is::<HashGridSignal>(kernel)).then_some("hash grid"),
};

const LAYER: HashGrid = HashGrid { levels: 3, features: 2, log2_table: 5, base: 2, growth: 2.0 };

/// Of points with so many axes.
pub(super) fn selection(axes: usize) -> Selection {
    let entries = Entries::HashGrid(Grid::new(&LAYER, axes));
    Selection { rows: 96, width: 2, batch: 8 * BATCH, each: 3 << axes, entries }
}

fn all() -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = Vec::new();
    for axes in [2, 3] {
        let (grid, selection) = (Grid::new(&LAYER, axes), selection(axes));
        kernels.push(HashGridForward { grid, selection }.into());
        for mode in Mode::ALL {
            let flow = flow(mode, Activation::Identity);
            kernels.push(HashGridSignal { grid, selection, flow }.into());
        }
    }
    kernels
}
