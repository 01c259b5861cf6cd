//! Estimates from frame times how much work fits into a frame.

use std::time::Duration;

/// The work per frame, in the unit of `Plan::cost`.
#[derive(Debug)]
pub(crate) struct Pace {
    budget: Duration,
    work: f64,
}

impl Pace {
    /// The target is `budget` per frame; the first frame gets `work`.
    pub(crate) fn new(budget: Duration, work: u64) -> Pace {
        Pace { budget, work: work as f64 }
    }

    pub(crate) fn work(&self) -> u64 {
        self.work as u64
    }

    /// A filled frame took `time`: adjusts the next frame's work, limiting sudden increases.
    pub(crate) fn took(&mut self, time: Duration) {
        let room = self.budget.as_secs_f64() / time.as_secs_f64().max(1e-6);
        self.work = (self.work * room.clamp(0.5, 1.25)).max(1.0);
    }
}
