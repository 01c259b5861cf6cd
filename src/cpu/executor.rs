//! Buffers, and the walk through the stages, forward and back.

use super::Threads;
use super::dense::{self, Dense, FEW, square_by, whole_diagonal};
use super::local::{Passed, Sums, add_columns, add_to};
use super::network::{Network, Op, OpKind, Stage};
use super::views::Views;
use super::weights::Weights;
use super::worker::{Worker, place};
use crate::model::memory::{product, zeros};
use crate::model::{At, Mode, Model, Noise, Optimizer, Role, Targets};
use crate::{Error, Result, reference};
use std::mem::take;
use std::ops::Range;

/// What an [`Executor`] is for.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ExecutorOptions {
    /// Mode of the backward pass; `None` for inference.
    pub mode: Option<Mode>,
    /// Signals to keep, to be read after the pass: see [`Executor::signal`].
    pub signals: Vec<At>,
    /// What it works with; by default, threads of its own as of [`Threads::default`].
    pub threads: Option<Threads>,
}

impl ExecutorOptions {
    /// Forward and backward passes in `mode`.
    #[must_use]
    pub fn training(mode: Mode) -> ExecutorOptions {
        ExecutorOptions { mode: Some(mode), ..ExecutorOptions::default() }
    }

    /// The same in the mode whose diagonal the optimiser reads: [`Rule::mode`](crate::model::Rule::mode).
    #[must_use]
    pub fn for_optimizer(optimizer: &Optimizer) -> ExecutorOptions {
        ExecutorOptions::training(optimizer.rule.mode())
    }

    /// Forward passes only, as the network predicts: dropout does nothing.
    #[must_use]
    pub fn inference() -> ExecutorOptions {
        ExecutorOptions::default()
    }

    /// Keeps the signal at `at`. With the first of them all buffers of signals are apart, which takes more memory.
    #[must_use]
    pub fn signal(mut self, at: At) -> ExecutorOptions {
        self.signals.push(at);
        self
    }

    /// Works with these threads.
    #[must_use]
    pub fn threads(self, threads: Threads) -> ExecutorOptions {
        ExecutorOptions { threads: Some(threads), ..self }
    }
}

/// Everything for batches of one model up to a size.
///
/// ```
/// use hesscale::cpu::{Executor, ExecutorOptions};
/// use hesscale::model::{Init, Noise, Targets};
/// use hesscale::{Activation, Loss, Mode, Model};
///
/// # fn main() -> hesscale::Result<()> {
/// let model = Model::builder([2]).dense(16).act(Activation::Tanh).dense(2).loss(Loss::cross_entropy())?;
/// let parameters = model.init(Init::Auto, 1)?;
/// let mut executor = Executor::new(&model, 4, ExecutorOptions::training(Mode::HesScale))?;
/// let x = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
/// let loss = executor.pass(Mode::HesScale, &parameters, &x, Targets::Classes(&[0, 1, 1, 0]), Noise::default())?;
/// assert!(loss > 0.0);
/// assert_eq!(executor.diagonal().len(), model.flat_len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Executor {
    model: Model,
    network: Network,
    mode: Option<Mode>,
    kept: Vec<At>,
    threads: Threads,
    /// The largest batch.
    batch: usize,
    /// Of each value, `[batch, size]`; empty for one that lives within a block.
    values: Vec<Vec<f32>>,
    /// The signals that outlive their stage, each in planes `[batch, size]`: a few buffers, used by turns.
    signals: Vec<Vec<f32>>,
    /// Of each value, where its signal is.
    slots: Vec<Option<usize>>,
    weights: Vec<Weights>,
    workers: Vec<Worker>,
    /// Of one dense layer at a time: squares of its input and of its weights, its whole diagonal.
    squares: Vec<f32>,
    weight_squares: Vec<f32>,
    whole: Vec<f32>,
    gradient: Vec<f32>,
    diagonal: Vec<f32>,
    /// Samples of the last pass, and its mode.
    last: (usize, Mode),
}

