//! The executor: all buffers, made once, and the public interface.

mod batch;
mod dense;
mod options;
mod pass;
mod run;

pub use options::ExecutorOptions;

use super::flat::Flat;
use super::program::Program;
use super::weights::Weights;
use super::worker::Worker;
use crate::host::{HostOp, Threads, total_diagonal};
use crate::memory::{product, zeros};
use crate::model::{Mode, Model, Noise, OutputSignal, Targets, batch_of};
use crate::ops::loss::{HostLoss, HostWeights, LossSignal};
use crate::{At, Error, Result};
use dense::DenseScratch;

/// Forward and backward passes of one model, for batches up to a size.
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
    loss: HostLoss,
    program: Program,
    mode: Option<Mode>,
    threads: Threads,
    /// The largest batch.
    batch: usize,
    /// For each value `[batch, size]`; empty where it is block-local.
    values: Vec<Vec<f32>>,
    /// Buffers of the signals that outlive their stage: components `[batch, size]`, one after the other.
    signals: Vec<Vec<f32>>,
    /// For each value, the buffer of its signal.
    slots: Vec<Option<usize>>,
    weights: Vec<Weights>,
    workers: Vec<Worker>,
    dense_scratch: DenseScratch,
    /// What an operation on the whole batch needs, used by one at a time.
    batch_scratch: Vec<f32>,
    /// Running statistics.
    statistics: Vec<f32>,
    gradient: Vec<f32>,
    diagonal: Vec<f32>,
    last: Batch,
    done: Done,
    /// Whether what is given is looked at.
    checked: bool,
}

/// What has been done with the last batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// All of it.
    Pass,
    /// The forward pass by itself: a backward pass may follow.
    Forward,
    /// A backward pass behind it, and another may follow.
    Backward,
}

/// The arguments of a pass beside parameters and inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    pub samples: usize,
    pub mode: Mode,
    pub noise: Noise,
    /// As [`Flat::again`].
    pub again: bool,
}

impl Executor {
    /// For batches of at most `batch` samples.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a batch of 0; [`Error::Unsupported`] for a mode that the loss has no rule for, and for a loss (in training)
    /// or an activation of the user's own that has no closure;
    /// [`Error::Unknown`] for a signal or an activation at a layer that is not there;
    /// [`Error::Memory`] where there is none for so many samples of this model; what [`Groups::spans`](crate::model::Groups::spans)
    /// refuses.
    pub fn new(model: &Model, batch: usize, options: ExecutorOptions) -> Result<Executor> {
        Error::check_batch(batch)?;
        let ExecutorOptions { mode, signals, activations, threads, groups, checked } = options;
        groups.check(model)?;
        mode.map_or(Ok(()), |mode| model.check_mode(mode))?;
        model.check_on_cpu(mode.is_some())?;
        let threads = threads.unwrap_or_default();
        let components = mode.map_or(0, Mode::components);
        let program = Program::new(model, components, [&signals, &activations], &groups)?;
        let block_local = |value: usize| components == 0 && program.values[value].block_local;
        let value = |v: usize| match block_local(v) {
            true => Ok(Vec::new()),
            false => zeros("a layer's outputs", product([batch, program.values[v].size])),
        };
        let values = (0..program.values.len()).map(value).collect::<Result<_>>()?;
        let (slots, sizes) = if components > 0 { program.signal_buffers() } else { Default::default() };
        let signal = |size| zeros("a signal", product([batch, components, size]));
        let buffers = sizes.into_iter().map(signal).collect::<Result<_>>()?;
        let worker = |_| Worker::new(&program, mode.unwrap_or(Mode::None), batch);
        let workers = (0..threads.count().min(batch)).map(worker).collect::<Result<_>>()?;
        let weights = |op| Weights::new(op, model, components > 1);
        let weights = program.ops.iter().map(weights).collect::<Result<_>>()?;
        let flat = |what, there: bool| zeros(what, Some(if there { model.flat_len() } else { 0 }));
        Ok(Executor {
            model: model.clone(),
            loss: HostLoss::new(model.loss(), model.loss_shape()).along(model.is_tangent()),
            mode,
            threads,
            batch,
            values,
            signals: buffers,
            slots,
            weights,
            workers,
            dense_scratch: DenseScratch::new(&program, batch)?,
            batch_scratch: batch::scratch(&program, batch)?,
            statistics: model.statistics(),
            gradient: flat("gradient", components > 0)?,
            diagonal: flat("diagonal", components > 1)?,
            last: Batch { samples: 0, mode: Mode::None, noise: Noise::default(), again: false },
            done: Done::Pass,
            checked,
            program,
        })
    }

