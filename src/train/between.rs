//! What may be done between a step's gradient and its update.

use super::Trainer;
use crate::Result;
use crate::gpu::Context;
use crate::model::Targets;
use crate::plan::{Plan, State};

/// The moment between gradient and update: both are there, in the flat layout, and may be read and changed.
#[non_exhaustive]
pub enum Between<'a> {
    /// On a GPU: what is recorded runs behind the gradient and before the update. Nothing has been submitted yet.
    #[non_exhaustive]
    Gpu {
        /// Of the submission that will hold gradient and update.
        encoder: &'a mut wgpu::CommandEncoder,
        /// Has gradient, diagonal and parameters as buffers.
        state: &'a State,
        /// Of this batch: inputs, logits, loss.
        plan: &'a Plan,
        /// Whether this step has a diagonal.
        curvature: bool,
    },
    /// On the CPU.
    #[non_exhaustive]
    Cpu {
        /// Of the batch.
        gradient: &'a mut [f32],
        /// Empty on a step without curvature.
        diagonal: &'a mut [f32],
        /// Before the update.
        parameters: &'a [f32],
    },
}

impl Trainer {
    /// The context of a trainer on a GPU.
    pub fn context(&self) -> Option<&Context> {
        self.state().map(State::context)
    }

    /// Parameters, gradient, diagonal and moments of a trainer on a GPU, as buffers: for plans, passes and shaders of the host's
    /// own beside the trainer's. What [`Trainer::step`] leaves in gradient and diagonal has no meaning, since it updates
    /// parameters where their gradient is summed; after [`Trainer::gradient`] and [`Trainer::step_with`] they are those of the
    /// batch.
    pub fn state(&self) -> Option<&State> {
        self.engine.state()
    }

    /// As [`Trainer::step`], with `act` between gradient and update: to clip a gradient, to mask it, to read it. The update is then
    /// not fused into the gradient's kernels, which takes more memory traffic; where `act` changes nothing, parameters come out as
    /// by [`Trainer::step`].
    ///
    /// ```
    /// # fn main() -> hesscale::Result<()> {
    /// use hesscale::train::{Between, Trainer};
    /// use hesscale::{Loss, Model, Optimizer, model::Targets};
    ///
    /// let model = Model::builder([2]).dense(1).loss(Loss::mse())?;
    /// let mut trainer = Trainer::on_cpu(&model, Optimizer::sgd(0.1), Default::default())?;
    /// trainer.step_with(&[1.0, 2.0], Targets::Values(&[100.0]), |between| {
    ///     if let Between::Cpu { gradient, .. } = between {
    ///         gradient.iter_mut().for_each(|g| *g = g.clamp(-1.0, 1.0));
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Trainer::step`], and what `act` returns. No parameter changes then.
    pub fn step_with(
        &mut self,
        inputs: &[f32],
        targets: Targets<'_>,
        mut act: impl FnMut(Between<'_>) -> Result<()>,
    ) -> Result<()> {
        self.advance(inputs, targets, None, Some(&mut act))
    }

    /// The same with a weight for each sample, as [`Trainer::weighted_step`] has it.
    ///
    /// # Errors
    /// As [`Trainer::weighted_step`], and what `act` returns. No parameter changes then.
    pub fn weighted_step_with(
        &mut self,
        inputs: &[f32],
        targets: Targets<'_>,
        weights: &[f32],
        mut act: impl FnMut(Between<'_>) -> Result<()>,
    ) -> Result<()> {
        self.advance(inputs, targets, Some(weights), Some(&mut act))
    }
}

impl std::fmt::Debug for Between<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Between::Gpu { .. } => "Between::Gpu",
            Between::Cpu { .. } => "Between::Cpu",
        })
    }
}
