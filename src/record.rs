//! A plan into the caller's encoder, whole or in pieces. Nothing here submits, polls, blocks, makes or allocates anything.
//! The encoder is of the plan's device: wgpu does not tell whose one is (docs/embedding.md).

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

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Forward,
    Gradient(Pass),
    Update(Pass),
    Step(Pass),
}

/// How far work that is recorded in pieces has come: plain data, to be kept between frames. See [`Plan::record_piece`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pieces {
    work: Work,
    /// The kernel that comes next.
    next: usize,
}

impl Pieces {
    /// At the beginning of a forward pass, as of [`Plan::record_forward`].
    #[must_use]
    pub const fn forward() -> Pieces {
        Pieces { work: Work::Forward, next: 0 }
    }

    /// At the beginning of what [`Plan::record_gradient`] records.
    #[must_use]
    pub const fn gradient(pass: Pass) -> Pieces {
        Pieces { work: Work::Gradient(pass), next: 0 }
    }

    /// At the beginning of a training step, as of [`Plan::record_step`].
    #[must_use]
    pub const fn step(pass: Pass) -> Pieces {
        Pieces { work: Work::Step(pass), next: 0 }
    }
}

/// What [`Plan::record_piece`] recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Piece {
    /// Number of kernels.
    pub kernels: usize,
    /// Their cost, in the unit of [`Plan::cost`].
    pub cost: u64,
    /// Whether nothing is left.
    pub last: bool,
}

impl Plan {
    /// Records the forward pass: input to logits. As with all that records, the encoder must be of the plan's device, which
    /// cannot be checked: of another device of the same instance wgpu refuses it at `finish`, of another instance it may take
    /// its ids for others.
    pub fn record_forward(&self, encoder: &mut wgpu::CommandEncoder) {
        record(encoder, self.forward.iter());
    }

    /// Records forward pass, loss and backward pass: gradient and diagonal lie in the plan's [`crate::State`] afterwards.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an inference plan or a pass that the plan was not made for.
    pub fn record_gradient(&self, encoder: &mut wgpu::CommandEncoder, pass: Pass) -> Result<()> {
        record(encoder, self.kernels(Work::Gradient(pass))?);
        Ok(())
    }

    /// Records the optimiser's update from the gradient and diagonal that are there. `pass` says whether the diagonal is of
    /// this step.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] without an optimiser, for an inference plan, or a pass that the plan was not made for.
    pub fn record_update(&self, encoder: &mut wgpu::CommandEncoder, pass: Pass) -> Result<()> {
        record(encoder, self.kernels(Work::Update(pass))?);
        Ok(())
    }

    /// Records a training step: all of [`Plan::record_gradient`] and [`Plan::record_update`] in one compute pass. Where
    /// [`crate::PlanOptions::fused_update`] was asked for, gradient and diagonal may not be stored.
    ///
    /// # Errors
    /// As those two.
    pub fn record_step(&self, encoder: &mut wgpu::CommandEncoder, pass: Pass) -> Result<()> {
        record(encoder, self.kernels(Work::Step(pass))?);
        Ok(())
    }

    /// Records the next kernels of `pieces` whose cost together is at most `budget`, or one where that one alone costs more:
    /// no kernel is cut. So a step can be spread over submissions and frames; all pieces together leave the same bits as the
    /// step in one. Where a single kernel takes too long, cut the batch ([`crate::PlanOptions::accumulate`]).
    ///
    /// Until the last piece the host leaves alone what the step reads and writes: this plan's input and targets, and the
    /// gradient, diagonal and moments of its state. So no other training plan of that state runs between. The parameters
    /// change in one kernel, the last: what only reads them, as inference plans do, may run between any pieces. Not so with
    /// [`crate::PlanOptions::fused_update`]: parameters change layer by layer then.
    ///
    /// Pieces that were begun with one plan are nothing for another. After the last piece nothing is recorded any more.
    ///
    /// # Errors
    /// [`Error::NotPlanned`], as when all is recorded at once.
    pub fn record_piece(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        pieces: &mut Pieces,
        budget: u64,
    ) -> Result<Piece> {
        let mut rest = self.kernels(pieces.work)?.skip(pieces.next);
        let (mut kernels, mut cost) = (0, 0);
        for kernel in rest.clone() {
            if kernels > 0 && cost + kernel.cost() > budget {
                break;
            }
            kernels += 1;
            cost += kernel.cost();
        }
        if kernels > 0 {
            record(encoder, rest.by_ref().take(kernels));
            pieces.next += kernels;
        }
        Ok(Piece { kernels, cost, last: rest.next().is_none() })
    }

    /// What all of `pieces`' work costs, whatever of it has been recorded: floating-point operations of the products, plus
    /// bytes bound, of an update its layer's. Cost over measured time is a rate that predicts other work on the same device
    /// within a small factor.
    ///
    /// # Errors
    /// [`Error::NotPlanned`], as when it is recorded.
    pub fn cost(&self, pieces: Pieces) -> Result<u64> {
        Ok(self.kernels_of(pieces)?.map(Dispatch::cost).sum())
    }

    /// The kernels of all of `pieces`' work, whatever of it has been recorded.
    pub(crate) fn kernels_of(&self, pieces: Pieces) -> Result<impl Iterator<Item = &Dispatch> + Clone> {
        self.kernels(pieces.work)
    }

    /// The kernels of one full step, the optimiser's with it where there is one; of inference those of the forward pass.
    pub(crate) fn full_step(&self) -> Option<impl Iterator<Item = &Dispatch> + Clone> {
        let works = [Work::Step(Pass::FULL), Work::Gradient(Pass::FULL), Work::Forward];
        works.into_iter().find_map(|work| self.kernels(work).ok())
    }

    /// The kernels of `work`, in order.
    pub(crate) fn kernels(&self, work: Work) -> Result<impl Iterator<Item = &Dispatch> + Clone> {
        const NONE: &[Dispatch] = &[];
        let parts = match work {
            Work::Forward => [self.forward.as_slice(), NONE, NONE, NONE],
            Work::Gradient(pass) => {
                let backward = self.backward(pass)?;
                let forward = if backward.steps.is_some() { NONE } else { self.up_to_loss(backward) };
                [forward, &backward.loss, layers(backward, pass)?, NONE]
            }
            Work::Update(pass) => [NONE, NONE, NONE, update(self.backward(pass)?)?],
            Work::Step(pass) => {
                let backward = self.backward(pass)?;
                let (layers, update) = (layers(backward, pass)?, update(backward)?);
                match (&backward.steps, &backward.fused) {
                    (Some(steps), _) if pass.accumulate => [NONE, NONE, NONE, &steps.accumulate],
                    (Some(steps), _) => [NONE, NONE, NONE, &steps.replace],
                    (None, Some(fused)) if !pass.accumulate => {
                        [self.up_to_loss(backward), &backward.loss, fused, NONE]
                    }
                    _ => [self.up_to_loss(backward), &backward.loss, layers, update],
                }
            }
        };
        Ok(parts.into_iter().flatten())
    }

    /// The forward pass as far as the loss's kernels do not make it.
    fn up_to_loss(&self, backward: &Backward) -> &[Dispatch] {
        &self.forward[..self.forward.len() - backward.within_loss]
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

fn record<'a>(encoder: &mut wgpu::CommandEncoder, kernels: impl Iterator<Item = &'a Dispatch>) {
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    for kernel in kernels {
        kernel.record(&mut pass);
    }
}