/// Numbers that a mode's signal has: g, the vectors u, h.
fn planes(mode: Mode) -> usize {
    1 + mode.rank() + usize::from(mode.has_diagonal())
}

impl Executor {
    /// For batches of at most `batch` samples.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a batch of 0; [`Error::Unsupported`] for a mode that the loss has no rule for;
    /// [`Error::Unknown`] for a signal at a layer that is not there;
    /// [`Error::Memory`] where there is none for so many samples of this model.
    pub fn new(model: &Model, batch: usize, options: ExecutorOptions) -> Result<Executor> {
        if batch == 0 {
            return Err(Error::ZeroSize { place: "batch".into(), what: "the number of samples" });
        }
        let ExecutorOptions { mode, signals: kept, threads } = options;
        mode.map_or(Ok(()), |mode| model.check_mode(mode))?;
        let threads = threads.unwrap_or_default();
        let planes = mode.map_or(0, planes);
        let network = Network::new(model, planes, !kept.is_empty())?;
        kept.iter().try_for_each(|at| value_at(&network, *at).map(drop))?;
        let brief_value = |value: usize| planes == 0 && network.values[value].brief;
        let value = |v: usize| match brief_value(v) {
            true => Ok(Vec::new()),
            false => zeros("a layer's outputs", product([batch, network.values[v].size])),
        };
        let values = (0..network.values.len()).map(value).collect::<Result<_>>()?;
        let (slots, sizes) = if planes > 0 { place(&network, !kept.is_empty()) } else { Default::default() };
        let signal = |size| zeros("a signal", product([batch, planes, size]));
        let signals = sizes.into_iter().map(signal).collect::<Result<_>>()?;
        let worker = |_| Worker::new(&network, mode.unwrap_or(Mode::None), batch);
        let workers = (0..threads.count().min(batch)).map(worker).collect::<Result<_>>()?;
        let weights = |op| Weights::new(op, model, planes > 1);
        let weights = network.ops.iter().map(weights).collect::<Result<_>>()?;
        // Room for the largest of what each dense layer needs, given its inputs and outputs and whether it passes a signal on.
        let largest = |there: bool, need: &dyn Fn([usize; 2], bool) -> [usize; 2]| {
            let needs = network.ops.iter().map(|op| match op.kind {
                OpKind::Dense(sizes) if there => product(need(sizes, network.values[op.inputs[0]].wanted)),
                _ => Some(0),
            });
            let largest = needs.reduce(|a, b| Some(a?.max(b?))).unwrap_or(Some(0));
            zeros("what a dense layer's diagonal needs", largest)
        };
        let squares = largest(planes > 1, &|[inputs, _], _| [batch, inputs])?;
        let weight_squares = largest(planes > 1 && batch > FEW, &|[inputs, outputs], passes| {
            if passes { [inputs, outputs] } else { [0, 0] }
        })?;
        let whole = largest(planes > 2, &|[_, outputs], _| [batch, outputs])?;
        let flat = |what, there: bool| zeros(what, Some(if there { model.flat_len() } else { 0 }));
        Ok(Executor {
            model: model.clone(),
            mode,
            kept,
            threads,
            batch,
            values,
            signals,
            slots,
            weights,
            workers,
            squares,
            weight_squares,
            whole,
            gradient: flat("gradient", planes > 0)?,
            diagonal: flat("diagonal", planes > 1)?,
            last: (0, Mode::None),
            network,
        })
    }

    /// The largest batch.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// What it works with.
    #[must_use]
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Floating-point operations of the products of a pass over a whole batch, forward and back; forward alone for inference.
    #[must_use]
    pub fn flops(&self, mode: Mode) -> u64 {
        let each = self.network.ops.iter().map(|op| {
            let (product, vectors) = match &op.kind {
                OpKind::Dense([inputs, outputs]) => (2 * inputs * outputs, 0),
                OpKind::Local(local) if local.rows().is_some() => (local.work(), mode.rank()),
                OpKind::Local(_) => return 0,
            };
            let signal = if self.network.values[op.inputs[0]].wanted { planes(mode) } else { 0 };
            let parameters = 1 + usize::from(mode.has_diagonal()) + vectors;
            product.saturating_mul(1 + if self.mode.is_some() { signal + parameters } else { 0 }) as u64
        });
        each.fold(0, u64::saturating_add).saturating_mul(self.batch as u64)
    }

