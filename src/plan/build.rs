//! Puts a plan together.

use super::{Backward, Plan, PlanOptions, State, Training, backward, forward, state};
use crate::gpu::{Context, Tensor};
use crate::kernel::{Advance, Kernel, Update};
use crate::model::{Mode, Model};
use crate::{Error, Result};

/// What every part of the construction needs.
pub(super) struct Builder<'a> {
    pub context: &'a Context,
    pub model: &'a Model,
    pub state: &'a State,
    pub batch: usize,
    pub options: &'a PlanOptions,
}

pub(super) fn plan(
    context: &Context,
    model: &Model,
    state: &State,
    batch: usize,
    options: PlanOptions,
) -> Result<Plan> {
    if !state.context().is(context) {
        return Err(Error::Foreign { what: "the state", owner: "context" });
    }
    if state.model() != model {
        return Err(Error::Foreign { what: "the state", owner: "model" });
    }
    if batch == 0 {
        return Err(Error::ZeroSize { place: "batch".into(), what: "the number of samples" });
    }
    if !options.scale.is_finite() {
        let (place, needed) = ("plan".into(), "finite");
        return Err(Error::Value { place, name: "scale", value: f64::from(options.scale), needed });
    }
    let builder = Builder { context, model, state, batch, options: &options };
    let input = builder.host_tensor("input", options.input.as_ref(), model.inputs(), model.input_shape())?;
    let (stages, forward) = forward::build(&builder, &input)?;
    let logits = stages.last().map_or(&input, |stage| &stage.output).clone();
    let training = match options.training {
        true => Some(builder.training(&stages, &logits)?),
        false => None,
    };
    Ok(Plan {
        context: context.clone(),
        model: model.clone(),
        batch,
        forward,
        training,
        input,
        logits,
        options,
    })
}

impl Builder<'_> {
    /// A tensor `[batch, shape]` in a buffer of the host's, or in one of our own.
    fn host_tensor(
        &self,
        name: &str,
        given: Option<&wgpu::Buffer>,
        per_sample: usize,
        shape: &[usize],
    ) -> Result<Tensor> {
        let len = self.elements(name, per_sample)?;
        let buffer = match given {
            Some(buffer) => state::given_buffer(self.context, name, buffer.clone(), len)?,
            None => self.context.storage(name, len)?,
        };
        let whole: Vec<usize> = std::iter::once(self.batch).chain(shape.iter().copied()).collect();
        Ok(Tensor::new(name, &buffer, 0, &whole))
    }

    /// `batch × per_sample`, where that can be counted in 32 bits as the shaders do.
    pub(super) fn elements(&self, place: &str, per_sample: usize) -> Result<usize> {
        let elements = self.batch as u64 * per_sample as u64;
        let available = u64::from(u32::MAX / 4);
        if elements > available {
            let (place, limit) = (place.into(), "elements of one buffer");
            return Err(Error::Limit { place, limit, needed: elements, available });
        }
        Ok(elements as usize)
    }

    fn training(&self, stages: &[forward::Stage], logits: &Tensor) -> Result<Training> {
        let target_len = self.model.target_len();
        let targets =
            self.host_tensor("targets", self.options.targets.as_ref(), target_len, &[target_len])?;
        let total = Tensor::new("loss", &self.context.storage("loss", 1)?, 0, &[1]);
        let ends = backward::Ends::new(self, logits, &targets, &total)?;
        let signals = backward::Signals::new(self)?;
        let pass = |mode: Mode| -> Result<Backward> {
            let accumulate = match self.options.accumulation {
                true => Some(backward::build(self, stages, &signals, mode, true)?),
                false => None,
            };
            Ok(Backward {
                loss: ends.loss(self, &signals, mode)?,
                replace: backward::build(self, stages, &signals, mode, false)?,
                accumulate,
                update: self.update(mode)?,
            })
        };
        let curved = pass(self.options.mode)?;
        let plain = match self.options.lazy_curvature && self.options.mode.has_diagonal() {
            true => Some(pass(Mode::None)?),
            false => None,
        };
        let kept = signals.kept(self);
        Ok(Training { targets, loss: total, signals: kept, curved, plain })
    }

    /// The optimiser's dispatches after a pass in `mode`. An optimiser that reads a diagonal keeps its second moment as it
    /// is where there is none.
    fn update(&self, mode: Mode) -> Result<Vec<crate::gpu::Dispatch>> {
        let (Some(optimizer), Some(moments)) = (self.state.optimizer(), self.state.optimizer_state()) else {
            return Ok(Vec::new());
        };
        if optimizer.rule.mode().has_diagonal() && !self.options.mode.has_diagonal() {
            let what = format!("the diagonal that {} reads", optimizer.rule.name());
            return Err(Error::NotPlanned { what, ask: "PlanOptions::mode, a mode with a diagonal" });
        }
        let update = Update::new(&optimizer.rule, self.state.parameters().len() as u32, mode.has_diagonal());
        let hyper = moments.hyper.resource();
        let counters = moments.counters.resource();
        let mut resources =
            vec![hyper.clone(), self.state.parameters().resource(), self.state.gradient().resource()];
        resources.push(moments.first.resource());
        if let Some(second) = &moments.second {
            resources.extend([second.resource(), counters.clone()]);
        }
        if update.reads_diagonal() {
            resources.push(self.state.diagonal().resource());
        }
        let mut dispatches = Vec::new();
        if moments.second.is_some() {
            let advance = Kernel::Advance(Advance::of(&update));
            dispatches.push(self.context.dispatch(&advance, &[hyper, counters])?);
        }
        dispatches.push(self.context.dispatch(&Kernel::Update(update), &resources)?);
        Ok(dispatches)
    }
}
