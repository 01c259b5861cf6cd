//! The options of a plan.

use super::State;
use crate::gpu::{BufferRange, Context};
use crate::model::{At, Model, Optimizer};
use crate::ops::loss;
use crate::shader::Dtype;
use crate::{Error, Mode, Result};

/// How often the loss of one sample counts at most while signals are stored in f16. They begin below 1 then with most losses,
/// lose bits where they are smaller than 2^-14, and have as much room above them for weights that enlarge them.
const MOST: f64 = 64.0;

/// What a plan computes, and on whose buffers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct PlanOptions {
    /// Mode of the backward pass.
    pub mode: Mode,
    /// `false`: only the forward pass; mode, targets and the rest do not matter then, and no signals are kept.
    pub training: bool,
    /// Whether a backward pass can also be recorded that adds to the gradient and diagonal instead of replacing them.
    pub accumulation: bool,
    /// Whether steps without curvature can also be recorded (a plain backward pass, the optimiser's second moment resting).
    pub lazy_curvature: bool,
    /// Whether a recorded step may update parameters where their gradient is summed, without storing gradient and diagonal:
    /// those of the [`crate::State`] then hold what the last [`crate::Plan::record_gradient`] left, or nothing of meaning.
    pub fused_update: bool,
    /// Multiplies gradient and diagonal of the parameters: 1/k where k micro-batches of a mean loss are accumulated.
    pub scale: f32,
    /// Signals to keep, to be read or bound after the pass.
    pub signals: Vec<At>,
    /// Activations to be read or bound after the forward pass, in inference plans too.
    pub activations: Vec<At>,
    /// Whether a step may have fewer samples than the plan's batch: [`Plan::write_count`](crate::Plan::write_count) says how many.
    /// The rows behind them count nothing, whatever is in the buffers: their inputs are read as zeros, loss and signal are 0, and a mean divides
    /// by the count, a weighted mean by the weights of those that count. All kernels still run on the whole batch. In inference plans it does nothing.
    pub partial: bool,
    /// Whether one kernel takes a small network of dense layers as a whole, instead of one a layer and direction. `None`: where
    /// it applies, and pays on this class of device. `Some(true)`: or else [`Plan::new`](crate::Plan::new) says why not.
    pub whole_network: Option<bool>,
    /// Whether dispatches are saved where two kernels can be one, of `f32` and without matrix units: a layer's signal beside its
    /// gradient and diagonal, or beside another layer's update, each in workgroups of its own; the loss in the last layer's
    /// dispatch, and its sum over few samples in the loss's. Results have the same bits. `None`: on GPUs, products where one by
    /// itself is too small to keep one busy; on software the sum over a single row. `Some(true)`: wherever it can be done.
    pub fewer_dispatches: Option<bool>,
    /// What activations and signals are stored as between kernels. [`Dtype::F16`] takes half the memory and half its traffic; its
    /// error is in `docs/performance.md`. Arithmetic, sums, parameters, their gradient and diagonal, inputs, logits, losses and
    /// the signals that were asked for are `f32` in any case. The device must have the features that
    /// [`PlanOptions::required_features`] says.
    pub storage: Dtype,
    /// What signals are multiplied by while they are stored in [`Dtype::F16`]: a power of four, since curvature flows as √ too.
    /// It is taken off exactly where gradient and diagonal are written. `None`: the largest with which the loss of one
    /// sample counts no more than 64 times, for what a mean divides by is most of what makes signals small. The host's
    /// own signal counts as that of a sum.
    pub loss_scale: Option<f32>,
    /// The host's buffer, or a range of one, for the input: `batch × inputs` numbers (`f32`), usage STORAGE. Input, targets and
    /// signal may share a buffer in ranges that do not meet; they have no role in the state.
    pub input: Option<BufferRange>,
    /// The same for the targets: `batch` class indices (`u32`) or `batch × K` numbers. A class index out of range counts as an
    /// ignored sample.
    pub targets: Option<BufferRange>,
    /// The same for the signal at the outputs of a model with [`Loss::External`](crate::Loss::External): as many planes, and as
    /// they lie in [`OutsideSignal`](crate::OutsideSignal).
    pub outside_signal: Option<BufferRange>,
    /// Whether each sample has a weight of any sign, 1 until [`Plan::write_sample_weights`](crate::Plan::write_sample_weights) says
    /// otherwise. It multiplies the sample's loss and the signal that begins there.
    pub sample_weights: bool,
    /// The same for these weights: `batch` numbers (`f32`).
    pub sample_weights_in: Option<BufferRange>,
    /// The batch is a part of a whole, and its weights are the samples' shares of the whole loss: its reduction is in them already.
    pub(crate) part_of: Option<Whole>,
}

