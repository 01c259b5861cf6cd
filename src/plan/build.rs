//! Puts a plan together.

use super::forward::Held;
use super::limits::{self, ELEMENTS, MOST};
use super::memory::{Kind, Memory};
use super::network::{Network, Op};
use super::schedule::{Schedule, Step};
use super::{
    Backward, Plan, PlanOptions, State, Training, backward, ends, forward, schedule, state, update, whole,
};
use crate::gpu::{Buffer, Context, Dispatch, Tensor};
use crate::kernel::{DeviceClass, Leave, Update};
use crate::model::{Mode, Model, Role};
use crate::{Error, Result};
use std::cell::RefCell;

/// What every part of the construction needs.
pub(super) struct Builder<'a> {
    pub context: &'a Context,
    pub model: &'a Model,
    pub state: &'a State,
    pub batch: usize,
    pub options: &'a PlanOptions,
    /// What the loss is multiplied by, so that its signals are stored well: [`PlanOptions::loss_scale`].
    pub loss_scale: f32,
    /// What has been made so far.
    memory: RefCell<Memory>,
}

pub(super) fn plan(
    context: &Context,
    model: &Model,
    state: &State,
    batch: usize,
    options: PlanOptions,
    progress: &mut dyn FnMut(usize, usize),
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
    context.check_options()?;
    options.check_features(context)?;
    options.check_buffers(context, state)?;
    let loss_scale = options.scale_of(model, batch)?;
    let memory = RefCell::default();
    let builder = Builder { context, model, state, batch, options: &options, loss_scale, memory };
    let input = builder.host_tensor("input", options.input.as_ref(), model.inputs(), model.input_shape())?;
    if options.training {
        model.check_mode(options.mode)?;
    }
    let network = Network::new(model, options.training)?;
    limits::check(&network, batch)?;
    let (forward, training, logits) = match whole::chosen(&builder, &network)? {
        Some(net) => whole::build(&builder, &net, &input, progress)?,
        None => builder.by_layers(&network, &input, progress)?,
    };
    let mut memory = builder.memory.into_inner();
    memory.add(Kind::Parameter, state.bytes());
    let (context, model) = (context.clone(), model.clone());
    Ok(Plan { context, model, batch, forward, training, input, logits, memory, options })
}

/// Forward pass, training, logits.
pub(super) type Parts = (Vec<Dispatch>, Option<Training>, Tensor);

/// The training part of a plan before it has dispatches.
struct Draft {
    targets: Tensor,
    loss: Tensor,
    kept: backward::Kept,
    /// Of each mode, replacing and, where that was asked for, accumulating.
    passes: Vec<Schedule>,
    /// Kernels of the loss at the beginning of each pass, and those of the forward pass that they are instead of.
    start: ends::Start,
    /// Of each mode.
    updates: Vec<Schedule>,
}

