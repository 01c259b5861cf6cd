//! The stage of an operation in which the samples of a batch meet.

use super::{Batch, Executor};
use crate::Result;
use crate::cpu::program::Program;
use crate::host::vector::add_to;
use crate::host::{Call, HostOp};
use crate::memory::{product, zeros};
use std::mem::take;

/// Memory for one of them at a time: as many numbers as its input has; and for its signal, where it is added to another.
pub(super) fn scratch(program: &Program, batch: usize) -> Result<Vec<f32>> {
    let needs = program.ops.iter().map(|op| match op.kind {
        HostOp::Batch(_) => {
            let signal = if op.adds[0] { program.components } else { 0 };
            product([batch, 1 + signal, program.values[op.output].size])
        }
        _ => Some(0),
    });
    let largest = needs.reduce(|a, b| Some(a?.max(b?))).unwrap_or(Some(0));
    zeros("what a normalisation of the batch needs", largest)
}

impl Executor {
    pub(super) fn batch_forward(&mut self, index: usize, batch: Batch) {
        let op = &self.program.ops[index];
        let HostOp::Batch(batch_op) = &op.kind else { return };
        let len = batch.samples * self.program.values[op.output].size;
        let mut output = take(&mut self.values[op.output]);
        let input = &self.values[op.inputs[0]][..len];
        batch_op.forward(&self.weights[index].call(op, batch, 0), input, &mut output[..len]);
        self.values[op.output] = output;
    }

    pub(super) fn batch_backward(&mut self, index: usize, batch: Batch) {
        let components = batch.mode.components();
        let Executor { program, values, signals, slots, weights, workers, batch_scratch, .. } = self;
        let op = &program.ops[index];
        let (HostOp::Batch(batch_op), Some(slot)) = (&op.kind, slots[op.output]) else { return };
        let len = batch.samples * program.values[op.output].size;
        let (x, call) = (&values[op.inputs[0]][..len], weights[index].call(op, batch, 0));
        let call = Call { input: x, ..call };
        let all = take(&mut signals[slot]);
        let s: Vec<&[f32]> = all.chunks_exact(len).take(components).collect();
        let (scratch, branch) = batch_scratch.split_at_mut(len);
        if op.trained {
            let sums = &mut workers[0].sums[index];
            sums.clear();
            batch_op.add(&call, x, &s, sums, scratch);
        }
        if let Some(to) = slots[op.inputs[0]] {
            let to = &mut signals[to][..components * len];
            let target = if op.adds[0] { &mut branch[..components * len] } else { &mut *to };
            let mut parts: Vec<&mut [f32]> = target.chunks_exact_mut(len).collect();
            batch_op.backward(&call, x, &s, &mut parts, scratch);
            if op.adds[0] {
                add_to(to, &branch[..components * len]);
            }
        }
        signals[slot] = all;
        self.store_sums(index..index + 1, 1, components > 1);
    }

    /// Moves running statistics to those of the last batch.
    pub(super) fn follow_batch(&mut self, samples: usize) {
        for op in &self.program.ops {
            let running = op.node.and_then(|node| self.model.running_of(node));
            let (HostOp::Batch(batch_op), Some(running)) = (&op.kind, running) else { continue };
            let x = &self.values[op.inputs[0]][..samples * self.program.values[op.output].size];
            let (before, behind) = self.statistics.split_at_mut(running.var().start);
            batch_op.follow(x, &mut before[running.mean()], &mut behind[..running.channels]);
        }
    }
}
