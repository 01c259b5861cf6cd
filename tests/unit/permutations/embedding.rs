//! Embeddings.

use super::{BATCH, Operation, backward, flow, is};
use crate::model::{Activation, Mode};
use crate::ops::embedding::{EmbeddingForward, EmbeddingSignal};
use crate::ops::row_sums::{Entries, Selection};
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<EmbeddingSignal>() {
        Some(signal) => backward(&signal.flow, &[]),
        None if is::<EmbeddingForward>(kernel) => vec![vec![F32, F16]],
        None => vec![],
    },
    family: |kernel| (is::<EmbeddingForward>(kernel) || is::<EmbeddingSignal>(kernel)).then_some("embedding"),
};

fn all() -> Vec<Kernel> {
    let selection = Selection { rows: 70, width: 5, batch: BATCH, each: 40, entries: Entries::Embedding };
    let signal = |mode| EmbeddingSignal { elements: 80, flow: flow(mode, Activation::Identity) };
    let signals = Mode::ALL.into_iter().map(|mode| signal(mode).into());
    [EmbeddingForward(selection).into()].into_iter().chain(signals).collect()
}