impl Builder<'_> {
    /// A kernel for each layer and direction.
    fn by_layers(
        &self,
        network: &Network,
        input: &Tensor,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Parts> {
        let (schedule, held, logits) = forward::build(self, network, input)?;
        let draft = match self.options.training {
            true => Some(self.draft(network, &held, &logits, schedule.last())?),
            false => None,
        };
        // All shaders are compiled before anything needs one, so that it is known how many there are.
        let drafted = draft.iter().flat_map(|draft| draft.passes.iter().chain(&draft.updates));
        let kernels = [&schedule].into_iter().chain(drafted).flat_map(Schedule::kernels);
        self.context.compile(kernels, progress)?;
        let forward = schedule::realise(self, &[schedule])?.swap_remove(0);
        let training = draft.map(|draft| self.realise(network, draft)).transpose()?;
        Ok((forward, training, logits))
    }

    /// Whether dispatches are saved that need barriers within a workgroup, or none: on software those are dear.
    pub(super) fn saves_dispatches(&self, barriers: bool) -> bool {
        let cheap = self.context.class() != DeviceClass::Software || !barriers;
        self.options.fewer_dispatches.unwrap_or(cheap)
    }

    /// What sums for parameters are multiplied by.
    pub(super) fn parameter_scale(&self) -> f32 {
        self.options.scale / self.loss_scale
    }

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
            Some(buffer) => state::given_buffer(self.context, name, buffer, len)?,
            None => self.storage(Kind::Activation, name, len)?,
        };
        Ok(Tensor::new(name, &buffer, 0, &self.with_batch(shape)))
    }

    /// A buffer of this plan's.
    pub(super) fn storage(&self, kind: Kind, name: &str, elements: usize) -> Result<Buffer> {
        let buffer = self.context.storage(name, elements)?;
        self.memory.borrow_mut().add(kind, buffer.size());
        Ok(buffer)
    }

    /// The shape of a whole batch.
    pub(super) fn with_batch(&self, shape: &[usize]) -> Vec<usize> {
        std::iter::once(self.batch).chain(shape.iter().copied()).collect()
    }

    /// A parameter of an operation that has it.
    pub(super) fn parameter(&self, op: &Op, role: Role) -> Tensor {
        let parameter = op.node.and_then(|node| self.model.parameter_of(node, role));
        State::slice(self.state.parameters(), parameter.expect("asked for only where there is one"))
    }

    /// `batch × per_sample`, where that can be counted in 32 bits as the shaders do.
    pub(super) fn elements(&self, place: &str, per_sample: usize) -> Result<usize> {
        let elements = self.batch.saturating_mul(per_sample);
        if elements > MOST {
            let (place, needed, available) = (place.into(), elements as u64, MOST as u64);
            return Err(Error::Limit { place, limit: ELEMENTS, needed, available });
        }
        Ok(elements)
    }

    pub(super) fn targets(&self) -> Result<Tensor> {
        let target_len = self.model.target_len();
        self.host_tensor("targets", self.options.targets.as_ref(), target_len, &[target_len])
    }

    /// The modes of the backward passes: the plan's, and none beside it where the curvature is lazy.
    pub(super) fn modes(&self) -> impl Iterator<Item = Mode> {
        let lazy = self.options.lazy_curvature && self.options.mode.has_diagonal();
        [self.options.mode].into_iter().chain(lazy.then_some(Mode::None))
    }

    fn draft(&self, network: &Network, held: &Held, logits: &Tensor, last: Option<&Step>) -> Result<Draft> {
        let targets = self.targets()?;
        let loss = Tensor::new("loss", &self.storage(Kind::Activation, "loss", 1)?, 0, &[1]);
        let ends = ends::Ends::new(self, logits, &targets, &loss, last)?;
        let kept = backward::Kept::new(self, network)?;

        let (mut passes, mut updates, mut start) = (Vec::new(), Vec::new(), ends::Start::default());
        for mode in self.modes() {
            let step = update::key(self, mode)?;
            for leave in self.ways(step) {
                let (schedule, loss) = backward::build(self, network, held, &kept, &ends, mode, leave)?;
                passes.push(match self.saves_dispatches(true) {
                    true => schedule.joined(self.context.tuning(), self.options.fewer_dispatches.is_some()),
                    false => schedule,
                });
                start = loss;
            }
            updates.push(update::alone(self, mode)?);
        }
        Ok(Draft { targets, loss, kept, passes, start, updates })
    }

    /// What may become of the parameters' gradient and diagonal: always the same ways in the same order.
    fn ways(&self, step: Option<Update>) -> impl Iterator<Item = Leave> {
        let accumulate = self.options.accumulation.then_some(Leave::Accumulate);
        let fused = step.filter(|_| self.options.fused_update).map(Leave::Update);
        [Leave::Replace].into_iter().chain(accumulate).chain(fused)
    }

    fn realise(&self, network: &Network, draft: Draft) -> Result<Training> {
        let Draft { targets, loss, kept, passes, start, updates } = draft;
        let mut passes = schedule::realise(self, &passes)?.into_iter();
        let mut backwards = schedule::realise(self, &updates)?.into_iter().map(|update| {
            let mut way = || passes.next().unwrap_or_default();
            let mut loss = way();
            let replace = loss.split_off(start.steps);
            let accumulate = self.options.accumulation.then(|| way().split_off(start.steps));
            let fused = self.options.fused_update && !update.is_empty();
            let fused = fused.then(|| way().split_off(start.steps));
            Backward { loss, within_loss: start.instead, replace, accumulate, update, fused, steps: None }
        });
        // The mode's own is always there.
        let curved = backwards.next().ok_or(Error::ZeroSize { place: "plan".into(), what: "modes" })?;
        let plain = backwards.next();
        let signals = kept.tensors(self, network);
        Ok(Training { targets, loss, signals, curved, plain })
    }
}
