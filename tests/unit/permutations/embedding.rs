//! Embeddings.

use super::{BATCH, Operation, SHOWN, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::embedding::{EmbeddingForward, EmbeddingSignal, EmbeddingSums, Merge, Selection, SortBlocks};
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| {
        if is::<EmbeddingForward>(kernel) {
            return vec![vec![F32, F16]];
        }
        if let Some(sums) = kernel.get::<EmbeddingSums>() {
            return if sums.mode == SHOWN { vec![vec![F16]] } else { vec![] };
        }
        match kernel.get::<EmbeddingSignal>() {
            Some(signal) => super::backward(&signal.flow, &[]),
            None => vec![],
        }
    },
    family: |kernel| {
        let sorts = is::<SortBlocks>(kernel) || is::<Merge>(kernel);
        let sums = is::<EmbeddingSums>(kernel) || is::<EmbeddingSignal>(kernel);
        (sorts || sums || is::<EmbeddingForward>(kernel)).then_some("embedding")
    },
};

fn all() -> Vec<Kernel> {
    let selection = Selection { rows: 70, width: 5, batch: BATCH, positions: 40 };
    let mut kernels: Vec<Kernel> = vec![
        EmbeddingForward(selection).into(),
        SortBlocks(selection).into(),
        Merge { selection, run: 64 }.into(),
    ];
    for mode in Mode::ALL {
        for accumulate in [false, true] {
            let sums = EmbeddingSums { selection, part: 0, mode, plane: 4096, accumulate, scale: 1.0 };
            kernels.push(sums.into());
        }
        kernels.push(EmbeddingSignal { elements: 80, flow: flow(mode, Activation::Identity) }.into());
    }
    kernels
}