/// What a batch is a part of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Whole {
    /// The largest share of all, which only f16 asks for.
    pub share: f32,
    /// How many samples there are, which only [`Mode::Fisher`] asks for.
    pub samples: usize,
}

impl PlanOptions {
    /// Forward and backward pass in `mode`.
    pub fn training(mode: Mode) -> PlanOptions {
        PlanOptions {
            mode,
            training: true,
            accumulation: false,
            lazy_curvature: false,
            fused_update: false,
            scale: 1.0,
            signals: Vec::new(),
            activations: Vec::new(),
            partial: false,
            whole_network: None,
            fewer_dispatches: None,
            storage: Dtype::F32,
            loss_scale: None,
            input: None,
            targets: None,
            sample_weights: false,
            sample_weights_in: None,
            part_of: None,
            outside_signal: None,
        }
    }

    /// The same in the mode whose diagonal the optimiser reads: [`Rule::mode`](crate::model::Rule::mode).
    pub fn for_optimizer(optimizer: &Optimizer) -> PlanOptions {
        PlanOptions::training(optimizer.rule.mode())
    }

    /// The forward pass only.
    pub fn inference() -> PlanOptions {
        PlanOptions { training: false, ..PlanOptions::training(Mode::None) }
    }

    /// Keeps the signal at `at`; in HesScale-R all its planes, u among them, are in
    /// [`Plan::signal_planes`](crate::Plan::signal_planes).
    pub fn signal(mut self, at: At) -> PlanOptions {
        self.signals.push(at);
        self
    }

    /// Leaves the activation at `at` to be read: [`Plan::activation`](crate::Plan::activation).
    pub fn activation(mut self, at: At) -> PlanOptions {
        self.activations.push(at);
        self
    }

    /// Also plans the pass that accumulates, gradient and diagonal multiplied by `scale`.
    pub fn accumulate(mut self, scale: f32) -> PlanOptions {
        self.accumulation = true;
        self.scale = scale;
        self
    }

    /// Also plans steps without curvature.
    pub fn lazy(mut self) -> PlanOptions {
        self.lazy_curvature = true;
        self
    }

    /// Takes the sample weights from the host's buffer.
    pub fn sample_weights_in(self, buffer: impl Into<BufferRange>) -> PlanOptions {
        PlanOptions { sample_weights: true, sample_weights_in: Some(buffer.into()), ..self }
    }

    setters! {
        /// Gives each sample a weight: see [`PlanOptions::sample_weights`].
        sample_weights() => true;
        /// Lets recorded steps update parameters where their gradient is summed. It saves the memory traffic of storing and
        /// reading both, which is most of a step at small batches; the parameters come out the same.
        fused_update() => true;
        /// Takes fewer samples than the batch: see [`PlanOptions::partial`].
        partial() => true;
        /// Takes the network as a whole, or layer by layer: see [`PlanOptions::whole_network`].
        whole_network(whole: bool) => Some(whole);
        /// Makes one of two kernels where that can be, or never: see [`PlanOptions::fewer_dispatches`].
        fewer_dispatches(fewer: bool) => Some(fewer);
        /// Stores activations and signals so: see [`PlanOptions::storage`].
        storage(storage: Dtype) => storage;
        /// Multiplies stored signals: see [`PlanOptions::loss_scale`].
        loss_scale(scale: f32) => Some(scale);
    }

