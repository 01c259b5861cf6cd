//! A plan into the caller's encoder. Nothing here submits, polls, blocks or allocates.

use crate::gpu::Dispatch;
use crate::plan::{Backward, Plan};
use crate::{Error, Result};

/// Which backward pass is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pass {
    /// `false`: plain backprop, the diagonal and the optimiser's second moment stay as they are. The plan must have been
    /// made with [`crate::PlanOptions::lazy`].
    pub curvature: bool,
    /// `true`: gradient and diagonal are added to what is there. The plan must have been made with
    /// [`crate::PlanOptions::accumulate`].
    pub accumulate: bool,
}

impl Pass {
    /// The plan's mode, results written over what was there.
    pub const FULL: Pass = Pass { curvature: true, accumulate: false };

    /// The same without curvature.
    #[must_use]
    pub const fn without_curvature(self) -> Pass {
        Pass { curvature: false, ..self }
    }

    /// The same, added to what is there.
    #[must_use]
    pub const fn accumulating(self) -> Pass {
        Pass { accumulate: true, ..self }
    }
}

impl Default for Pass {
    fn default() -> Pass {
        Pass::FULL
    }
}

impl Plan {
    /// Records the forward pass: input to logits.
    pub fn record_forward(&self, encoder: &mut wgpu::CommandEncoder) {
        record(encoder, &[&self.forward]);
    }

    /// Records forward pass, loss and backward pass: gradient and diagonal lie in the plan's [`crate::State`] afterwards.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an inference plan or a pass that the plan was not made for.
    pub fn record_gradient(&self, encoder: &mut wgpu::CommandEncoder, pass: Pass) -> Result<()> {
        let backward = self.backward(pass)?;
        record(encoder, &[&self.forward, &backward.loss, layers(backward, pass)?]);
        Ok(())
    }

    /// Records the optimiser's update from the gradient and diagonal that are there. `pass` says whether the diagonal is of
    /// this step.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] without an optimiser, for an inference plan, or a pass that the plan was not made for.
    pub fn record_update(&self, encoder: &mut wgpu::CommandEncoder, pass: Pass) -> Result<()> {
        record(encoder, &[update(self.backward(pass)?)?]);
        Ok(())
    }

    /// Records a training step: all of [`Plan::record_gradient`] and [`Plan::record_update`] in one compute pass.
    ///
    /// # Errors
    /// As those two.
    pub fn record_step(&self, encoder: &mut wgpu::CommandEncoder, pass: Pass) -> Result<()> {
        let backward = self.backward(pass)?;
        record(encoder, &[&self.forward, &backward.loss, layers(backward, pass)?, update(backward)?]);
        Ok(())
    }

    fn backward(&self, pass: Pass) -> Result<&Backward> {
        let not_planned = |what: &str, ask| Error::NotPlanned { what: what.into(), ask };
        let training = self
            .training
            .as_ref()
            .ok_or_else(|| not_planned("a backward pass", "PlanOptions::training, not inference"))?;
        if pass.curvature || !self.options.mode.has_diagonal() {
            return Ok(&training.curved);
        }
        let plain = training.plain.as_ref();
        plain.ok_or_else(|| not_planned("a step without curvature", "PlanOptions::lazy"))
    }
}

fn layers(backward: &Backward, pass: Pass) -> Result<&[Dispatch]> {
    if !pass.accumulate {
        return Ok(&backward.replace);
    }
    let missing =
        || Error::NotPlanned { what: "an accumulating pass".into(), ask: "PlanOptions::accumulate" };
    backward.accumulate.as_deref().ok_or_else(missing)
}

fn update(backward: &Backward) -> Result<&[Dispatch]> {
    match backward.update.as_slice() {
        [] => Err(Error::NotPlanned { what: "an update".into(), ask: "State::new, with an optimiser" }),
        dispatches => Ok(dispatches),
    }
}

fn record(encoder: &mut wgpu::CommandEncoder, parts: &[&[Dispatch]]) {
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    for dispatch in parts.iter().copied().flatten() {
        dispatch.record(&mut pass);
    }
}
