//! Training, pruning, measuring.

use crate::common::backend::Backend;
use crate::common::digits::digits;
use crate::criterion::Criterion;
use hesscale::model::{Parameter, Role};
use hesscale::train::{Dataset, Trainer, TrainerOptions};
use hesscale::{Activation, Loss, Model, Optimizer, Result};

const BATCH: usize = 64;
const EVALUATED: usize = 512;
/// Fraction of the shuffled images held out for testing; the split is the same in every run.
const HELD_OUT: f64 = 0.2;
const SPLIT_SEED: u64 = 0;

/// Shares of the weights that go, in percent.
pub(crate) const SPARSITIES: [u32; 8] = [0, 30, 50, 60, 70, 80, 90, 95];

/// What goes at a time, in percent.
const STRIDE: u32 = 5;

/// A pruned network's quality.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Point {
    /// On the held-out images, 0 to 1.
    pub(crate) test_accuracy: f64,
    /// Mean over all training images.
    pub(crate) train_loss: f64,
}

/// Means over the starts, for each of [`SPARSITIES`].
type Points = [Point; SPARSITIES.len()];

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) criterion: Criterion,
    /// By the saliencies of the whole network.
    pub(crate) at_once: Points,
    /// [`STRIDE`] by [`STRIDE`], with the saliencies of what is left each time.
    pub(crate) gradual: Points,
}

#[derive(Debug)]
pub(crate) struct Experiment {
    pub(crate) backend: Backend,
    pub(crate) epochs: u64,
    pub(crate) train: Dataset,
    pub(crate) test: Dataset,
    pub(crate) model: Model,
}

impl Experiment {
    pub(crate) fn new(backend: Backend, epochs: u64) -> Result<Experiment> {
        let tanh = Activation::Tanh;
        let model = Model::builder([64]).dense(64).act(tanh).dense(64).act(tanh).dense(10);
        let model = model.loss(Loss::cross_entropy())?;
        let (train, test) = digits()?.split(HELD_OUT, SPLIT_SEED)?;
        Ok(Experiment { backend, epochs, train, test, model })
    }

    /// Trains from each start, and prunes by all criteria what came of it.
    pub(crate) fn run(&self, starts: u64) -> Result<Vec<Outcome>> {
        let (at_once, gradual) = Default::default();
        let mut outcomes = Criterion::ALL.map(|criterion| Outcome { criterion, at_once, gradual });
        for start in 0..starts {
            let mut trainer = self.trained(start)?;
            let whole = trainer.parameters()?;
            for Outcome { criterion, at_once, gradual } in &mut outcomes {
                let saliency =
                    |left: &[f32]| criterion.saliency(&self.backend, &self.model, left, &self.train);
                let first = saliency(&whole)?;
                let (mut left, mut gone) = (whole.clone(), 0);
                for (index, percent) in SPARSITIES.into_iter().enumerate() {
                    while gone < percent {
                        gone += STRIDE;
                        left = pruned(&self.model, &left, &saliency(&left)?, gone);
                    }
                    let at_once = &mut at_once[index];
                    self.add(at_once, &mut trainer, &pruned(&self.model, &whole, &first, percent), starts)?;
                    self.add(&mut gradual[index], &mut trainer, &left, starts)?;
                }
            }
        }
        Ok(outcomes.into())
    }

    /// Adds the quality of these parameters to a mean over `starts`.
    fn add(&self, mean: &mut Point, trainer: &mut Trainer, parameters: &[f32], starts: u64) -> Result<()> {
        trainer.set_parameters(parameters)?;
        mean.test_accuracy += trainer.evaluate(&self.test, EVALUATED)?.accuracy / starts as f64;
        mean.train_loss += trainer.evaluate(&self.train, EVALUATED)?.loss / starts as f64;
        Ok(())
    }

    fn trained(&self, start: u64) -> Result<Trainer> {
        let options = TrainerOptions::default().seed(start);
        let mut trainer = self.backend.trainer(&self.model, Optimizer::adam(1e-3), options)?;
        for epoch in 0..self.epochs {
            for batch in self.train.batches(BATCH, (start << 32) | epoch)? {
                trainer.step(batch.inputs(), batch.labels().targets())?;
            }
        }
        Ok(trainer)
    }
}

/// The parameters without the given share of the weights of all layers: those with the least saliency. Biases stay.
pub(crate) fn pruned(model: &Model, parameters: &[f32], saliency: &[f32], percent: u32) -> Vec<f32> {
    let weights = model.parameters().iter().filter(|parameter| parameter.role == Role::Weight);
    let mut indices: Vec<usize> = weights.flat_map(Parameter::range).collect();
    indices.sort_unstable_by(|a, b| saliency[*a].total_cmp(&saliency[*b]).then(a.cmp(b)));
    let mut left = parameters.to_vec();
    indices[..indices.len() * percent as usize / 100].iter().for_each(|index| left[*index] = 0.0);
    left
}
