//! The rows of a batch that count.

use super::{Operation, is};
use crate::ops::partial::Rows;
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| vec![Rows { elements: 15, row: 5, planes: 4, plane_in: 64, plane_out: 64 }.into()],
    stored: |kernel: &Kernel| if is::<Rows>(kernel) { vec![vec![F16, F32, F16]] } else { vec![] },
    family: |kernel| is::<Rows>(kernel).then_some("rows that count"),
};
