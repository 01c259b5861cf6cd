//! Data, training, tuning, measuring.

use crate::calibration::{Bin, Predictions, Quality};
use crate::common::backend::Backend;
use crate::common::digits::digits;
use crate::posterior::{Head, Seen};
use hesscale::train::{Dataset, Trainer, TrainerOptions};
use hesscale::{Activation, Loss, Mode, Model, Optimizer, Result};

const BATCH: usize = 32;
/// Few images to learn from, and as many to tune by: where networks become too sure.
const LEARNT: usize = 200;
const SPLIT_SEED: u64 = 0;
/// The deviation of noise on pixels of 0 to 1: images that the network has not learnt from.
const NOISE: f32 = 0.4;

/// Bins of the picture.
const BINS: usize = 10;

/// Who predicts.
pub(crate) const METHODS: [&str; 3] = ["the network", "its temperature tuned", "Laplace, last layer"];

#[derive(Debug)]
pub(crate) struct Experiment {
    pub(crate) backend: Backend,
    pub(crate) epochs: u64,
    pub(crate) train: Dataset,
    pub(crate) validation: Dataset,
    pub(crate) test: Dataset,
    noisy: Dataset,
    model: Model,
}

/// Means over the starts.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// For each of [`METHODS`] on the test images, and on those with noise.
    pub(crate) qualities: [[Quality; 2]; METHODS.len()],
    /// The tuned temperature and prior precision of each start.
    pub(crate) tuned: Vec<[f64; 2]>,
    /// Prior precisions, with the loss on the validation images, the test images and those with noise.
    pub(crate) priors: Vec<(f64, [f64; 3])>,
    /// For each of [`METHODS`], of the test images with noise from all starts.
    pub(crate) bins: [Vec<Bin>; METHODS.len()],
}

impl Experiment {
    pub(crate) fn new(backend: Backend, epochs: u64) -> Result<Experiment> {
        let tanh = Activation::Tanh;
        let model = Model::builder([64]).dense(64).act(tanh).dense(64).act(tanh).dense(10);
        let model = model.loss(Loss::cross_entropy())?;
        let all = digits()?;
        let share = |data: &Dataset| LEARNT as f64 / data.len() as f64;
        let (rest, train) = all.split(share(&all), SPLIT_SEED)?;
        let (test, validation) = rest.split(share(&rest), SPLIT_SEED)?;
        let noisy = noisy(&test)?;
        Ok(Experiment { backend, epochs, train, validation, test, noisy, model })
    }

    pub(crate) fn run(&self, starts: u64) -> Result<Outcome> {
        let mut outcome =
            Outcome { priors: grid(-3.0, 3.0).map(|tau| (tau, [0.0; 3])).collect(), ..Outcome::default() };
        let mut all: [Vec<Predictions>; METHODS.len()] = Default::default();
        for start in 0..starts {
            let mut trainer = self.trained(start)?;
            let head = Head::new(&mut trainer, &self.train)?;
            let mut seen = |data| Seen::new(&self.backend, &mut trainer, data);
            let [validation, test, noisy] = [seen(&self.validation)?, seen(&self.test)?, seen(&self.noisy)?];
            for (tau, losses) in &mut outcome.priors {
                for (loss, seen) in losses.iter_mut().zip([&validation, &test, &noisy]) {
                    *loss += head.predictions(seen, *tau).nll() / starts as f64;
                }
            }
            // Both have one number, which the validation images decide.
            let temperature = best(grid(-1.0, 1.0), |t| validation.predictions(t).nll());
            let tau = best(grid(-3.0, 3.0), |tau| head.predictions(&validation, tau).nll());
            outcome.tuned.push([temperature, tau]);
            for (place, seen) in [test, noisy].iter().enumerate() {
                let found =
                    [seen.predictions(1.0), seen.predictions(temperature), head.predictions(seen, tau)];
                for (method, predictions) in found.into_iter().enumerate() {
                    outcome.qualities[method][place].add(predictions.quality(), starts);
                    if place == 1 {
                        all[method].push(predictions);
                    }
                }
            }
        }
        outcome.bins = all.map(|predictions| together(predictions).bins(BINS));
        Ok(outcome)
    }

    /// In HesScale's mode, for the diagonal that is asked for in the end. Adam reads none: steps go by plain backprop but the first
    /// of each thousand.
    fn trained(&self, start: u64) -> Result<Trainer> {
        let options = TrainerOptions::default().seed(start).mode(Mode::HesScale).curvature_every(1000);
        let mut trainer = self.backend.trainer(&self.model, Optimizer::adam(1e-2), options)?;
        for epoch in 0..self.epochs {
            for batch in self.train.batches(BATCH, (start << 32) | epoch)? {
                trainer.step(batch.inputs(), batch.labels().targets())?;
            }
        }
        Ok(trainer)
    }
}

impl Quality {
    fn add(&mut self, other: Quality, starts: u64) {
        self.accuracy += other.accuracy / starts as f64;
        self.nll += other.nll / starts as f64;
        self.ece += other.ece / starts as f64;
    }
}

/// Powers of ten, eight a decade.
fn grid(from: f64, to: f64) -> impl Iterator<Item = f64> {
    let count = (8.0 * (to - from)) as usize;
    (0..=count).map(move |index| 10_f64.powf(from + index as f64 / 8.0))
}

fn best(values: impl Iterator<Item = f64>, loss: impl Fn(f64) -> f64) -> f64 {
    let losses = values.map(|value| (value, loss(value)));
    losses.reduce(|best, next| if next.1 < best.1 { next } else { best }).map_or(1.0, |(value, _)| value)
}

fn together(all: Vec<Predictions>) -> Predictions {
    let (mut probabilities, mut labels) = (Vec::new(), Vec::new());
    for predictions in all {
        probabilities.extend(predictions.probabilities);
        labels.extend(predictions.labels);
    }
    Predictions { probabilities, labels }
}

/// The same images with Gaussian noise.
fn noisy(data: &Dataset) -> Result<Dataset> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut normal =
        || (-2.0 * (1.0 - random.f32()).ln()).sqrt() * (std::f32::consts::TAU * random.f32()).cos();
    let inputs = data.inputs().iter().map(|x| x + NOISE * normal()).collect();
    Dataset::new(inputs, 64, data.labels().clone())
}
