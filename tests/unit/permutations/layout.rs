//! Rows to images and back.

use super::{BATCH, CHANNELS, Operation, is};
use crate::ops::layout::{Direction, Reorder};
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| [Direction::ToImage, Direction::ToRows].map(reorder).into(),
    stored: |kernel| match kernel.get::<Reorder>().map(|reorder| reorder.direction) {
        Some(Direction::ToImage) => vec![vec![F32, F16], vec![F16, F16]],
        Some(Direction::ToRows) => vec![vec![F16, F16], vec![F16]],
        None => vec![],
    },
    family: |kernel| is::<Reorder>(kernel).then_some("layout"),
};

fn reorder(direction: Direction) -> Kernel {
    let (positions, planes, plane_rows, plane_image) = (6, 4, 64, 128);
    let (batch, channels) = (BATCH, CHANNELS);
    Reorder { direction, batch, channels, positions, planes, plane_rows, plane_image }.into()
}