    /// Operations of the largest piece of work that threads may share out, on `samples`.
    fn largest(&self, samples: usize, mode: Mode) -> usize {
        let each = self.network.stages.iter().map(|stage| match stage {
            Stage::Dense(op) => match self.network.ops[*op].kind {
                OpKind::Dense(sizes) => dense::largest(sizes, planes(mode), samples),
                OpKind::Local(_) => 0,
            },
            Stage::Run { work, .. } => samples.saturating_mul(*work),
        });
        each.max().unwrap_or(0)
    }

    /// The network's outputs `[N, outputs]` for `[N, inputs]`, N at most [`Executor::batch`].
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an executor that was made for training; [`Error::Length`], [`Error::ZeroSize`].
    pub fn predict(&mut self, parameters: &[f32], inputs: &[f32]) -> Result<&[f32]> {
        if self.mode.is_some() {
            let ask = "ExecutorOptions::inference";
            return Err(Error::NotPlanned { what: "inference".into(), ask });
        }
        let samples = self.check(parameters, inputs)?;
        let threads = self.threads.clone();
        threads.enter(self.largest(samples, Mode::None), || {
            self.forward(parameters, inputs, samples, Mode::None, Noise::default())
        });
        Ok(self.logits())
    }

    /// One pass forward and back; the loss. `mode` is the executor's own, or [`Mode::None`] for plain backprop, which
    /// leaves the diagonal as it was. Where there is dropout it draws from `noise`.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for another mode; [`Error::Length`], [`Error::ZeroSize`], and the targets' errors.
    pub fn pass(
        &mut self,
        mode: Mode,
        parameters: &[f32],
        inputs: &[f32],
        targets: Targets<'_>,
        noise: Noise,
    ) -> Result<f32> {
        if self.mode.is_none_or(|own| mode != own && mode != Mode::None) {
            let what = format!("a backward pass in mode {}", mode.name());
            return Err(Error::NotPlanned { what, ask: "ExecutorOptions::training" });
        }
        let samples = self.check(parameters, inputs)?;
        self.model.check_targets(samples, targets)?;
        let threads = self.threads.clone();
        threads.enter(self.largest(samples, mode), || {
            self.forward(parameters, inputs, samples, mode, noise);
            let (loss, start) = reference::loss_and_signal(&self.model, mode, self.logits(), targets)?;
            let logits = self.network.logits;
            if let Some(slot) = self.slots[logits] {
                let diagonal = Some(start.diagonal()).filter(|h| !h.is_empty());
                let from = [&start.g[..]].into_iter().chain(start.u.iter().map(|u| &u[..])).chain(diagonal);
                let plane = samples * self.network.values[logits].size;
                let to = self.signals[slot].chunks_exact_mut(plane);
                to.zip(from).for_each(|(to, from)| to.copy_from_slice(from));
            }
            self.backward(parameters, samples, mode, noise);
            Ok(loss)
        })
    }

