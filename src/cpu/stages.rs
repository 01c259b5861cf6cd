//! How the operations are grouped: a dense layer is a stage of its own, on the whole batch, and so is what normalises by the batch.
//! All other operations treat each sample by itself and form runs: a block of samples goes through the whole run at once, so that each
//! operation finds its input in cache.

use super::program::Program;
use crate::host::HostOp;
use std::ops::Range;

#[derive(Debug)]
pub(super) enum Stage {
    Dense(usize),
    /// An operation in which samples meet.
    Batch(usize),
    Run {
        ops: Range<usize>,
        block: usize,
        /// Approximate floating-point operations of the forward pass on one sample.
        work: usize,
    },
}

impl Stage {
    pub(super) fn ops(&self) -> Range<usize> {
        match self {
            Stage::Dense(op) | Stage::Batch(op) => *op..op + 1,
            Stage::Run { ops, .. } => ops.clone(),
        }
    }
}

/// Elements that a block of samples should not exceed, so that it stays in cache.
const BLOCK: usize = 1 << 17;
/// Fewest rows of a product, so that the weight is not read too often.
const LEAST_ROWS: usize = 256;

impl Program {
    /// The values that `ops` read or write; some are repeated.
    pub(super) fn touched(&self, ops: &Range<usize>) -> impl Iterator<Item = usize> {
        self.ops[ops.clone()].iter().flat_map(|op| op.inputs.iter().copied().chain([op.output]))
    }

    /// The range from the first to the last of them.
    pub(super) fn span(&self, ops: &Range<usize>) -> Range<usize> {
        let first = self.touched(ops).min().unwrap_or(0);
        first..self.touched(ops).max().map_or(first, |last| last + 1)
    }

    /// Cuts the operations into stages. A run ends before a dense layer and, for training, before a convolution, because each
    /// convolution needs its own block size.
    pub(super) fn cut_stages(&mut self) {
        let mut start = 0;
        let mut stages = Vec::new();
        let close = |start: &mut usize, end: usize, stages: &mut Vec<Stage>| {
            if *start < end {
                stages.push(self.run(*start..end));
            }
            *start = end;
        };
        for (index, op) in self.ops.iter().enumerate() {
            match &op.kind {
                HostOp::Dense(_) => {
                    close(&mut start, index, &mut stages);
                    stages.push(Stage::Dense(index));
                    start = index + 1;
                }
                HostOp::Batch(_) => {
                    close(&mut start, index, &mut stages);
                    stages.push(Stage::Batch(index));
                    start = index + 1;
                }
                HostOp::Sample(sample_op) if self.components > 0 && sample_op.rows().is_some() => {
                    close(&mut start, index, &mut stages);
                }
                HostOp::Sample(_) => {}
            }
        }
        close(&mut start, self.ops.len(), &mut stages);
        self.stages = stages;
    }

    fn run(&self, ops: Range<usize>) -> Stage {
        let (mut elements, mut least, mut work) = (0, 1, 0);
        for op in &self.ops[ops.clone()] {
            elements += self.values[op.output].size * (1 + self.components);
            if let HostOp::Sample(sample_op) = &op.kind {
                work = sample_op.work().saturating_add(work);
                least = sample_op.rows().map_or(least, |rows| least.max(LEAST_ROWS.div_ceil(rows)));
            }
        }
        Stage::Run { ops, block: (BLOCK / elements.max(1)).max(least), work }
    }

    /// Marks the signals (for inference, the values) that are read, only in the run that writes them, and that are not kept.
    pub(super) fn mark_block_local(&mut self) {
        let mut writers = vec![None; self.values.len()];
        let mut read = vec![false; self.values.len()];
        let mut together = vec![true; self.values.len()];
        for (index, stage) in self.stages.iter().enumerate() {
            for op in &self.ops[stage.ops()] {
                for value in &op.inputs {
                    read[*value] = true;
                    together[*value] &= writers[*value] == Some(index);
                }
                let another = op.adds_output && writers[op.output] != Some(index);
                writers[op.output] = (matches!(stage, Stage::Run { .. }) && !another).then_some(index);
            }
        }
        for (index, value) in self.values.iter_mut().enumerate() {
            let within = writers[index].is_some() && read[index] && together[index];
            value.block_local = within && !value.kept && index != self.logits;
        }
    }
}
