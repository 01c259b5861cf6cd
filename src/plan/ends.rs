//! The network's end: logits, targets, and the loss's kernels.

use super::build::Builder;
use super::memory::Kind;
use super::schedule::{Place, Schedule, Step};
use crate::Result;
use crate::gpu::Tensor;
use crate::kernel::{Kernel, LastLayer, LossKernel, Number, Reduce};
use crate::model::{Loss, Mode, Model};

/// The network's end: logits, targets, loss.
pub(super) struct Ends {
    logits: Tensor,
    targets: Tensor,
    values: Tensor,
    total: Tensor,
    weights: Option<Tensor>,
}

impl Ends {
    pub(super) fn new(
        builder: &Builder<'_>,
        logits: &Tensor,
        targets: &Tensor,
        total: &Tensor,
    ) -> Result<Ends> {
        let values = builder.elements("losses", rows_of(builder.model))?;
        let values =
            Tensor::new("losses", &builder.storage(Kind::Activation, "losses", values)?, 0, &[values]);
        let weights = builder.model.loss().weights();
        let weights = weights.map(|weights| builder.constants("class weights", weights)).transpose()?;
        let (logits, targets, total) = (logits.clone(), targets.clone(), total.clone());
        Ok(Ends { logits, targets, values, total, weights })
    }

    /// Loss, signal at the logits, and the sum over the batch, behind a forward pass.
    pub(super) fn push(
        &self,
        builder: &Builder<'_>,
        mode: Mode,
        signal: &Place,
        plane: u32,
        schedule: &mut Schedule,
    ) {
        let Builder { context, model, batch, .. } = builder;
        let positions = rows_of(model);
        let outputs = (model.outputs() / positions) as u32;
        let (class, rows) = (context.class(), self.values.len() as u32);
        let (of, batch) = (model.loss().clone(), *batch as u32);
        let loss = LossKernel::new(class, of, mode, batch, outputs, positions as u32, plane)
            .scaled(builder.loss_scale);
        // In f16 the loss is scaled, and scaled back where it is added up.
        let f32s = builder.options.storage == Number::F32;
        let adds = f32s && builder.saves_dispatches(rows > 1);
        let last = schedule.steps.last().filter(|_| f32s && builder.saves_dispatches(true));
        let last = last.and_then(|step| self.with_loss(builder, step, loss.clone()));
        let (kernel, mut places, added_up) = match last {
            Some((last, places)) => {
                schedule.steps.pop();
                let last = last.adding_up(adds);
                let added_up = last.adds_up();
                (Kernel::LastLayer(Box::new(last)), places, added_up)
            }
            None => {
                let loss = loss.adding_up(adds);
                let added_up = loss.adds_up();
                (Kernel::Loss(loss), vec![self.logits.resource().into()], added_up)
            }
        };
        let sum = if added_up { &self.total } else { &self.values };
        places.extend([&self.targets, sum].map(|tensor| tensor.resource().into()));
        places.push(signal.clone());
        places.extend(self.weights.as_ref().map(|weights| weights.resource().into()));
        schedule.push(kernel, places);
        if !added_up {
            let reduce = Reduce::new(class, rows, 1.0 / builder.loss_scale).within(context.invocations());
            let places = [&self.values, &self.total].map(|tensor| tensor.resource().into());
            schedule.push(Kernel::Reduce(reduce), places.into());
        }
    }

    /// The forward pass's last step with the loss in it, and what it binds, if it makes the logits and the two can be one.
    fn with_loss(
        &self,
        builder: &Builder<'_>,
        (kernel, places): &Step,
        loss: LossKernel,
    ) -> Option<(LastLayer, Vec<Place>)> {
        let (Kernel::Gemm(gemm, of), Place::Fixed(written)) = (kernel, places.get(2)?) else { return None };
        let logits = self.logits.resource();
        let makes_logits = written.buffer == logits.buffer && written.offset == logits.offset;
        let last = LastLayer::new(builder.context.tuning(), *gemm, *of, loss)?;
        makes_logits.then(|| (last, places.clone()))
    }
}

/// What has a loss of its own in each sample: the whole, or each position that is classified.
fn rows_of(model: &Model) -> usize {
    match model.loss() {
        Loss::SoftmaxCrossEntropy { .. } => model.positions(),
        _ => 1,
    }
}
