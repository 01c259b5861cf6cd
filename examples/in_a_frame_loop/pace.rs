//! How much work fits into a frame, learnt from how long frames take.

use std::time::Duration;

/// The work that a frame gets, in the unit of `Plan::cost`.
#[derive(Debug)]
pub(crate) struct Pace {
    budget: Duration,
    work: f64,
}

impl Pace {
    /// Frames shall take `budget`; the first one gets `work`.
    pub(crate) fn new(budget: Duration, work: u64) -> Pace {
        Pace { budget, work: work as f64 }
    }

    pub(crate) fn work(&self) -> u64 {
        self.work as u64
    }

    /// A frame with all of its work took `time`: the next gets more or less, but never suddenly much more.
    pub(crate) fn took(&mut self, time: Duration) {
        let room = self.budget.as_secs_f64() / time.as_secs_f64().max(1e-6);
        self.work = (self.work * room.clamp(0.5, 1.25)).max(1.0);
    }
}
