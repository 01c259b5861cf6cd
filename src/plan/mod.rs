//! Model, batch and mode become buffers, bind groups and a list of dispatches, all made here, once.

mod build;
mod check;
mod join;
mod limits;
mod memory;
mod options;
mod outline;
mod realise;
mod schedules;
mod state;
mod tune;
mod whole;
mod work;

pub use memory::Memory;
pub use options::PlanOptions;
pub(crate) use outline::Bound;
pub use outline::Outline;
pub use state::{State, StateBuffers};
pub use tune::{ProductTime, Tiles};
pub use work::Pass;
pub(crate) use work::{Lists, Work};

use crate::gpu::{Context, Tensor};
use crate::model::{At, Model, Targets};
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
    pub(crate) memory: Memory,
}

/// What only a training plan has.
#[derive(Debug)]
pub(crate) struct Training {
    pub targets: Tensor,
    /// One for each sample, if they were asked for.
    pub sample_weights: Option<Tensor>,
    pub loss: Tensor,
    /// Signals that were asked for: where, `g`, and the diagonal.
    pub signals: Vec<(At, Tensor, Option<Tensor>)>,
}

impl Plan {
    /// Plans `batch` samples through `model`, on the parameters of `state`.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a batch of 0; [`Error::Foreign`] for a state of another context or model, and for raw buffers
    /// of another device; [`Error::Limit`] and [`Error::Feature`] where the device allows less than is needed;
    /// [`Error::BufferSize`] and [`Error::BufferUsage`] for raw buffers that do not fit, [`Error::SharedBuffer`] for one that
    /// has another role; [`Error::Value`] for a scale that is none; [`Error::TileTable`] for an entry of the context's table
    /// that no shader can be made of; [`Error::Device`] for what the driver refuses.
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

    fn training(&self, what: &str) -> Result<&Training> {
        let not_planned = || Error::not_planned(what, "PlanOptions::training, not inference");
        self.training.as_ref().ok_or_else(not_planned)
    }

    /// The loss, one number: reduced over the batch as the model says.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an inference plan.
    pub fn loss(&self) -> Result<&Tensor> {
        Ok(&self.training("the loss")?.loss)
    }

    /// The gradient at an activation, `[batch, …]`.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] where it was not asked for.
    pub fn signal_gradient(&self, at: At) -> Result<&Tensor> {
        Ok(self.signal(at)?.0)
    }

    /// The Hessian diagonal at an activation, `[batch, …]`.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] where it was not asked for, and in [`Mode::None`].
    pub fn signal_diagonal(&self, at: At) -> Result<&Tensor> {
        let ask = "PlanOptions::mode, a mode with a diagonal";
        self.signal(at)?.1.ok_or(Error::not_planned("a diagonal", ask))
    }

    fn signal(&self, at: At) -> Result<(&Tensor, Option<&Tensor>)> {
        let found = self.training("a signal")?.signals.iter().find(|(place, ..)| *place == at);
        let (_, g, d) = found
            .ok_or_else(|| Error::not_planned(format!("the signal at {at:?}"), "PlanOptions::signal"))?;
        Ok((g, d.as_ref()))
    }

    /// Writes the input, row by row; it arrives before the commands of the next submission.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::NotFinite`] where the context checks.
    pub fn write_input(&self, values: &[f32]) -> Result<()> {
        self.context.write(&self.input, values)
    }

    /// Writes the targets.
    ///
    /// # Errors
    /// [`Error::TargetKind`], [`Error::Length`], [`Error::TargetOutOfRange`]; [`Error::NotFinite`] where the context checks.
    pub fn write_targets(&self, targets: Targets<'_>) -> Result<()> {
        let tensor = &self.training("a target")?.targets;
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

    /// The kernels of one full step in the order they run, by name, with their floating-point operations.
    pub fn dispatches(&self) -> impl Iterator<Item = (&str, u64)> {
        self.full_step().into_iter().flatten().map(|dispatch| (dispatch.label.as_str(), dispatch.flops))
    }
}
