//! The state of random numbers ([`Noise`](crate::model::Noise)) on a GPU, which dropout and the loss of HesScale-S draw from.

mod kernel;

pub(crate) use kernel::AdvanceNoise;

use crate::graph::{Region, Schedule, Slice};

/// Words of the buffer with seed and step.
pub(crate) const WORDS: usize = 4;

/// Seed and step.
pub(crate) fn slice() -> Slice {
    Slice::new(Region::Noise, 0, WORDS)
}

/// Advances the random numbers, at the end of a backward pass.
pub(crate) fn advance(schedule: &mut Schedule) {
    schedule.push(AdvanceNoise, vec![slice()]);
}
