//! The stages in order, forward and backward, and how much they compute.

use super::{Batch, Done, Executor, Flat};
use crate::cpu::stages::Stage;
use crate::host::HostOp;
use crate::model::Mode;
use crate::ops::dense::host::largest_product;

impl Executor {
    pub(super) fn forward_stages(&mut self, parameters: Flat<'_>, inputs: &[f32], batch: Batch) {
        (self.last, self.done) = (batch, Done::Pass);
        self.values[0][..inputs.len()].copy_from_slice(inputs);
        for (op, weights) in self.program.ops.iter().zip(&mut self.weights) {
            let through = op.kind.weighted().is_some_and(|weighted| weighted.feeds_back());
            let through = through || self.program.values[op.inputs[0]].wanted;
            let squared = batch.mode.has_diagonal() && through;
            weights.prepare(op, &self.model, parameters, squared, &self.threads);
        }
        for stage in 0..self.program.stages.len() {
            if batch.again && self.program.ops[self.program.stages[stage].ops()].iter().all(|op| !op.along) {
                continue;
            }
            match &self.program.stages[stage] {
                Stage::Dense(op) => self.dense_forward(*op, parameters, batch.samples),
                Stage::Batch(op) => self.batch_forward(*op, batch),
                Stage::Run { .. } => self.run_forward(stage, batch),
            }
        }
    }

    pub(super) fn backward_stages(&mut self, parameters: Flat<'_>, batch: Batch) {
        for stage in (0..self.program.stages.len()).rev() {
            match &self.program.stages[stage] {
                Stage::Dense(op) => self.dense_backward(*op, parameters, batch),
                Stage::Batch(op) => self.batch_backward(*op, batch),
                Stage::Run { .. } => self.run_backward(stage, batch),
            }
        }
        self.follow_batch(batch.samples);
    }

    /// Floating-point operations of the matrix products of a pass over a whole batch; for inference of the forward pass alone.
    pub fn flops(&self, mode: Mode) -> u64 {
        self.flops_of(mode, false)
    }

    /// The same; `again` as [`Flat::again`].
    pub(in crate::cpu) fn flops_of(&self, mode: Mode, again: bool) -> u64 {
        let each = self.program.ops.iter().map(|op| {
            let (product, vectors) = match &op.kind {
                HostOp::Dense([inputs, outputs]) => (2 * inputs * outputs, 0),
                HostOp::Sample(sample_op) if sample_op.rows().is_some() => (sample_op.work(), mode.rank()),
                HostOp::Sample(_) | HostOp::Batch(_) => return 0,
            };
            let through = self.program.passes(op.inputs[0], again) && self.program.values[op.output].wanted;
            let signal = if through { mode.components() } else { 0 };
            let forward = usize::from(op.along || !again);
            let parameters = if op.trained { 1 + usize::from(mode.has_diagonal()) + vectors } else { 0 };
            product.saturating_mul(forward + if self.mode.is_some() { signal + parameters } else { 0 }) as u64
        });
        each.fold(0, u64::saturating_add).saturating_mul(self.batch as u64)
    }

    /// Floating-point operations of the largest piece of work that threads may share out, on `samples`.
    pub(super) fn largest_piece(&self, samples: usize, mode: Mode) -> usize {
        let each = self.program.stages.iter().map(|stage| match stage {
            Stage::Dense(op) => match self.program.ops[*op].kind {
                HostOp::Dense(sizes) => largest_product(sizes, mode.components(), samples),
                HostOp::Sample(_) | HostOp::Batch(_) => 0,
            },
            Stage::Batch(_) => 0,
            Stage::Run { work, .. } => samples.saturating_mul(*work),
        });
        each.max().unwrap_or(0)
    }
}
