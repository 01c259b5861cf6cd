//! A network with parameters and one batch.

use crate::common::golden::OwnedTargets;
use crate::common::to_f64;
use hesscale::model::Role;
use hesscale::reference::{PassOutput, pass};
use hesscale::{Activation, Loss, Mode, Model, Result};

#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) model: Model,
    pub(crate) parameters: Vec<f32>,
    pub(crate) x: Vec<f32>,
    pub(crate) targets: OwnedTargets,
}

impl Problem {
    /// Random numbers, the same on every machine.
    pub(crate) fn random(model: Model, batch: usize) -> Problem {
        let mut random = fastrand::Rng::with_seed(1);
        let mut parameters = vec![0.0; model.flat_len()];
        for p in model.parameters() {
            let inputs: usize = p.shape[1..].iter().product();
            let bound = match p.role {
                Role::Weight => 1.5 / (inputs as f32).sqrt(),
                Role::Bias => 0.5,
            };
            parameters[p.range()].fill_with(|| (random.f32() * 2.0 - 1.0) * bound);
        }
        let mut x: Vec<f32> = (0..batch * model.inputs()).map(|_| random.f32() * 2.0 - 1.0).collect();
        // Where they select rows of a table, of one with eight rows or more.
        if model.check_inputs(&x).is_err() {
            x.iter_mut().for_each(|x| *x = (7.0 * x.abs()).floor());
        }
        let (classes, len) = (model.classes() as u32, batch * model.target_len());
        let targets = match model.loss() {
            loss if loss.takes_classes() => {
                OwnedTargets::Classes((0..len).map(|_| random.u32(0..classes)).collect())
            }
            // Rows of an action, its old log-probability and an advantage.
            Loss::PpoDiscrete { .. } => {
                let uniform = -(classes as f32).ln();
                let mut row = || {
                    let action = random.u32(0..classes) as f32;
                    [action, uniform + random.f32() - 0.5, random.f32() * 4.0 - 2.0]
                };
                OwnedTargets::Values((0..batch).flat_map(|_| row()).collect())
            }
            _ => OwnedTargets::Values((0..len).map(|_| random.f32()).collect()),
        };
        Problem { model, parameters, x, targets }
    }

    /// The expected results.
    pub(crate) fn reference(&self, mode: Mode) -> Result<PassOutput<f64>> {
        pass(&self.model, mode, &to_f64(&self.parameters), &to_f64(&self.x), self.targets.view())
    }
}

/// Dense layers of these widths with the activation between them.
pub(crate) fn mlp(widths: &[usize], activation: Activation, loss: impl Into<Loss>) -> Result<Model> {
    let mut builder = Model::builder([widths[0]]).dense(widths[1]);
    for width in &widths[2..] {
        builder = builder.act(activation).dense(*width);
    }
    builder.loss(loss)
}
