//! The counter of random numbers' steps.

use super::{Operation, is};
use crate::ops::noise::AdvanceNoise;

pub(super) const OPERATION: Operation = Operation {
    all: |_| vec![AdvanceNoise.into()],
    stored: |_| vec![],
    family: |kernel| is::<AdvanceNoise>(kernel).then_some("noise"),
};
