//! The host's signal, to where it is stored.

use super::{Operation, flow, is, is_shown};
use crate::model::{Activation, Mode};
use crate::ops::outside::Take;
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| match kernel.get::<Take>() {
        Some(take) if is_shown(take.flow.mode, take.flow.below) => vec![vec![F32, F16]],
        _ => vec![],
    },
    family: |kernel| is::<Take>(kernel).then_some("signal from outside"),
};

fn all() -> Vec<Kernel> {
    let take = |elements, mode| Take { elements, flow: flow(mode, Activation::Identity), scale: 1.0 };
    [64, 33].into_iter().flat_map(|n| Mode::ALL.map(|mode| take(n, mode).into())).collect()
}
