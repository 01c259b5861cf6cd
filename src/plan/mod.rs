//! Model, batch and mode become buffers, bind groups and a list of dispatches, all made here, once.

mod build;
mod check;
mod join;
mod limits;
mod memory;
mod options;
mod outline;
mod outside;
mod products;
mod realise;
mod schedules;
mod state;
mod tune;
mod whole;
mod work;

pub use memory::Memory;
pub use options::PlanOptions;
#[cfg(feature = "train")]
pub(crate) use options::Whole;
pub(crate) use outline::Bound;
pub use outline::Outline;
pub use outside::OutsideSignal;
pub use products::{AtState, Products};
pub use state::{State, StateBuffers};
pub use tune::{ProductTime, Tiles};
pub use work::Pass;
pub(crate) use work::{Lists, Work};

use crate::gpu::{Context, Tensor};
use crate::model::{At, Model, OutputSignal, Targets};
use crate::{Error, Mode, Result};

/// Everything for one batch size of one model on one [`State`]: immutable, and recorded as often as one likes. Several
/// plans (a last, smaller batch; another mode; inference) may share a state.
#[derive(Debug)]
pub struct Plan {
    pub(crate) context: Context,
    pub(crate) model: Model,
    pub(crate) batch: usize,
    pub(crate) options: PlanOptions,
    pub(crate) lists: Lists,
    pub(crate) training: Option<Training>,
    pub(crate) input: Tensor,
    pub(crate) logits: Tensor,
    /// Those that were asked for.
    pub(crate) activations: Vec<(At, Tensor)>,
    pub(crate) memory: Memory,
}

/// What only a training plan has.
#[derive(Debug)]
pub(crate) struct Training {
    /// With a loss of the plan's own.
    pub targets: Option<Tensor>,
    /// One for each sample, if they were asked for.
    pub sample_weights: Option<Tensor>,
    pub loss: Option<Tensor>,
    /// Without one.
    pub outside: Option<OutsideSignal>,
    pub signals: Vec<KeptSignal>,
    /// How many samples count, where that may change.
    pub count: Option<Tensor>,
}

/// A signal that was asked for.
#[derive(Debug)]
pub(crate) struct KeptSignal {
    at: At,
    planes: Tensor,
    gradient: Tensor,
    diagonal: Option<Tensor>,
}

/// How to ask for what only a loss of the plan's own has.
const LOSS: &str = "a model whose loss is not external";

impl Plan {
    /// Plans `batch` samples through `model`, on the parameters of `state`.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a batch of 0; [`Error::Foreign`] for a state of another context or model, and for raw buffers
    /// of another device; [`Error::Limit`] and [`Error::Feature`] where the device allows less than is needed;
    /// [`Error::BufferSize`], [`Error::BufferUsage`] and [`Error::BufferOffset`] for raw buffers that do not fit,
    /// [`Error::SharedBuffer`] for one that has another role; [`Error::Unsupported`] for a mode that the loss has no rule for, or that the
    /// options exclude ([`Mode::Fisher`] of a mean over a part of the batch); [`Error::Value`] for a scale that is none;
    /// [`Error::TileTable`] for an entry of the context's table that no shader can be made of; [`Error::Device`] for what the driver
    /// refuses.
    pub fn new(
        context: &Context,
        model: &Model,
        state: &State,
        batch: usize,
        options: PlanOptions,
    ) -> Result<Plan> {
        build::plan(context, model, state, batch, options, &mut |_, _| ())
    }

    /// The same, telling `progress` after each shader that the driver compiled for it how many are done, and of how many.
    /// Those that the context has already are not counted: where there are none to compile it is never called.
    ///
    /// Compiling is what takes long about a plan. It may run on a thread of its own while others record and submit; what it
    /// compiled serves every later plan of the context, of this batch size and of those that want the same tiles. On GL wgpu
    /// panics in a thread that waits more than seconds for another: compile on the one that renders.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with_progress(
        context: &Context,
        model: &Model,
        state: &State,
        batch: usize,
        options: PlanOptions,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Plan> {
        build::plan(context, model, state, batch, options, &mut progress)
    }

    /// Number of samples.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The mode of the backward pass.
    pub fn mode(&self) -> Mode {
        self.options.mode
    }

    /// What it takes on the device.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// The input, `[batch, …]`.
    pub fn input(&self) -> &Tensor {
        &self.input
    }

    /// The last layer's output, `[batch, …]`.
    pub fn logits(&self) -> &Tensor {
        &self.logits
    }

    /// The output of a layer, or the input as the first layer reads it, `[batch, …]` in the model's own shape: as the last forward
    /// pass left it, in a list of its own or within a step.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] where it was not asked for.
    pub fn activation(&self, at: At) -> Result<&Tensor> {
        let found = self.activations.iter().find(|(place, _)| *place == at);
        let missing = || Error::not_planned(format!("the activation at {at:?}"), "PlanOptions::activation");
        Ok(&found.ok_or_else(missing)?.1)
    }

    /// How many samples count: one `u32` by its bits, for a recorded copy or a shader of the host's to write. More than the batch
    /// counts as the batch; of none, gradient and diagonal are 0.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] without [`PlanOptions::partial`], and for an inference plan.
    pub fn count(&self) -> Result<&Tensor> {
        let count = self.training("a count of samples")?.count.as_ref();
        count.ok_or_else(|| Error::not_planned("a count of samples", "PlanOptions::partial"))
    }

