//! Records a plan into the caller's encoder, whole or in pieces. Nothing here submits, polls, blocks, creates or allocates
//! anything. The encoder must belong to the plan's device, which wgpu cannot check (docs/embedding.md).

use crate::gpu::Dispatch;
use crate::plan::{Pass, Plan, Work};
use crate::{Error, Result};

/// The progress of work that is recorded in pieces: plain data, to be kept between frames. See [`Plan::record_piece`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Pieces {
    work: Work,
    /// The kernel that comes next.
    next: usize,
}

impl Pieces {
    /// At the start of a forward pass, see [`Plan::record_forward`].
    pub const fn forward() -> Pieces {
        Pieces { work: Work::Forward, next: 0 }
    }

    /// At the start of what [`Plan::record_gradient`] records.
    pub const fn gradient(pass: Pass) -> Pieces {
        Pieces { work: Work::Gradient(pass), next: 0 }
    }

    /// At the start of a training step, see [`Plan::record_step`].
    pub const fn step(pass: Pass) -> Pieces {
        Pieces { work: Work::Step(pass), next: 0 }
    }

    /// At the start of what [`Plan::record_backward`] records.
    pub const fn backward(pass: Pass) -> Pieces {
        Pieces { work: Work::Backward(pass), next: 0 }
    }

    /// At the start of what [`Plan::record_backward_step`] records.
    pub const fn backward_step(pass: Pass) -> Pieces {
        Pieces { work: Work::BackwardStep(pass), next: 0 }
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
    /// Records the forward pass: input to logits. As with all recording, the encoder must belong to the plan's device, which
    /// cannot be checked. wgpu rejects an encoder of another device of the same instance at `finish`; with another instance it
    /// may confuse their ids.
    pub fn record_forward(&self, encoder: &mut wgpu::CommandEncoder) {
        record(encoder, self.kernels(Work::Forward).expect("every plan has it"));
    }

    /// Records forward pass, loss and backward pass: gradient and diagonal are in the plan's [`crate::State`] afterwards.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for an inference plan, a pass that the plan was not made for, or a model with
    /// [`Loss::External`](crate::Loss::External), whose backward pass is [`Plan::record_backward`].
    pub fn record_gradient(&self, encoder: &mut wgpu::CommandEncoder, pass: Pass) -> Result<()> {
        record(encoder, self.kernels(Work::Gradient(pass))?);
        Ok(())
    }

    /// Records what of [`Plan::record_gradient`] depends on the direction, behind all of it: of a network beside its derivative.
    pub(crate) fn record_next(&self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        record(encoder, self.kernels(Work::Next)?);
        Ok(())
    }

    /// Records the optimiser's update from the stored gradient and diagonal. `pass` says whether the diagonal is from
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

    /// Records the backward pass of a model with [`Loss::External`](crate::Loss::External), from the signal that the host has
    /// written at the outputs ([`Plan::outside_signal`]): gradient and diagonal are in the plan's [`crate::State`] afterwards.
    ///
    /// It follows [`Plan::record_forward`], in the same submission or a later one, and reads what that has left: so between the two
    /// the plan's input and the state's parameters must stay as they are, and no other forward pass of this plan may run. Several
    /// backward passes may follow one forward pass, each from a signal of its own ([`Pass::accumulating`]); with dropout only one,
    /// which counts the random numbers on. Each moves running statistics of batch normalisations.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] for a model with a loss of its own, an inference plan, or a pass that the plan was not made for.
    pub fn record_backward(&self, encoder: &mut wgpu::CommandEncoder, pass: Pass) -> Result<()> {
        record(encoder, self.kernels(Work::Backward(pass))?);
        Ok(())
    }

    /// Records all of [`Plan::record_backward`] and [`Plan::record_update`] in one compute pass. Where
    /// [`crate::PlanOptions::fused_update`] was asked for, gradient and diagonal may not be stored.
    ///
    /// # Errors
    /// As those two.
    pub fn record_backward_step(&self, encoder: &mut wgpu::CommandEncoder, pass: Pass) -> Result<()> {
        record(encoder, self.kernels(Work::BackwardStep(pass))?);
        Ok(())
    }

    /// Records the next kernels of `pieces` whose total cost is at most `budget`, but at least one, because kernels cannot be
    /// split. So a step can be spread over submissions and frames; the pieces together give the same bits as the undivided
    /// step. If a single kernel takes too long, split the batch ([`crate::PlanOptions::accumulate`]).
    ///
    /// Until the last piece, the host must not modify what the step reads and writes: this plan's input and targets, and the
    /// gradient, diagonal, moments and running statistics of its state. So no other training plan of that state may run in between. Only
    /// the last kernel changes the parameters, so inference plans, which only read them, may run between any pieces. This is not the
    /// case with [`crate::PlanOptions::fused_update`]: there parameters change layer by layer; nor with batch normalisation by the
    /// statistics of the batch: there running statistics change some kernels earlier.
    ///
    /// Do not continue pieces of one plan with another. After the last piece nothing more is recorded.
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

    /// The cost of all of `pieces`' work, recorded or not: floating-point operations of the products plus bytes bound (for a
    /// fused update, its layer's bytes). Cost over measured time is a rate that predicts other work on the same device within a
    /// small factor.
    ///
    /// # Errors
    /// [`Error::NotPlanned`], as when it is recorded.
    pub fn cost(&self, pieces: Pieces) -> Result<u64> {
        Ok(self.kernels_of(pieces)?.map(Dispatch::cost).sum())
    }

    /// The kernels of all of `pieces`' work, recorded or not.
    pub(crate) fn kernels_of(&self, pieces: Pieces) -> Result<impl Iterator<Item = &Dispatch> + Clone> {
        self.kernels(pieces.work)
    }

    /// The kernels of one full step, including the optimiser's if there is one; for inference, those of the forward pass.
    pub(crate) fn full_step(&self) -> impl Iterator<Item = &Dispatch> {
        Work::full_step(|work| self.lists.get(work)).map(|dispatch| &**dispatch)
    }

    pub(crate) fn kernels(&self, work: Work) -> Result<impl Iterator<Item = &Dispatch> + Clone> {
        let work = work.in_mode(self.options.mode);
        let list = self.lists.get(work).ok_or_else(|| self.not_planned(work))?;
        Ok(list.iter().map(|dispatch| &**dispatch))
    }

    fn not_planned(&self, work: Work) -> Error {
        let of = |what: &str, ask| Error::not_planned(what, ask);
        let Some(pass) = work.pass().filter(|_| self.options.training) else {
            return of("a backward pass", "PlanOptions::training, not inference");
        };
        let external = self.model.loss().is_external();
        match work {
            Work::Gradient(_) | Work::Step(_) if external => {
                return of(
                    "a pass with a loss of the plan's own",
                    "a loss that is not external, or Plan::record_backward",
                );
            }
            Work::Backward(_) | Work::BackwardStep(_) if !external => {
                return of("a pass from the host's signal", "Loss::external");
            }
            _ => {}
        }
        if !pass.curvature && !self.options.lazy_curvature {
            return of("a step without curvature", "PlanOptions::lazy");
        }
        if pass.accumulate && !self.options.accumulation {
            return of("an accumulating pass", "PlanOptions::accumulate");
        }
        of("an update", "State::new, with an optimiser")
    }
}

fn record<'a>(encoder: &mut wgpu::CommandEncoder, kernels: impl Iterator<Item = &'a Dispatch>) {
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    for kernel in kernels {
        kernel.record(&mut pass);
    }
}
