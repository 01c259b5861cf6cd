//! The dense stage, on the whole batch.

use super::{Batch, Executor, Flat};
use crate::Result;
use crate::cpu::program::{Op, Program};
use crate::host::vector::{add_columns, square_parallel};
use crate::host::{HostOp, Threads, total_diagonal};
use crate::memory::{product, zeros};
use crate::model::{Model, Role};
use crate::ops::dense::host::{Dense, FEW};
use std::mem::take;

/// Memory for the diagonal, used by one dense layer at a time. Empty where the mode has no use for it.
#[derive(Debug)]
pub(super) struct DenseScratch {
    input_squares: Vec<f32>,
    weight_squares: Vec<f32>,
    /// `h + Σ u²` at the output.
    diagonal: Vec<f32>,
}

impl DenseScratch {
    pub(super) fn new(program: &Program, batch: usize) -> Result<DenseScratch> {
        let components = program.components;
        // The largest of what the layers need, given a layer's inputs and outputs and whether it propagates a signal.
        let largest = |used: bool, need: &dyn Fn([usize; 2], bool) -> [usize; 2]| {
            let needs = program.ops.iter().map(|op| match op.kind {
                HostOp::Dense(sizes) if used => product(need(sizes, program.values[op.inputs[0]].wanted)),
                _ => Some(0),
            });
            let largest = needs.reduce(|a, b| Some(a?.max(b?))).unwrap_or(Some(0));
            zeros("what a dense layer's diagonal needs", largest)
        };
        let input_squares = largest(components > 1, &|[inputs, _], _| [batch, inputs])?;
        let weight_squares = largest(components > 1 && batch > FEW, &|[inputs, outputs], propagates| {
            if propagates { [inputs, outputs] } else { [0, 0] }
        })?;
        let diagonal = largest(components > 2, &|[_, outputs], _| [batch, outputs])?;
        Ok(DenseScratch { input_squares, weight_squares, diagonal })
    }
}

impl Executor {
    pub(super) fn dense_forward(&mut self, index: usize, parameters: Flat<'_>, samples: usize) {
        let op = &self.program.ops[index];
        let mut output = take(&mut self.values[op.output]);
        if let Some(dense) = dense(op, &self.model, parameters, &self.threads) {
            let input = &self.values[op.inputs[0]][..samples * dense.inputs];
            dense.forward(input, &mut output[..samples * dense.outputs], op.adds_output);
        }
        self.values[op.output] = output;
    }

    pub(super) fn dense_backward(&mut self, index: usize, parameters: Flat<'_>, batch: Batch) {
        let (samples, components) = (batch.samples, batch.mode.components());
        let Executor { model, program, values, signals, slots, dense_scratch, .. } = self;
        let DenseScratch { input_squares, weight_squares, diagonal } = dense_scratch;
        let op = &program.ops[index];
        let Some(dense) = dense(op, model, parameters, &self.threads) else { return };
        let Some(slot) = slots[op.output] else { return };
        let (input, len) = (op.inputs[0], samples * dense.outputs);
        let all = take(&mut signals[slot]);
        let s = &all[..components * len];
        let x = &values[input][..samples * dense.inputs];
        let sums = |s: &[f32], x: &[f32], flat: &mut [f32]| {
            if let Some(weight) = op.parameter(model, Role::Weight) {
                dense.weight_sums(s, x, &mut flat[weight.range()], op.adds_sums[0]);
            }
            if let Some(bias) = op.parameter(model, Role::Bias) {
                let bias = &mut flat[bias.range()];
                if !op.adds_sums[1] {
                    bias.fill(0.0);
                }
                add_columns(bias, s);
            }
        };
        if op.trained {
            sums(&s[..len], x, &mut self.gradient);
        }
        if components > 1 && op.trained {
            let squares = &mut input_squares[..x.len()];
            square_parallel(&self.threads, squares, x);
            let d = if components > 2 {
                total_diagonal(s, components, &mut diagonal[..len]);
                &diagonal[..len]
            } else {
                &s[len..]
            };
            sums(d, squares, &mut self.diagonal);
        }
        if let Some(to) = slots[input].filter(|_| program.passes(input, batch.again)) {
            let to = &mut signals[to][..components * x.len()];
            dense.signal(s, components, to, op.adds[0], weight_squares);
        }
        signals[slot] = all;
    }
}

/// The dense layer of `op`; `None` for other operations.
fn dense<'a>(op: &Op, model: &Model, parameters: Flat<'a>, threads: &'a Threads) -> Option<Dense<'a>> {
    let HostOp::Dense([inputs, outputs]) = op.kind else { return None };
    let part = |role| op.parameter(model, role).map_or(&[][..], |p| parameters.of(p));
    let (weight, bias) = (part(Role::Weight), part(Role::Bias));
    Some(Dense { threads, inputs, outputs, weight, bias })
}
