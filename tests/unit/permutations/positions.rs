//! Learned positions.

use super::{BATCH, CHANNELS, Operation, is};
use crate::ops::positions::PositionsForward;
use crate::shader::{BatchShape, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| if is::<PositionsForward>(kernel) { vec![vec![F16, F16, F32]] } else { vec![] },
    family: |kernel| is::<PositionsForward>(kernel).then_some("learned positions"),
};

fn all() -> Vec<Kernel> {
    let rows = BatchShape::Rows { batch: BATCH, features: 33 };
    let image = BatchShape::Image { batch: BATCH, channels: CHANNELS, positions: 1 };
    [rows, image].map(|shape| PositionsForward(shape).into()).into()
}