    /// The largest batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The threads it uses.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The network's outputs `[N, outputs]` for `[N, inputs]`, N at most [`Executor::batch`].
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an executor that was made for training; [`Error::Length`], [`Error::ZeroSize`], [`Error::NoRow`];
    /// [`Error::NotFinite`] where the executor checks.
    pub fn predict(&mut self, parameters: &[f32], inputs: &[f32]) -> Result<&[f32]> {
        if self.mode.is_some() {
            return Err(Error::not_planned("inference", "ExecutorOptions::inference"));
        }
        let parameters = parameters.into();
        let samples = self.check(parameters, inputs)?;
        let threads = self.threads.clone();
        threads.enter(self.largest_piece(samples, Mode::None), || {
            let batch = Batch { samples, mode: Mode::None, noise: Noise::default(), again: false };
            self.forward_stages(parameters, inputs, batch);
        });
        Ok(self.logits())
    }

    /// A forward and a backward pass; returns the loss. `mode` is the executor's own, or [`Mode::None`] for plain backprop, which
    /// leaves the diagonal as it was. Dropout and HesScale-S draw from `noise`.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for another mode; [`Error::Length`], [`Error::ZeroSize`], [`Error::NoRow`], and the targets' errors;
    /// [`Error::NotFinite`] where the executor checks.
    pub fn pass(
        &mut self,
        mode: Mode,
        parameters: &[f32],
        inputs: &[f32],
        targets: Targets<'_>,
        noise: Noise,
    ) -> Result<f32> {
        self.weighted_pass(mode, parameters, inputs, targets, None, noise)
    }

    /// The same with a weight for each sample, of any sign, which multiplies its loss and the signal that it begins.
    ///
    /// # Errors
    /// As [`Executor::pass`], and all of [`Model::check_sample_weights`].
    pub fn weighted_pass(
        &mut self,
        mode: Mode,
        parameters: &[f32],
        inputs: &[f32],
        targets: Targets<'_>,
        weights: Option<&[f32]>,
        noise: Noise,
    ) -> Result<f32> {
        self.pass_by(mode, parameters.into(), inputs, targets, weights.into(), noise)
    }

    /// The same with weights that the reduction may be in.
    pub(crate) fn pass_by(
        &mut self,
        mode: Mode,
        parameters: Flat<'_>,
        inputs: &[f32],
        targets: Targets<'_>,
        weights: HostWeights<'_>,
        noise: Noise,
    ) -> Result<f32> {
        self.check_mode(mode)?;
        let samples = self.check(parameters, inputs)?;
        self.model.check_targets(samples, targets)?;
        if let Targets::Values(values) = targets {
            self.check_values("targets", values)?;
        }
        weights.given.map_or(Ok(()), |weights| self.model.check_sample_weights(samples, weights))?;
        let threads = self.threads.clone();
        threads.enter(self.largest_piece(samples, mode), || {
            let batch = Batch { samples, mode, noise, again: parameters.again };
            self.forward_stages(parameters, inputs, batch);
            let loss = self.start(batch, targets, weights);
            self.backward_stages(parameters, batch);
            Ok(loss as f32)
        })
    }

    /// The forward pass of training by itself, for [`Executor::backward`] to follow: the outputs `[N, outputs]`. Dropout draws
    /// from `noise`.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an executor that was made for inference; [`Error::Length`], [`Error::ZeroSize`], [`Error::NoRow`];
    /// [`Error::NotFinite`] where the executor checks.
    pub fn forward(&mut self, parameters: &[f32], inputs: &[f32], noise: Noise) -> Result<&[f32]> {
        let mode = self.mode.ok_or_else(|| Error::not_planned("training", "ExecutorOptions::training"))?;
        let parameters = parameters.into();
        let samples = self.check(parameters, inputs)?;
        let threads = self.threads.clone();
        threads.enter(self.largest_piece(samples, mode), || {
            self.forward_stages(parameters, inputs, Batch { samples, mode, noise, again: false });
        });
        self.done = Done::Forward;
        Ok(self.logits())
    }

