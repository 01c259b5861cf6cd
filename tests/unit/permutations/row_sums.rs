//! Sums for rows that were selected.

use super::hashgrid::selection as grid;
use super::{BATCH, Operation, SHOWN, is};
use crate::model::Mode;
use crate::ops::row_sums::{Carry, Clear, Entries, Merge, Selection, SortBlocks, Sums};
use crate::shader::{Dtype::F16, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<Sums>() {
        Some(sums) if sums.mode == SHOWN => vec![vec![F16]],
        None if is::<Clear>(kernel) => vec![vec![F16]],
        _ => vec![],
    },
    family: |kernel| {
        let sorts = is::<SortBlocks>(kernel) || is::<Merge>(kernel) || is::<Clear>(kernel);
        (sorts || is::<Sums>(kernel) || is::<Carry>(kernel)).then_some("sums of rows")
    },
};

fn all() -> Vec<Kernel> {
    let embedding = Selection { rows: 70, width: 5, batch: BATCH, each: 140, entries: Entries::Embedding };
    let mut kernels: Vec<Kernel> = vec![Clear { elements: 350 }.into()];
    for selection in [embedding, grid(2), grid(3)] {
        kernels.extend([SortBlocks(selection).into(), Merge { selection, run: 64 }.into()]);
        for mode in Mode::ALL {
            let sums = Sums { selection, mode, plane: 4096, scale: 1.0 };
            kernels.extend([sums.into(), Carry(sums).into()]);
        }
    }
    kernels
}
