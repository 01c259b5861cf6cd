//! Training on the reference path, where no adapter exists.

use crate::model::{Kind, Layer, Mode, Model, Noise, Optimizer, Targets};
use crate::reference::{self, OptimizerState};
use crate::{Error, Result};

/// What [`crate::State`] and [`crate::Plan`] are on a GPU, in plain vectors.
#[derive(Debug)]
pub(super) struct Host {
    pub optimizer: Optimizer,
    pub parameters: Vec<f32>,
    pub gradient: Vec<f32>,
    pub diagonal: Vec<f32>,
    /// Of the last batch.
    pub loss: Option<f32>,
    pub memory: OptimizerState<f32>,
    /// Counts backward passes where there is dropout, as a GPU's does.
    pub noise: Noise,
}

impl Host {
    pub(super) fn new(model: &Model, optimizer: Optimizer, parameters: Vec<f32>, noise: Noise) -> Host {
        let len = model.flat_len();
        Host {
            optimizer,
            parameters,
            gradient: vec![0.0; len],
            diagonal: vec![0.0; len],
            loss: None,
            memory: OptimizerState::new(len),
            noise,
        }
    }

    pub(super) fn gradient(
        &mut self,
        model: &Model,
        mode: Mode,
        inputs: &[f32],
        targets: Targets<'_>,
    ) -> Result<()> {
        let pass = reference::pass_with_noise(model, mode, &self.parameters, inputs, targets, self.noise)?;
        if model.nodes().iter().any(|node| draws(&node.kind)) {
            self.noise.step = self.noise.step.wrapping_add(1);
        }
        self.loss = Some(pass.loss);
        self.gradient = pass.gradient;
        if mode.has_diagonal() {
            self.diagonal = pass.diagonal;
        }
        Ok(())
    }

    pub(super) fn update(&mut self, curvature: bool) -> Result<()> {
        let diagonal: &[f32] = if curvature { &self.diagonal } else { &[] };
        self.memory.step(&self.optimizer, &mut self.parameters, &self.gradient, diagonal)
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
        Ok(())
    }
}

fn draws(kind: &Kind) -> bool {
    matches!(kind, Kind::Layer(Layer::Dropout { p }) if *p > 0.0)
}