    /// The backward pass behind the last forward pass, from a signal at the outputs, whatever the model's loss is: a loss of the
    /// host's own, or what flows back from elsewhere. `parameters` are those of that forward pass, `mode` is as in
    /// [`Executor::pass`].
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for another mode, and unless [`Executor::forward`] was the last forward pass; [`Error::SignalKind`] for a
    /// signal that is not of this mode; [`Error::Length`] for parameters, or for a signal that is not of the last batch;
    /// [`Error::NotFinite`] where the executor checks.
    pub fn backward(&mut self, mode: Mode, parameters: &[f32], signal: OutputSignal<'_>) -> Result<()> {
        self.check_mode(mode)?;
        Error::check_length("parameters", parameters.len(), self.model.flat_len())?;
        self.check_values("parameters", parameters)?;
        if self.done == Done::Pass {
            return Err(Error::not_planned("a backward pass by itself", "Executor::forward, before it"));
        }
        signal.check(mode, self.logits().len())?;
        self.check_values("g at the outputs", signal.g)?;
        self.check_values("h at the outputs", signal.h)?;
        signal.u.iter().try_for_each(|u| self.check_values("u at the outputs", u))?;
        if let Some(slot) = self.slots[self.program.logits] {
            let LossSignal { g, h, u } = at_the_outputs(&mut self.signals[slot], mode, signal.g.len());
            g.copy_from_slice(signal.g);
            h.copy_from_slice(signal.h);
            u.into_iter().zip(signal.u).for_each(|(to, from)| to.copy_from_slice(from));
        }
        let batch = Batch { mode, ..self.last };
        (self.last, self.done) = (batch, Done::Backward);
        let threads = self.threads.clone();
        threads.enter(self.largest_piece(batch.samples, mode), || {
            self.backward_stages(parameters.into(), batch)
        });
        Ok(())
    }

    fn check_mode(&self, mode: Mode) -> Result<()> {
        if self.mode.is_none_or(|own| mode != own && mode != Mode::None) {
            let what = format!("a backward pass in mode {}", mode.name());
            return Err(Error::not_planned(what, "ExecutorOptions::training"));
        }
        Ok(())
    }

    fn start(&mut self, batch: Batch, targets: Targets<'_>, weights: HostWeights<'_>) -> f64 {
        let Batch { samples, mode, noise, .. } = batch;
        let logits = self.program.logits;
        let len = samples * self.program.values[logits].size;
        let signal = self.slots[logits].map(|slot| at_the_outputs(&mut self.signals[slot], mode, len));
        self.loss.run((mode, noise), &self.values[logits][..len], targets, weights, signal)
    }

    /// The running statistics of batch normalisations, flat ([`crate::model::RunningStatistics`]): the model's own at first. An
    /// executor for training moves them at the end of each backward pass; one for inference predicts by them.
    pub fn statistics(&self) -> &[f32] {
        &self.statistics
    }

    /// Sets them, for instance of an executor for inference to those of one for training.
    ///
    /// # Errors
    /// Those of [`Model::check_statistics`].
    pub fn set_statistics(&mut self, flat: &[f32]) -> Result<()> {
        self.model.check_statistics(flat)?;
        self.take_statistics(flat);
        Ok(())
    }

    /// The same with what an executor of this model has come to, which may have diverged.
    pub(crate) fn take_statistics(&mut self, flat: &[f32]) {
        self.statistics.copy_from_slice(flat);
        for op in &mut self.program.ops {
            let running = op.node.and_then(|node| self.model.running_of(node));
            if let (HostOp::Sample(sample_op), Some(running)) = (&mut op.kind, running) {
                sample_op.set_statistics(&flat[running.mean()], &flat[running.var()]);
            }
        }
    }

