//! The data and the training.

use crate::common::backend::Backend;
use crate::common::digits::digits;
use crate::common::method::METHODS;
use crate::network::Network;
use hesscale::train::{Dataset, Trainer, TrainerOptions};
use hesscale::{Model, Optimizer, Result};
use std::time::{Duration, Instant};

pub(crate) const BATCH: usize = 64;
/// Batch size for evaluation.
const EVALUATED: usize = 512;
/// Fraction of the shuffled images held out for testing; the split is the same in every run.
const HELD_OUT: f64 = 0.2;
const SPLIT_SEED: u64 = 0;

/// Settings common to all contenders.
#[derive(Debug)]
pub(crate) struct Experiment {
    pub(crate) backend: Backend,
    pub(crate) network: Network,
    pub(crate) epochs: usize,
    pub(crate) train: Dataset,
    pub(crate) test: Dataset,
    model: Model,
}

/// A network's quality at the end of an epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// On the held-out images, 0 to 1.
    pub(crate) test_accuracy: f64,
    /// Mean over all training images.
    pub(crate) train_loss: f64,
}

/// The results of one contender.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) optimizer: Optimizer,
    /// Steps from each start.
    pub(crate) steps: u64,
    /// A curve for each start, its first point before training.
    curves: Vec<Vec<Point>>,
    /// The mean time of a step in each epoch.
    step_times: Vec<Duration>,
}

impl Outcome {
    fn new(name: &'static str, optimizer: Optimizer) -> Outcome {
        Outcome { name, optimizer, steps: 0, curves: Vec::new(), step_times: Vec::new() }
    }

    /// The median over all epochs, to reduce the effect of other load.
    pub(crate) fn ms_per_step(&self) -> f64 {
        let mut times = self.step_times.clone();
        times.sort_unstable();
        1e3 * times[times.len() / 2].as_secs_f64()
    }

    /// The mean over starts, epoch by epoch.
    pub(crate) fn mean_curve(&self) -> Vec<Point> {
        let mean = |epoch: usize, quantity: fn(&Point) -> f64| {
            self.curves.iter().map(|curve| quantity(&curve[epoch])).sum::<f64>() / self.curves.len() as f64
        };
        let point = |epoch| Point {
            test_accuracy: mean(epoch, |point| point.test_accuracy),
            train_loss: mean(epoch, |point| point.train_loss),
        };
        (0..self.curves[0].len()).map(point).collect()
    }

    /// The mean over starts, trained.
    pub(crate) fn last(&self) -> Point {
        self.mean_curve()[self.curves[0].len() - 1]
    }

    /// The worst and the best start, trained.
    pub(crate) fn test_accuracy_range(&self) -> (f64, f64) {
        let last = || self.curves.iter().filter_map(|curve| Some(curve.last()?.test_accuracy));
        (last().fold(1.0, f64::min), last().fold(0.0, f64::max))
    }
}

impl Experiment {
    pub(crate) fn new(backend: Backend, network: Network, epochs: usize) -> Result<Experiment> {
        let model = (network.model)()?;
        let (train, test) = digits()?.split(HELD_OUT, SPLIT_SEED)?;
        Ok(Experiment { backend, network, epochs, train, test, model })
    }

    /// Trains all contenders from every start, interleaved by epoch so that other load on the machine affects all of them alike.
    /// Reports each contender's epochs to `progress`.
    pub(crate) fn run(&self, starts: u64, mut progress: impl FnMut(usize, Point)) -> Result<Vec<Outcome>> {
        let contenders = METHODS.iter().zip(self.network.rates);
        let mut outcomes: Vec<Outcome> =
            contenders.map(|(method, rate)| Outcome::new(method.name, (method.at)(rate))).collect();
        for start in 0..starts {
            let mut trainers = Vec::new();
            for outcome in &mut outcomes {
                let options = TrainerOptions::default().seed(start);
                let mut trainer = self.backend.trainer(&self.model, outcome.optimizer, options)?;
                self.prepare(&mut trainer)?;
                outcome.curves.push(vec![self.evaluate(&mut trainer)?]);
                trainers.push(trainer);
            }
            for epoch in 0..self.epochs {
                let seed = (start << 32) | epoch as u64;
                let batches: Vec<Dataset> = self.train.batches(BATCH, seed)?.collect();
                for (index, (outcome, trainer)) in outcomes.iter_mut().zip(&mut trainers).enumerate() {
                    outcome.step_times.push(train_epoch(trainer, &batches)? / batches.len() as u32);
                    outcome.steps = trainer.steps();
                    let point = self.evaluate(trainer)?;
                    outcome.curves[start as usize].push(point);
                    progress(index, point);
                }
            }
        }
        Ok(outcomes)
    }

    /// Builds shaders and plans for a whole batch and for the smaller last one, so that no timed step includes that; changes no
    /// parameter.
    fn prepare(&self, trainer: &mut Trainer) -> Result<()> {
        let batches: Vec<Dataset> = self.train.batches(BATCH, 0)?.collect();
        batches.iter().skip(batches.len() - 2).try_for_each(|batch| {
            trainer.gradient(batch.inputs(), batch.labels().targets())?;
            Ok(())
        })
    }

    /// Separate forward passes, so that no training step waits for reading its loss.
    fn evaluate(&self, trainer: &mut Trainer) -> Result<Point> {
        let test_accuracy = trainer.evaluate(&self.test, EVALUATED)?.accuracy;
        let train_loss = trainer.evaluate(&self.train, EVALUATED)?.loss;
        Ok(Point { test_accuracy, train_loss })
    }
}

/// The time of the steps, until the last of them is done.
fn train_epoch(trainer: &mut Trainer, batches: &[Dataset]) -> Result<Duration> {
    let begin = Instant::now();
    for batch in batches {
        trainer.step(batch.inputs(), batch.labels().targets())?;
    }
    trainer.wait()?;
    Ok(begin.elapsed())
}
