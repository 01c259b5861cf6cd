//! The end of the network: logits and targets become loss and signal.

mod counted;
#[cfg(any(feature = "cpu", feature = "train"))]
mod host;
mod kernel;
mod shares;
#[cfg(all(test, feature = "cpu"))]
mod tests;

#[cfg(feature = "cpu")]
pub(crate) use host::LossSignal;
#[cfg(any(feature = "cpu", feature = "train"))]
pub(crate) use host::{HostLoss, HostWeights};

pub(crate) use counted::CountedMean;
pub(crate) use kernel::{LossKernel, Reduce, SampleWeights};
pub(crate) use shares::Shares;

use crate::Result;
use crate::gemm::LossHead;
use crate::graph::{BackwardPass, Purpose, Region, Setup, Signal, Slice, Step};
use crate::model::{Loss, Mode, Reduction};
use crate::ops::{noise, partial};
use crate::shader::{Dtype, Kernel};

#[derive(Debug)]
pub(crate) struct LossStep {
    logits: Slice,
    targets: Slice,
    /// One loss for each row.
    values: Slice,
    rows: u32,
    pub total: Slice,
    /// Of the outputs.
    weights: Option<Slice>,
    /// Of the samples.
    sample_weights: Option<Slice>,
    mean: Option<Mean>,
}

/// A mean whose divisor only a kernel can tell: what the samples' shares of it are made of.
#[derive(Debug)]
enum Mean {
    /// It divides by a sum of weights.
    OfWeights { class_weights: Slice, sample_weights: Slice },
    /// It divides by how many samples there are.
    OfCount { factors: Slice, sample_weights: Slice },
}

impl LossStep {
    pub(crate) fn new(setup: &Setup<'_>, logits: Slice) -> Result<LossStep> {
        let total = setup.own(Purpose::Activation, "loss", 1);
        let rows = setup.elements("losses", setup.model.loss().rows(setup.model.loss_shape()))?;
        let values = setup.own(Purpose::Activation, "losses", rows);
        let weights = setup.model.loss().output_weights(setup.model.loss_shape());
        let weights = weights.map(|weights| setup.constants("class weights", weights));
        let given = Slice::new(Region::SampleWeights, 0, setup.batch);
        let mut sample_weights = setup.options.sample_weights.then_some(given);
        let shares = setup.options.shares;
        let of_weights = !shares && sums_weights(setup.model.loss(), setup.options.sample_weights);
        let of_count = !shares && setup.options.partial && setup.model.loss().reduction() != Reduction::Sum;
        let mean = (of_weights || of_count).then(|| {
            let ones = |name, count| setup.constants(name, vec![1.0; count]);
            let shares = setup.own(Purpose::Activation, "shares of samples", setup.batch);
            let given = sample_weights.replace(shares);
            let sample_weights = given.unwrap_or_else(|| ones("no sample weights", setup.batch));
            if of_weights {
                let class_weights =
                    weights.unwrap_or_else(|| ones("no class weights", setup.model.classes()));
                return Mean::OfWeights { class_weights, sample_weights };
            }
            let factor = |count| setup.model.loss().factor(count, setup.model.loss_shape()) as f32;
            let factors = setup.constants("factors of a mean", (0..=setup.batch).map(factor).collect());
            Mean::OfCount { factors, sample_weights }
        });
        let (targets, rows) = (targets(setup)?, rows as u32);
        Ok(LossStep { logits, targets, values, rows, total, weights, sample_weights, mean })
    }

