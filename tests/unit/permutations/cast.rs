//! Signals that were stored elsewhere or in f16, shown in f32.

use super::{Operation, is, only_f32};
use crate::ops::cast::Cast;
use crate::shader::{Dtype, Dtypes, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| {
        let cast = Cast { elements: 24, planes: 2, plane_in: 128, plane_out: 64, scale: 0.25 };
        // What is read was stored in f16, or in f32 where a sum passed it on.
        vec![cast.into(), Kernel::from(cast).storing(Dtypes::of([Dtype::F16].into_iter()))]
    },
    stored: only_f32,
    family: |kernel| is::<Cast>(kernel).then_some("cast"),
};
