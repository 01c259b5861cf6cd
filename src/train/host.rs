//! Training on the CPU.

use crate::cpu::{self, Executor, ExecutorOptions, Threads};
use crate::model::{Kind, Layer, Mode, Model, Noise, Optimizer, OptimizerState, Targets};
use crate::{Error, Result};

/// What [`crate::State`] and [`crate::Plan`] are on a GPU, in plain vectors.
#[derive(Debug)]
pub(super) struct Host {
    pub optimizer: Optimizer,
    pub parameters: Vec<f32>,
    /// Of the last batch.
    pub loss: Option<f32>,
    /// The error of the first update that produced a non-finite value.
    pub diverged: Option<Error>,
    pub memory: OptimizerState<f32>,
    /// Counts backward passes where there is dropout, as a GPU's does.
    pub noise: Noise,
    pub threads: Threads,
    /// For the largest batch so far.
    training: Option<Executor>,
    inference: Option<Executor>,
}

impl Host {
    pub(super) fn new(
        model: &Model,
        optimizer: Optimizer,
        parameters: Vec<f32>,
        noise: Noise,
        threads: Threads,
    ) -> Result<Host> {
        let memory = OptimizerState::zeroed(model.flat_len())?;
        let (training, inference) = (None, None);
        let (loss, diverged) = (None, None);
        Ok(Host { optimizer, parameters, loss, diverged, memory, noise, threads, training, inference })
    }

    /// Gradient and, where `curvature`, the diagonal of `own`, the trainer's mode. `batch` samples.
    pub(super) fn gradient(
        &mut self,
        model: &Model,
        own: Mode,
        curvature: bool,
        batch: usize,
        inputs: &[f32],
        targets: Targets<'_>,
    ) -> Result<()> {
        let options = ExecutorOptions::training(own).threads(self.threads.clone());
        let executor = with_room(&mut self.training, model, batch, options)?;
        let mode = if curvature { own } else { Mode::None };
        let loss = executor.pass(mode, &self.parameters, inputs, targets, self.noise)?;
        self.loss = Some(loss);
        if model.nodes().iter().any(|node| draws(&node.kind)) {
            self.noise.step = self.noise.step.wrapping_add(1);
        }
        Ok(())
    }

    /// Gradient and diagonal of the last [`Host::gradient`].
    pub(super) fn results(&self) -> (Vec<f32>, Vec<f32>) {
        let executor = self.training.as_ref();
        executor.map_or_else(Default::default, |e| (e.gradient().to_vec(), e.diagonal().to_vec()))
    }

    /// The optimiser's step from the results of the last [`Host::gradient`].
    pub(super) fn update(&mut self, curvature: bool) -> Result<()> {
        let Some(executor) = &self.training else { return Ok(()) };
        let diagonal = if curvature { executor.diagonal() } else { &[] };
        let (memory, parameters) = (&mut self.memory, &mut self.parameters);
        let (threads, optimizer) = (&self.threads, &self.optimizer);
        match cpu::update(threads, optimizer, memory, parameters, executor.gradient(), diagonal) {
            // Reported with the loss, as on a GPU.
            Err(told @ Error::Diverged { .. }) => {
                self.diverged.get_or_insert(told);
                Ok(())
            }
            other => other,
        }
    }

    /// The outputs for `batch` samples.
    pub(super) fn predict(&mut self, model: &Model, batch: usize, inputs: &[f32]) -> Result<&[f32]> {
        let options = ExecutorOptions::inference().threads(self.threads.clone());
        with_room(&mut self.inference, model, batch, options)?.predict(&self.parameters, inputs)
    }

    pub(super) fn set_learning_rate(&mut self, learning_rate: f32) -> Result<()> {
        let changed = Optimizer { learning_rate, ..self.optimizer };
        changed.validate()?;
        self.optimizer = changed;
        Ok(())
    }

    pub(super) fn set_parameters(&mut self, flat: &[f32]) -> Result<()> {
        let needed = self.parameters.len();
        if flat.len() != needed {
            return Err(Error::Length { tensor: "parameters".into(), got: flat.len(), needed });
        }
        self.parameters.copy_from_slice(flat);
        self.diverged = None;
        Ok(())
    }
}

/// The executor, if it has room for `batch` samples, else a new one in its place.
fn with_room<'a>(
    kept: &'a mut Option<Executor>,
    model: &Model,
    batch: usize,
    options: ExecutorOptions,
) -> Result<&'a mut Executor> {
    let executor = match kept.take() {
        Some(executor) if executor.batch() >= batch => executor,
        _ => Executor::new(model, batch, options)?,
    };
    Ok(kept.insert(executor))
}

fn draws(kind: &Kind) -> bool {
    matches!(kind, Kind::Layer(Layer::Dropout { p }) if *p > 0.0)
}
