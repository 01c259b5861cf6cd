//! The loop over epochs and batches. Interruptions do not affect it: the position follows from the number of steps, and the order
//! of samples from the seed and the epoch.

use hesscale::Result;
use hesscale::train::{Dataset, Evaluation, Trainer};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Duration and checkpoints.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) batch: usize,
    pub(crate) epochs: u64,
    /// The maximum number of steps.
    pub(crate) most_steps: Option<u64>,
    pub(crate) checkpoint: Option<PathBuf>,
    /// Steps between checkpoints; without it there is one at the end of each epoch.
    pub(crate) every: Option<u64>,
}

impl Schedule {
    pub(crate) fn steps_per_epoch(&self, train: &Dataset) -> u64 {
        train.len().div_ceil(self.batch) as u64
    }

    /// All steps, including those before an interruption.
    pub(crate) fn steps(&self, train: &Dataset) -> u64 {
        let steps = self.epochs * self.steps_per_epoch(train);
        self.most_steps.map_or(steps, |most| most.min(steps))
    }

    fn save(&self, trainer: &Trainer) -> Result<()> {
        self.checkpoint.as_ref().map_or(Ok(()), |path| trainer.save(path))
    }
}

/// Progress events.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// A step on so many images was submitted.
    Step { images: usize },
    /// An epoch is over: results on the test set, and the time to compute them.
    Epoch { evaluation: Evaluation, took: Duration },
}

/// Trains from the trainer's current step to the end of the schedule.
pub(crate) fn run(
    trainer: &mut Trainer,
    (train, test): (&Dataset, &Dataset),
    schedule: &Schedule,
    mut tell: impl FnMut(Event, &Trainer) -> Result<()>,
) -> Result<()> {
    let (per_epoch, last) = (schedule.steps_per_epoch(train), schedule.steps(train));
    while trainer.steps() < last {
        let (epoch, done) = (trainer.steps() / per_epoch, trainer.steps() % per_epoch);
        let to_do = (last - trainer.steps()).min(per_epoch - done);
        let order = (trainer.seed() << 32) | epoch;
        for batch in train.batches(schedule.batch, order)?.skip(done as usize).take(to_do as usize) {
            trainer.step(batch.inputs(), batch.labels().targets())?;
            tell(Event::Step { images: batch.len() }, trainer)?;
            if schedule.every.is_some_and(|every| trainer.steps().is_multiple_of(every)) {
                schedule.save(trainer)?;
            }
        }
        if schedule.every.is_none() || trainer.steps() == last {
            schedule.save(trainer)?;
        }
        if trainer.steps().is_multiple_of(per_epoch) {
            trainer.wait()?;
            let begin = Instant::now();
            let evaluation = trainer.evaluate(test, schedule.batch)?;
            tell(Event::Epoch { evaluation, took: begin.elapsed() }, trainer)?;
        }
    }
    Ok(())
}
