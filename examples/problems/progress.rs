//! Training progress on standard error: a bar, or occasional lines if that is not a terminal.

use crate::report::Score;
use crate::training::Event;
use hesscale::Result;
use hesscale::train::Trainer;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Interval between reads of the loss, because reading waits for the GPU.
const LOOK: Duration = Duration::from_millis(500);
const LINE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Progress {
    /// Where there is a terminal.
    bar: Option<ProgressBar>,
    score: Score,
    steps: u64,
    steps_per_epoch: u64,
    images: usize,
    begin: Instant,
    /// Time spent on anything but steps.
    apart: Duration,
    looked: Instant,
    loss: Option<f32>,
    test: Option<String>,
}

impl Progress {
    /// From `done` steps on to `steps`.
    pub(crate) fn new(score: Score, done: u64, steps: u64, steps_per_epoch: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{bar:24} step {pos}/{len}  {msg}  {eta} left";
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            // Steps of an earlier run must not affect the time estimate.
            let bar = ProgressBar::new(steps).with_style(style).with_position(done);
            bar.reset_eta();
            bar
        });
        let now = Instant::now();
        Progress {
            bar,
            score,
            steps,
            steps_per_epoch,
            images: 0,
            begin: now,
            apart: Duration::ZERO,
            looked: now,
            loss: None,
            test: None,
        }
    }

    pub(crate) fn tell(&mut self, event: Event, trainer: &Trainer) -> Result<()> {
        match event {
            Event::Step { images } => {
                self.images += images;
                let pause = if self.bar.is_some() { LOOK } else { LINE };
                if self.looked.elapsed() >= pause {
                    self.loss = Some(trainer.loss()?);
                    self.show(trainer);
                } else if let Some(bar) = &self.bar {
                    bar.set_position(trainer.steps());
                }
            }
            Event::Epoch { evaluation, took } => {
                self.apart += took;
                self.test = Some((self.score.of)(&evaluation));
                self.loss = Some(trainer.loss()?);
                self.show(trainer);
            }
        }
        Ok(())
    }

    fn show(&mut self, trainer: &Trainer) {
        self.looked = Instant::now();
        let done = trainer.steps();
        let mut text = format!("epoch {:.1}", done as f64 / self.steps_per_epoch as f64);
        if let Some(loss) = self.loss {
            text += &format!("  loss {loss:.4}");
        }
        if let Some(test) = &self.test {
            text += &format!("  test {test}");
        }
        text += &format!("  {:.0} images/s", self.images_per_second());
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.set_position(done);
            }
            None => eprintln!("step {done}/{}  {text}", self.steps),
        }
    }

    /// Of this run, so far.
    pub(crate) fn images_per_second(&self) -> f64 {
        let time = self.begin.elapsed().saturating_sub(self.apart);
        self.images as f64 / time.as_secs_f64().max(1e-9)
    }

    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