    /// The outputs of the last pass, `[N, outputs]`.
    pub fn logits(&self) -> &[f32] {
        let logits = self.program.logits;
        &self.values[logits][..self.last.samples * self.program.values[logits].size]
    }

    /// The last pass' gradient in the flat layout ([`crate::model::Parameter::offset`]).
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// The Hessian diagonal of the last pass that had one, in the same layout; empty in [`Mode::None`].
    pub fn diagonal(&self) -> &[f32] {
        &self.diagonal
    }

    /// Gradient and diagonal, to be changed before an update reads them.
    pub fn results_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        (&mut self.gradient, &mut self.diagonal)
    }

    /// The last pass' signal at the output of a layer, or at the network's input: gradient and diagonal (empty in
    /// [`Mode::None`]), each `[N, size]` in the user's order.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] unless asked for with [`ExecutorOptions::signal`], of an executor for inference, and between
    /// [`Executor::forward`] and [`Executor::backward`].
    pub fn signal(&self, at: At) -> Result<(Vec<f32>, Vec<f32>)> {
        let kept = self.program.kept.iter().find(|(kept, _)| *kept == at);
        let Some((value, slot)) = kept.and_then(|(_, value)| Some((*value, (*self.slots.get(*value)?)?)))
        else {
            let ask = match self.mode {
                Some(_) => "ExecutorOptions::signal",
                None => "ExecutorOptions::training",
            };
            return Err(Error::not_planned(format!("the signal at {at:?}"), ask));
        };
        if self.done == Done::Forward {
            return Err(Error::not_planned("a signal behind a forward pass alone", "Executor::backward"));
        }
        let Batch { samples, mode, .. } = self.last;
        let (components, value) = (mode.components(), &self.program.values[value]);
        let all = &self.signals[slot][..components * samples * value.size];
        let gradient = value.as_seen(&all[..samples * value.size]);
        if components == 1 {
            return Ok((gradient, Vec::new()));
        }
        let mut diagonal = vec![0.0; samples * value.size];
        total_diagonal(all, components, &mut diagonal);
        Ok((gradient, value.as_seen(&diagonal)))
    }

    /// The output of a layer, or the network's input, as the last forward pass left it, `[N, size]` in the user's order.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] unless asked for with [`ExecutorOptions::activation`].
    pub fn activation(&self, at: At) -> Result<Vec<f32>> {
        let Some((_, value)) = self.program.shown.iter().find(|(shown, _)| *shown == at) else {
            let what = format!("the activation at {at:?}");
            return Err(Error::not_planned(what, "ExecutorOptions::activation"));
        };
        let (stored, value) = (&self.values[*value], &self.program.values[*value]);
        Ok(value.as_seen(&stored[..self.last.samples * value.size]))
    }

    /// Checks the lengths, and the inputs. Returns the number of samples.
    fn check(&self, parameters: Flat<'_>, inputs: &[f32]) -> Result<usize> {
        Error::check_length("parameters", parameters.len(), self.model.flat_len())?;
        let (width, samples) = (self.model.inputs(), batch_of("input", inputs.len(), self.model.inputs())?);
        if samples > self.batch {
            return Err(Error::length("input", inputs.len(), self.batch * width));
        }
        self.model.check_inputs(inputs)?;
        self.check_values("parameters", parameters.parameters)?;
        self.check_values("direction", parameters.direction)?;
        self.check_values("input", inputs)?;
        Ok(samples)
    }

    fn check_values(&self, tensor: &str, values: &[f32]) -> Result<()> {
        if self.checked { Error::check_finite(tensor, values) } else { Ok(()) }
    }
}

/// The components of a signal of `len` elements, as they are stored: g, the vectors u, h.
fn at_the_outputs(signal: &mut [f32], mode: Mode, len: usize) -> LossSignal<'_> {
    let mut components = signal.chunks_exact_mut(len).take(mode.components());
    let mut next =
        |there: bool| if there { components.next().unwrap_or_default() } else { Default::default() };
    LossSignal {
        g: next(true),
        u: [next(mode.rank() > 0), next(mode.rank() > 1)],
        h: next(mode.has_diagonal()),
    }
}
