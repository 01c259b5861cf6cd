//! Embeddings.

use super::{BATCH, Operation, is};
use crate::ops::embedding::EmbeddingForward;
use crate::ops::row_sums::{Entries, Selection};
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| if is::<EmbeddingForward>(kernel) { vec![vec![F32, F16]] } else { vec![] },
    family: |kernel| is::<EmbeddingForward>(kernel).then_some("embedding"),
};

fn all() -> Vec<Kernel> {
    let selection = Selection { rows: 70, width: 5, batch: BATCH, each: 40, entries: Entries::Embedding };
    vec![EmbeddingForward(selection).into()]
}
