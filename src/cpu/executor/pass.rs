//! The stages in order, forward and backward.

use super::Executor;
use crate::cpu::stages::Stage;
use crate::model::{Mode, Noise};

impl Executor {
    pub(super) fn forward(
        &mut self,
        parameters: &[f32],
        inputs: &[f32],
        samples: usize,
        mode: Mode,
        noise: Noise,
    ) {
        self.last = (samples, mode);
        self.values[0][..inputs.len()].copy_from_slice(inputs);
        for (op, weights) in self.program.ops.iter().zip(&mut self.weights) {
            let squared = mode.has_diagonal() && self.program.values[op.inputs[0]].wanted;
            weights.prepare(op, &self.model, parameters, squared, &self.threads);
        }
        for stage in 0..self.program.stages.len() {
            match &self.program.stages[stage] {
                Stage::Dense(op) => self.dense_forward(*op, parameters, samples),
                Stage::Run { .. } => self.run_forward(stage, samples, mode, noise),
            }
        }
    }

    pub(super) fn backward(&mut self, parameters: &[f32], samples: usize, mode: Mode, noise: Noise) {
        for stage in (0..self.program.stages.len()).rev() {
            match &self.program.stages[stage] {
                Stage::Dense(op) => self.dense_backward(*op, parameters, samples, mode.components()),
                Stage::Run { .. } => self.run_backward(stage, samples, mode, noise),
            }
        }
    }
}
