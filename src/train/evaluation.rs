//! Prediction and evaluation.

use super::engine::Wait;
use super::{Dataset, Trainer};
use crate::model::{Mode, Noise, batch_of};
use crate::ops::loss::{HostLoss, HostWeights};
use crate::{Error, Result};

/// How good a network is on a data set.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The model's loss over all samples.
    pub loss: f64,
    /// Fraction of labels that have the largest of their logits, ignored ones left out; 0 where labels are numbers:
    /// [`Dataset::accuracy`].
    pub accuracy: f64,
}

impl Trainer {
    /// The network's outputs `[N, outputs]` for `[N, inputs]`, NaN where a sample's or a parameter's NaN leads to it. Waits for
    /// the GPU.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::ZeroSize`], [`Error::NoRow`]; [`Error::Device`].
    pub fn predict(&mut self, inputs: &[f32]) -> Result<Vec<f32>> {
        pollster::block_on(self.predict_by(inputs, Wait::Block))
    }

    /// As [`Trainer::predict`], awaited instead of waited for.
    ///
    /// # Errors
    /// As [`Trainer::predict`].
    pub async fn predict_async(&mut self, inputs: &[f32]) -> Result<Vec<f32>> {
        self.predict_by(inputs, Wait::Yield).await
    }

    async fn predict_by(&mut self, inputs: &[f32], wait: Wait) -> Result<Vec<f32>> {
        let samples = batch_of("input", inputs.len(), self.model.inputs())?;
        self.model.check_inputs(inputs)?;
        // Any number of samples through plans of at most this size.
        self.engine.predict(inputs, samples.min(1024), wait).await
    }

    /// The loss over all samples of a data set, each with its weight where it has one, and the fraction of labels that is right, in
    /// which they all count alike; `batch` samples at a time. Waits for the GPU.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a batch of 0; [`Error::Length`], [`Error::NoRow`] and the targets' errors; [`Error::Diverged`] if the loss is NaN or
    /// infinite; [`Error::Unsupported`] for a loss of the user's own without a closure, for it is computed on the CPU;
    /// [`Error::Device`].
    pub fn evaluate(&mut self, data: &Dataset, batch: usize) -> Result<Evaluation> {
        pollster::block_on(self.evaluate_by(data, batch, Wait::Block))
    }

    /// As [`Trainer::evaluate`], awaited instead of waited for.
    ///
    /// # Errors
    /// As [`Trainer::evaluate`].
    pub async fn evaluate_async(&mut self, data: &Dataset, batch: usize) -> Result<Evaluation> {
        self.evaluate_by(data, batch, Wait::Yield).await
    }

    async fn evaluate_by(&mut self, data: &Dataset, batch: usize, wait: Wait) -> Result<Evaluation> {
        Error::check_batch(batch)?;
        self.model.loss().check_on_cpu()?;
        let samples = batch_of("input", data.inputs().len(), self.model.inputs())?;
        self.model.check_inputs(data.inputs())?;
        self.model.check_targets(samples, data.labels().targets())?;
        let logits = self.engine.predict(data.inputs(), batch.min(samples), wait).await?;
        let accuracy = data.accuracy(&logits, self.model.loss().ignored())?;
        let mut host = HostLoss::new(self.model.loss(), self.model.output_shape());
        let weights = HostWeights::from(data.weights());
        let loss = host.run((Mode::None, Noise::default()), &logits, data.labels().targets(), weights, None);
        match loss.is_finite() {
            true => Ok(Evaluation { loss, accuracy }),
            false => Err(Error::Diverged { what: "the loss over the data set", step: None }),
        }
    }
}
