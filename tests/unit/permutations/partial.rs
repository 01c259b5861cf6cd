//! The rows of a batch that count.

use super::{Operation, is};
use crate::ops::partial::Rows;
use crate::shader::{Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| {
        let (planes, vectors, plane_in, plane_out, mean_of) = (4, 1, 64, 64, Some(3));
        vec![Rows { elements: 15, row: 5, planes, vectors, plane_in, plane_out, mean_of }.into()]
    },
    stored: |kernel: &Kernel| if is::<Rows>(kernel) { vec![vec![F16, F32, F16]] } else { vec![] },
    family: |kernel| is::<Rows>(kernel).then_some("rows that count"),
};