    /// The outputs of the last pass, `[N, outputs]`.
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        let logits = self.network.logits;
        &self.values[logits][..self.last.0 * self.network.values[logits].size]
    }

    /// The last pass' gradient in the flat layout ([`crate::model::Parameter::offset`]).
    #[must_use]
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// The Hessian diagonal of the last pass that had one, in the same layout; empty in [`Mode::None`].
    #[must_use]
    pub fn diagonal(&self) -> &[f32] {
        &self.diagonal
    }

    /// The last pass' signal at the output of a layer, or at the network's input: gradient and diagonal (empty in
    /// [`Mode::None`]), each `[N, size]` in the user's order.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] unless asked for with [`ExecutorOptions::signal`].
    pub fn signal(&self, at: At) -> Result<(Vec<f32>, Vec<f32>)> {
        let slot = match self.kept.contains(&at) {
            true => value_at(&self.network, at).ok().and_then(|value| Some((value, self.slots[value]?))),
            false => None,
        };
        let Some((value, slot)) = slot else {
            let what = format!("the signal at {at:?}");
            return Err(Error::NotPlanned { what, ask: "ExecutorOptions::signal" });
        };
        let (samples, mode) = self.last;
        let (planes, value) = (planes(mode), &self.network.values[value]);
        let all = &self.signals[slot][..planes * samples * value.size];
        let user = |lying: &[f32]| match value.image {
            None => lying.to_vec(),
            Some(shape) => {
                let mut user = vec![0.0; lying.len()];
                super::convolution::transpose_each(lying, &mut user, shape);
                user
            }
        };
        let gradient = user(&all[..samples * value.size]);
        if planes == 1 {
            return Ok((gradient, Vec::new()));
        }
        let mut diagonal = vec![0.0; samples * value.size];
        whole_diagonal(all, planes, &mut diagonal);
        Ok((gradient, user(&diagonal)))
    }

    fn check(&self, parameters: &[f32], inputs: &[f32]) -> Result<usize> {
        let length = |tensor: &str, got, needed| Err(Error::Length { tensor: tensor.into(), got, needed });
        if parameters.len() != self.model.flat_len() {
            return length("parameters", parameters.len(), self.model.flat_len());
        }
        if inputs.is_empty() {
            return Err(Error::ZeroSize { place: "batch".into(), what: "the number of samples" });
        }
        let size = self.model.inputs();
        if !inputs.len().is_multiple_of(size) {
            return length("input", inputs.len(), inputs.len().next_multiple_of(size));
        }
        if inputs.len() > self.batch * size {
            return length("input", inputs.len(), self.batch * size);
        }
        Ok(inputs.len() / size)
    }

    fn forward(&mut self, parameters: &[f32], inputs: &[f32], samples: usize, mode: Mode, noise: Noise) {
        self.last = (samples, mode);
        self.values[0][..inputs.len()].copy_from_slice(inputs);
        for (op, weights) in self.network.ops.iter().zip(&mut self.weights) {
            let squared = mode.has_diagonal() && self.network.values[op.inputs[0]].wanted;
            weights.prepare(op, &self.model, parameters, squared, &self.threads);
        }
        for stage in 0..self.network.stages.len() {
            match &self.network.stages[stage] {
                Stage::Dense(op) => self.dense_forward(*op, parameters, samples),
                Stage::Run { .. } => self.run_forward(stage, samples, mode, noise),
            }
        }
    }

    fn backward(&mut self, parameters: &[f32], samples: usize, mode: Mode, noise: Noise) {
        for stage in (0..self.network.stages.len()).rev() {
            match &self.network.stages[stage] {
                Stage::Dense(op) => self.dense_backward(*op, parameters, samples, planes(mode)),
                Stage::Run { .. } => self.run_backward(stage, samples, mode, noise),
            }
        }
    }

    fn dense_forward(&mut self, index: usize, parameters: &[f32], samples: usize) {
        let op = &self.network.ops[index];
        let mut output = take(&mut self.values[op.output]);
        if let Some(dense) = dense(op, &self.model, parameters, &self.threads) {
            let input = &self.values[op.inputs[0]][..samples * dense.inputs];
            dense.forward(input, &mut output[..samples * dense.outputs]);
        }
        self.values[op.output] = output;
    }

    fn dense_backward(&mut self, index: usize, parameters: &[f32], samples: usize, planes: usize) {
        let Executor { model, network, values, signals, slots, squares, weight_squares, whole, .. } = self;
        let op = &network.ops[index];
        let Some(dense) = dense(op, model, parameters, &self.threads) else { return };
        let Some(slot) = slots[op.output] else { return };
        let (input, plane) = (op.inputs[0], samples * dense.outputs);
        let all = take(&mut signals[slot]);
        let s = &all[..planes * plane];
        let x = &values[input][..samples * dense.inputs];
        let sums = |s: &[f32], x: &[f32], flat: &mut [f32]| {
            if let Some(weight) = model.parameter_of(op.node, Role::Weight) {
                dense.weight_sums(s, x, &mut flat[weight.range()]);
            }
            if let Some(bias) = model.parameter_of(op.node, Role::Bias) {
                let bias = &mut flat[bias.range()];
                bias.fill(0.0);
                add_columns(bias, s);
            }
        };
        sums(&s[..plane], x, &mut self.gradient);
        if planes > 1 {
            let squares = &mut squares[..x.len()];
            square_by(&self.threads, squares, x);
            let d = if planes > 2 {
                whole_diagonal(s, planes, &mut whole[..plane]);
                &whole[..plane]
            } else {
                &s[plane..]
            };
            sums(d, squares, &mut self.diagonal);
        }
        if let Some(to) = slots[input] {
            let to = &mut signals[to][..planes * x.len()];
            dense.signal(s, planes, to, op.adds[0], weight_squares);
        }
        signals[slot] = all;
    }

    fn run_forward(&mut self, stage: usize, samples: usize, mode: Mode, noise: Noise) {
        let Executor { network, values, weights, workers, threads, .. } = self;
        let Stage::Run { ops, block, work } = &network.stages[stage] else { return };
        let ranges = threads.ranges(samples, samples.saturating_mul(*work));
        let (network, weights): (&Network, &[Weights]) = (network, weights);
        let span = network.span(ops);
        let first = span.start;
        let spanned = &network.values[span.clone()];
        let buffers = (first..).zip(values[span].iter_mut().map(|buffer| &mut buffer[..]));
        let buffers = buffers.filter(|(_, buffer)| !buffer.is_empty());
        let views = Views::cut(buffers, first, spanned, 1, samples, &ranges);
        let parts = ranges.into_iter().zip(views).zip(workers).collect();
        threads.each(parts, |((range, mut views), worker)| {
            if network.planes == 0 {
                views.add_brief(&mut worker.brief, 1);
            }
            for rows in blocks(range, *block) {
                for index in ops.clone() {
                    let op = &network.ops[index];
                    let OpKind::Local(local) = &op.kind else { continue };
                    let mut output = views.take(op.output);
                    let inputs: Vec<&[f32]> = op.inputs.iter().map(|v| views.read(*v, &rows)).collect();
                    let call = weights[index].call(mode, noise, rows.start);
                    for z in output.planes_mut(1, views.origin(), &rows) {
                        local.forward(&call, &inputs, z, &mut worker.scratch);
                    }
                    views.put(op.output, output);
                }
            }
        });
    }

    fn run_backward(&mut self, stage: usize, samples: usize, mode: Mode, noise: Noise) {
        let planes = planes(mode);
        let Executor { network, values, signals, slots, weights, workers, threads, .. } = self;
        let Stage::Run { ops, block, work } = &network.stages[stage] else { return };
        let ranges = threads.ranges(samples, samples.saturating_mul(*work));
        let parts = ranges.len();
        let (network, weights): (&Network, &[Weights]) = (network, weights);
        let span = network.span(ops);
        let first = span.start;
        let spanned = &network.values[span.clone()];
        let buffers = (first..).zip(values[span].iter_mut().map(|buffer| &mut buffer[..]));
        let views = Views::cut(buffers, first, spanned, 1, samples, &ranges);
        let mut there: Vec<Option<&mut Vec<f32>>> = signals.iter_mut().map(Some).collect();
        let buffers = network.touched(ops).filter_map(|v| Some((v, &mut there[slots[v]?].take()?[..])));
        let signals = Views::cut(buffers, first, spanned, planes, samples, &ranges);
        let work = ranges.into_iter().zip(views).zip(signals).zip(&mut *workers).collect();
        threads.each(work, |(((range, views), mut signals), worker)| {
            let Worker { brief, sums, scratch, branch } = worker;
            signals.add_brief(brief, network.planes);
            sums[ops.clone()].iter_mut().for_each(Sums::clear);
            for rows in blocks(range, *block) {
                for index in ops.clone().rev() {
                    let op = &network.ops[index];
                    let OpKind::Local(local) = &op.kind else { continue };
                    let view = signals.take(op.output);
                    let s = view.planes(planes, signals.origin(), &rows);
                    let (input, output) = (views.read(op.inputs[0], &rows), views.read(op.output, &rows));
                    let call = weights[index].call(mode, noise, rows.start);
                    if let Some(weighted) = local.weighted() {
                        weighted.add(&call, input, &s, &mut sums[index], scratch);
                    }
                    for (value, adds) in op.inputs.iter().zip(&op.adds) {
                        if !network.values[*value].wanted {
                            continue;
                        }
                        let mut to_view = signals.take(*value);
                        let mut to = to_view.planes_mut(planes, signals.origin(), &rows);
                        let passed = Passed { input, output };
                        if *adds {
                            let parts = branch.chunks_exact_mut(rows.len() * network.values[*value].size);
                            let mut parts: Vec<&mut [f32]> = parts.take(planes).collect();
                            local.backward(&call, passed, &s, &mut parts, scratch);
                            to.iter_mut().zip(&parts).for_each(|(to, part)| add_to(to, part));
                        } else {
                            local.backward(&call, passed, &s, &mut to, scratch);
                        }
                        signals.put(*value, to_view);
                    }
                    signals.put(op.output, view);
                }
            }
        });
        let ops = ops.clone();
        self.finish(ops, parts, planes > 1);
    }

    /// The sums of all parts, in their order, where the user finds them.
    fn finish(&mut self, ops: Range<usize>, parts: usize, curved: bool) {
        let Some((first, others)) = self.workers[..parts].split_first_mut() else { return };
        for index in ops {
            let op = &self.network.ops[index];
            let OpKind::Local(local) = &op.kind else { continue };
            let Some(weighted) = local.weighted() else { continue };
            let sums = &mut first.sums[index];
            others.iter().for_each(|other| sums.add(&other.sums[index]));
            let results = [(&sums.gradient, &mut self.gradient), (&sums.diagonal, &mut self.diagonal)];
            for (sums, flat) in results.into_iter().take(1 + usize::from(curved)) {
                if let Some(weight) = self.model.parameter_of(op.node, Role::Weight) {
                    weighted.unpack(&sums[0], &mut flat[weight.range()]);
                }
                if let Some(bias) = self.model.parameter_of(op.node, Role::Bias) {
                    flat[bias.range()].copy_from_slice(&sums[1]);
                }
            }
        }
    }
}

/// The value whose signal stands there.
fn value_at(network: &Network, at: At) -> Result<usize> {
    match at {
        At::Input => Ok(0),
        At::Layer(layer) => network.layers.get(layer).copied().ok_or_else(|| Error::Unknown {
            what: "layer",
            name: layer.to_string(),
            known: format!("0 to {}", network.layers.len().saturating_sub(1)),
        }),
    }
}

/// `range` in blocks of at most `block`.
fn blocks(range: Range<usize>, block: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(block).map(move |start| start..(start + block).min(end))
}

/// The dense layer that `op` is.
fn dense<'a>(op: &Op, model: &Model, parameters: &'a [f32], threads: &'a Threads) -> Option<Dense<'a>> {
    let OpKind::Dense([inputs, outputs]) = op.kind else { return None };
    let part = |role| model.parameter_of(op.node, role).map_or(&[][..], |p| &parameters[p.range()]);
    let (weight, bias) = (part(Role::Weight), part(Role::Bias));
    Some(Dense { threads, inputs, outputs, weight, bias })
}
