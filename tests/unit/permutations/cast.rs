//! Signals that were stored in f16, shown in f32.

use super::{Operation, is, only_f32};
use crate::ops::cast::Cast;
use crate::shader::{Dtype, Dtypes, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| {
        let cast = Cast { elements: 24, planes: 2, plane_in: 128, plane_out: 64, scale: 0.25 };
        // There is no other way to store what it reads.
        vec![Kernel::from(cast).storing(Dtypes::of([Dtype::F16].into_iter()))]
    },
    stored: only_f32,
    family: |kernel| is::<Cast>(kernel).then_some("cast"),
};