    /// Pushes the loss, its signal at the logits and its total after the forward pass.
    pub(crate) fn push(&self, pass: &mut BackwardPass<'_>) -> Result<()> {
        let Signal { slice: top, plane } = pass.top()?;
        let partial = pass.setup.options.partial;
        // Where rows may not count, the loss leaves all of them aside first.
        let signal = if partial { partial::before(pass, top) } else { top };
        let (setup, schedule) = (pass.setup, &mut pass.schedule);
        let loss = self.kernel(setup, pass.mode, plane);
        // In f16 the loss is scaled, and scaled back where it is added up. Weights of samples and random numbers are one buffer more
        // than most last layers leave room for.
        let plain = setup.options.storage == Dtype::F32 && self.sample_weights.is_none();
        let joins = plain && !pass.mode.is_sampled();
        let adds = plain && !partial && setup.saves_dispatches(self.rows > 1);
        let last = schedule.steps.last().filter(|_| joins && setup.saves_dispatches(true));
        let last = last.and_then(|step| self.with_loss(setup, step, loss.clone()));
        let (kernel, mut slices, added_up) = match last {
            Some((last, slices)) => {
                schedule.steps.pop();
                let last = last.adding_up(adds);
                let added_up = last.adds_up();
                (Kernel::from(last), slices, added_up)
            }
            None => {
                let loss = loss.adding_up(adds);
                let added_up = loss.adds_up();
                (Kernel::from(loss), vec![self.logits], added_up)
            }
        };
        slices.extend([self.targets, if added_up { self.total } else { self.values }, signal]);
        slices.extend(self.weights.into_iter().chain(self.sample_weights));
        slices.extend(pass.mode.is_sampled().then(noise::slice));
        match (&self.mean, self.sample_weights) {
            (Some(Mean::OfWeights { class_weights, sample_weights }), Some(shares)) => {
                let (model, class) = (setup.model, setup.tuning.class);
                let kernel = Shares::new(class, model.loss().clone(), setup.batch as u32, model.loss_shape());
                let kernel = kernel.partial(partial).within(setup.tuning.allowed.in_a_row());
                let mut bound = vec![self.targets, *class_weights, *sample_weights, shares];
                bound.extend(partial.then(partial::count));
                schedule.push(kernel, bound);
            }
            (Some(Mean::OfCount { factors, sample_weights }), Some(shares)) => {
                let kernel = CountedMean { batch: setup.batch as u32 };
                schedule.push(kernel, vec![partial::count(), *factors, *sample_weights, shares]);
            }
            _ => {}
        }
        schedule.push(kernel, slices);
        let mut values = self.values;
        if partial {
            partial::keep_signal(pass, signal, top, plane);
            values = partial::before(pass, self.values);
            partial::keep_losses(pass, self.values, values, self.rows as usize / setup.batch);
        }
        let schedule = &mut pass.schedule;
        if !added_up {
            let (class, scale) = (setup.tuning.class, 1.0 / setup.options.loss_scale);
            let reduce = Reduce::new(class, self.rows, scale).within(setup.tuning.allowed.in_a_row());
            schedule.push(reduce, vec![values, self.total]);
        }
        Ok(())
    }

    fn kernel(&self, setup: &Setup<'_>, mode: Mode, plane: u32) -> LossKernel {
        let Setup { model, batch, tuning, .. } = setup;
        let shape = model.loss_shape();
        let positions = model.loss().rows(shape);
        let outputs = (shape.iter().product::<usize>() / positions) as u32;
        let (of, batch) = (model.loss().clone(), *batch as u32);
        LossKernel::new(tuning.class, of, mode, batch, outputs, positions as u32, plane)
            .scaled(setup.options.loss_scale)
            .part_of(setup.options.samples)
            .along(model.is_tangent())
            .weighing(match self.sample_weights {
                None => SampleWeights::None,
                Some(_) if self.mean.is_some() || setup.options.shares => SampleWeights::Shares,
                Some(_) => SampleWeights::Given,
            })
    }

    /// The last step of the forward pass joined with the loss, if it computes the logits and can be joined.
    fn with_loss(
        &self,
        setup: &Setup<'_>,
        (kernel, slices): &Step,
        loss: LossKernel,
    ) -> Option<(LossHead, Vec<Slice>)> {
        let product = kernel.product().filter(|_| kernel.dtypes().all_f32())?;
        let written = slices.get(2)?;
        let makes_logits = (written.region, written.offset) == (self.logits.region, self.logits.offset);
        let last = LossHead::new(setup.tuning, *product, loss)?;
        makes_logits.then(|| (last, slices.clone()))
    }
}

/// Whether the loss is a mean that divides by a sum of weights, which only a pass over the batch can tell: any class may be one that
/// is ignored.
pub(crate) fn sums_weights(loss: &Loss, sample_weights: bool) -> bool {
    loss.reduction() == Reduction::WeightedMean && (sample_weights || loss.takes_classes())
}

pub(crate) fn targets(setup: &Setup<'_>) -> Result<Slice> {
    Ok(Slice::new(Region::Targets, 0, setup.elements("targets", setup.model.target_len())?))
}
