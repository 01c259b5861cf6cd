//! A run of operations on single samples, block by block, the batch shared out among threads.

use super::{Batch, Executor};
use crate::cpu::program::Program;
use crate::cpu::stages::Stage;
use crate::cpu::views::Views;
use crate::cpu::weights::Weights;
use crate::cpu::worker::Worker;
use crate::host::vector::add_to;
use crate::host::{Call, HostOp, Sums};
use crate::model::Role;
use std::ops::Range;

impl Executor {
    pub(super) fn run_forward(&mut self, stage: usize, batch: Batch) {
        let samples = batch.samples;
        let Executor { program, values, weights, workers, threads, .. } = self;
        let Stage::Run { ops, block, work } = &program.stages[stage] else { return };
        let ranges = threads.ranges(samples, samples.saturating_mul(*work));
        let (program, weights): (&Program, &[Weights]) = (program, weights);
        let span = program.span(ops);
        let first = span.start;
        let spanned = &program.values[span.clone()];
        let buffers = (first..).zip(values[span].iter_mut().map(|buffer| &mut buffer[..]));
        let buffers = buffers.filter(|(_, buffer)| !buffer.is_empty());
        let views = Views::cut(buffers, first, spanned, 1, samples, &ranges);
        let parts = ranges.into_iter().zip(views).zip(workers).collect();
        threads.each(parts, |((range, mut views), worker)| {
            if program.components == 0 {
                views.add_block_local(&mut worker.block_local, 1);
            }
            for rows in blocks(range, *block) {
                for index in ops.clone() {
                    let op = &program.ops[index];
                    if batch.again && !op.along {
                        continue;
                    }
                    let HostOp::Sample(sample_op) = &op.kind else { continue };
                    let mut output = views.take(op.output);
                    let inputs: Vec<&[f32]> = op.inputs.iter().map(|v| views.value(*v, &rows)).collect();
                    let call = weights[index].call(op, batch, rows.start);
                    for z in output.write(1, views.origin(), &rows) {
                        sample_op.forward(&call, &inputs, z, &mut worker.scratch);
                    }
                    views.put(op.output, output);
                }
            }
        });
    }

    pub(super) fn run_backward(&mut self, stage: usize, batch: Batch) {
        let (samples, components) = (batch.samples, batch.mode.components());
        let Executor { program, values, signals, slots, weights, workers, threads, .. } = self;
        let Stage::Run { ops, block, work } = &program.stages[stage] else { return };
        let ranges = threads.ranges(samples, samples.saturating_mul(*work));
        let parts = ranges.len();
        let (program, weights): (&Program, &[Weights]) = (program, weights);
        let span = program.span(ops);
        let first = span.start;
        let spanned = &program.values[span.clone()];
        let buffers = (first..).zip(values[span].iter_mut().map(|buffer| &mut buffer[..]));
        let views = Views::cut(buffers, first, spanned, 1, samples, &ranges);
        let mut there: Vec<Option<&mut Vec<f32>>> = signals.iter_mut().map(Some).collect();
        let buffers = program.touched(ops).filter_map(|v| Some((v, &mut there[slots[v]?].take()?[..])));
        let signals = Views::cut(buffers, first, spanned, components, samples, &ranges);
        let work = ranges.into_iter().zip(views).zip(signals).zip(&mut *workers).collect();
        threads.each(work, |(((range, views), mut signals), worker)| {
            let Worker { block_local, sums, scratch, branch } = worker;
            signals.add_block_local(block_local, program.components);
            sums[ops.clone()].iter_mut().for_each(Sums::clear);
            for rows in blocks(range, *block) {
                for index in ops.clone().rev() {
                    let op = &program.ops[index];
                    if !program.values[op.output].wanted {
                        continue;
                    }
                    let HostOp::Sample(sample_op) = &op.kind else { continue };
                    let view = signals.take(op.output);
                    let s = view.read(components, signals.origin(), &rows);
                    let (input, output) = (views.value(op.inputs[0], &rows), views.value(op.output, &rows));
                    let mut call = Call { input, output, ..weights[index].call(op, batch, rows.start) };
                    if let Some(weighted) = sample_op.weighted().filter(|_| op.trained) {
                        weighted.add(&call, input, &s, &mut sums[index], scratch);
                        call.summed = true;
                    }
                    for (number, (value, adds)) in op.inputs.iter().zip(&op.adds).enumerate() {
                        if !program.passes(*value, batch.again) || !sample_op.reaches(number) {
                            continue;
                        }
                        let input = views.value(*value, &rows);
                        let other = op.inputs.get(1 - number).map_or(&[][..], |v| views.value(*v, &rows));
                        let call = Call { input, branch: number, other, ..call };
                        let mut to_view = signals.take(*value);
                        let mut to = to_view.write(components, signals.origin(), &rows);
                        if *adds {
                            let parts = branch.chunks_exact_mut(rows.len() * program.values[*value].size);
                            let mut parts: Vec<&mut [f32]> = parts.take(components).collect();
                            sample_op.backward(&call, &s, &mut parts, scratch);
                            to.iter_mut().zip(&parts).for_each(|(to, part)| add_to(to, part));
                        } else {
                            sample_op.backward(&call, &s, &mut to, scratch);
                        }
                        signals.put(*value, to_view);
                    }
                    signals.put(op.output, view);
                }
            }
        });
        let ops = ops.clone();
        self.store_sums(ops, parts, components > 1);
    }

    /// Adds up the threads' sums, in the order of their parts, and stores them in the user's layout.
    pub(super) fn store_sums(&mut self, ops: Range<usize>, parts: usize, curved: bool) {
        let Some((first, others)) = self.workers[..parts].split_first_mut() else { return };
        // Of parameters that several operations use, the last operation's are there first.
        for index in ops.rev() {
            let op = &self.program.ops[index];
            let Some(weighted) = op.kind.weighted().filter(|_| op.trained) else { continue };
            let sums = &mut first.sums[index];
            others.iter().for_each(|other| sums.add(&other.sums[index]));
            let results = [(&sums.gradient, &mut self.gradient), (&sums.diagonal, &mut self.diagonal)];
            for (sums, flat) in results.into_iter().take(1 + usize::from(curved)) {
                if let Some(weight) = op.parameter(&self.model, Role::Weight) {
                    let flat = &mut flat[weight.range()];
                    let there = if op.adds_sums[0] { flat.to_vec() } else { Vec::new() };
                    weighted.unpack(&sums[0], flat);
                    add_to(flat, &there);
                }
                if let Some(bias) = op.parameter(&self.model, Role::Bias) {
                    let flat = &mut flat[bias.range()];
                    match op.adds_sums[1] {
                        true => add_to(flat, &sums[1]),
                        false => flat.copy_from_slice(&sums[1]),
                    }
                }
            }
        }
    }
}

fn blocks(range: Range<usize>, block: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(block).map(move |start| start..(start + block).min(end))
}