    /// Says how many samples count from the next submission on: the first of the batch. At first all do.
    ///
    /// # Errors
    /// As [`Plan::count`]; [`Error::ZeroSize`] and [`Error::Value`] for none, or more than the plan's batch.
    pub fn write_count(&self, samples: usize) -> Result<()> {
        let count = self.count()?;
        Error::check_batch(samples)?;
        if samples > self.batch {
            let needed = "at most the plan's batch";
            return Err(Error::value("plan", "the number of samples", samples as f64, needed));
        }
        self.context.write_bytes(count, bytemuck::bytes_of(&(samples as u32)))
    }

    /// The targets, as [`Plan::write_targets`] writes them: class indices are `u32` by their bits.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an inference plan, and for a model with [`Loss::External`](crate::Loss::External).
    pub fn targets(&self) -> Result<&Tensor> {
        let targets = self.training("a target")?.targets.as_ref();
        targets.ok_or_else(|| Error::not_planned("a target", LOSS))
    }

    fn training(&self, what: &str) -> Result<&Training> {
        let not_planned = || Error::not_planned(what, "PlanOptions::training, not inference");
        self.training.as_ref().ok_or_else(not_planned)
    }

    /// The loss, one number: reduced over the batch as the model says.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an inference plan, and for a model with [`Loss::External`](crate::Loss::External).
    pub fn loss(&self) -> Result<&Tensor> {
        let loss = self.training("the loss")?.loss.as_ref();
        loss.ok_or_else(|| Error::not_planned("the loss", LOSS))
    }

    /// The signal at the outputs, for the host to write: in a shader of its own, by a recorded copy, or with
    /// [`Plan::write_signal`].
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an inference plan, and for a model whose loss is not [`Loss::External`](crate::Loss::External).
    pub fn outside_signal(&self) -> Result<&OutsideSignal> {
        let outside = self.training("a signal from the host")?.outside.as_ref();
        outside.ok_or_else(|| Error::not_planned("a signal from the host", "Loss::external"))
    }

    /// The gradient at an activation, `[batch, …]`.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] where it was not asked for.
    pub fn signal_gradient(&self, at: At) -> Result<&Tensor> {
        Ok(&self.signal(at)?.gradient)
    }

    /// The Hessian diagonal at an activation, `[batch, …]`.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] where it was not asked for, and in [`Mode::None`].
    pub fn signal_diagonal(&self, at: At) -> Result<&Tensor> {
        let ask = "PlanOptions::mode, a mode with a diagonal";
        self.signal(at)?.diagonal.as_ref().ok_or(Error::not_planned("a diagonal", ask))
    }

    /// All planes of the signal at an activation, `[planes, stride]`, as they lie in an [`OutsideSignal`]: another plan's
    /// [`PlanOptions::outside_signal`] takes it as it is.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] where it was not asked for.
    pub fn signal_planes(&self, at: At) -> Result<&Tensor> {
        Ok(&self.signal(at)?.planes)
    }

    fn signal(&self, at: At) -> Result<&KeptSignal> {
        let found = self.training("a signal")?.signals.iter().find(|signal| signal.at == at);
        found.ok_or_else(|| Error::not_planned(format!("the signal at {at:?}"), "PlanOptions::signal"))
    }

    /// Writes the input, row by row; it arrives before the commands of the next submission.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::NoRow`] where the model selects by its inputs (not of a [`PlanOptions::partial`] plan); [`Error::NotFinite`] where the context checks.
    pub fn write_input(&self, values: &[f32]) -> Result<()> {
        // Of a batch that may be filled in part, what does not count may hold anything.
        if !(self.options.partial && self.options.training) {
            self.model.check_inputs(values)?;
        }
        self.context.write(&self.input, values)
    }

    /// Writes the targets.
    ///
    /// # Errors
    /// [`Error::TargetKind`], [`Error::Length`], [`Error::TargetOutOfRange`]; [`Error::NotFinite`] where the context checks;
    /// [`Error::NotPlanned`] for an inference plan, and for a model with [`Loss::External`](crate::Loss::External).
    pub fn write_targets(&self, targets: Targets<'_>) -> Result<()> {
        let tensor = self.targets()?;
        self.model.check_targets(self.batch, targets)?;
        match targets {
            Targets::Classes(classes) => self.context.write_bytes(tensor, bytemuck::cast_slice(classes)),
            Targets::Values(values) => self.context.write(tensor, values),
        }
    }

    /// Writes the weight of each sample, of any sign.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] where they were not asked for; [`Error::Length`]; [`Error::Value`] for a weight that is not finite.
    pub fn write_sample_weights(&self, weights: &[f32]) -> Result<()> {
        let tensor = self.training("a sample's weight")?.sample_weights.as_ref();
        let tensor =
            tensor.ok_or_else(|| Error::not_planned("a sample's weight", "PlanOptions::sample_weights"))?;
        self.model.check_sample_weights(self.batch, weights)?;
        self.context.write(tensor, weights)
    }

    /// Writes the signal at the outputs of a model with [`Loss::External`](crate::Loss::External); it arrives before the commands
    /// of the next submission. A plan with steps without curvature ([`PlanOptions::lazy`]) takes g alone for these; the rest stays
    /// as it was.
    ///
    /// # Errors
    /// [`Error::SignalKind`] for what the plan's mode does not carry; [`Error::Length`] for what is not of this batch;
    /// [`Error::NotFinite`] where the context checks; [`Error::NotPlanned`] as of [`Plan::outside_signal`]. Nothing is written on an error.
    pub fn write_signal(&self, signal: OutputSignal<'_>) -> Result<()> {
        self.outside_signal()?.write(&self.context, &self.options, signal)
    }

    /// The kernels of one full step in the order they run, by name, with their floating-point operations.
    pub fn dispatches(&self) -> impl Iterator<Item = (&str, u64)> {
        self.full_step().map(|dispatch| (dispatch.label.as_str(), dispatch.flops))
    }
}