    /// The features that a device needs for it: none by default.
    pub fn required_features(&self) -> wgpu::Features {
        match self.storage {
            Dtype::F32 => wgpu::Features::empty(),
            Dtype::F16 => wgpu::Features::SHADER_F16,
        }
    }

    pub(crate) fn check_features(&self, context: &Context) -> Result<()> {
        if context.device().features().contains(self.required_features()) {
            return Ok(());
        }
        Err(Error::Feature { what: "storage in f16", feature: "SHADER_F16" })
    }

    /// Whether the host's buffers are of this device, and have no other role.
    pub(super) fn check_buffers(&self, context: &Context, model: &Model, state: &State) -> Result<()> {
        let trained = |range: &Option<BufferRange>| range.clone().filter(|_| self.training);
        let (targets, signal) = (trained(&self.targets), trained(&self.outside_signal));
        let weights = trained(&self.sample_weights_in).filter(|_| self.sample_weights);
        match (&targets, &signal, model.loss().is_external()) {
            (_, Some(_), false) => {
                return Err(Error::not_planned("a signal from the host", "Loss::external"));
            }
            (Some(_), _, true) => return Err(Error::not_planned("a target", super::LOSS)),
            _ => {}
        }
        let read = [
            ("input", self.input.clone()),
            ("targets", targets),
            ("sample weights", weights),
            ("signal at the outputs", signal),
        ];
        let mut known: Vec<(&str, BufferRange)> = Vec::new();
        for (role, range) in read.into_iter().filter_map(|(role, range)| Some((role, range?))) {
            let buffer = context.adopt(range.buffer().clone()).map_err(|error| error.about(role))?;
            let written = state.roles().find(|(_, written)| **written == buffer).map(|(other, _)| other);
            let read = || known.iter().find(|(_, other)| other.meets(&range)).map(|(other, _)| *other);
            if let Some(other) = written.or_else(read) {
                return Err(Error::SharedBuffer { one: other.into(), other: role.into() });
            }
            known.push((role, range));
        }
        Ok(())
    }

    /// What the loss is multiplied by on the way down.
    pub(super) fn scale_of(&self, model: &Model, batch: usize) -> Result<f32> {
        if let Some(value) = self.loss_scale {
            // One bit of mantissa, and an even exponent.
            let (bits, exponent) = (value.to_bits(), (value.to_bits() >> 23) as i32 - 127);
            if bits.trailing_zeros() < 23 || exponent % 2 != 0 || exponent.abs() > 60 || value < 0.0 {
                let needed = "a power of four from 2^-60 to 2^60";
                return Err(Error::value("plan", "the loss's scale", f64::from(value), needed));
            }
        }
        // Where the samples that count are known on the GPU alone, one may have all of the weight.
        let summed = self.training && loss::sums_weights(model.loss(), self.sample_weights);
        let samples = if self.training && self.partial { 1 } else { batch };
        let factor = || match self.part_of {
            Some(whole) => f64::from(whole.share),
            None if summed => 1.0,
            None => model.loss().factor(samples, model.loss_shape()),
        };
        let largest = || 4_f32.powi(((MOST / factor()).log2() / 2.0).floor().clamp(-30.0, 30.0) as i32);
        Ok(match self.storage {
            Dtype::F32 => 1.0,
            Dtype::F16 => self.loss_scale.unwrap_or_else(largest),
        })
    }

    setters! {
        /// Takes the input from the host's buffer: a `&Buffer`, a slice of one, or a `&Tensor`.
        input(buffer: impl Into<BufferRange>) => Some(buffer.into());
        /// Takes the targets from the host's buffer.
        targets(buffer: impl Into<BufferRange>) => Some(buffer.into());
        /// Takes the signal at the outputs from the host's buffer: see [`PlanOptions::outside_signal`].
        outside_signal(buffer: impl Into<BufferRange>) => Some(buffer.into());
    }
}
