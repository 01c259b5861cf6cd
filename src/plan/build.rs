//! Puts a plan together.

use super::forward::Held;
use super::limits::{self, ELEMENTS, MOST};
use super::memory::{Kind, Memory};
use super::network::{Network, Op};
use super::schedule::Schedule;
use super::work::{Pass, Schedules, Work};
use super::{Plan, PlanOptions, State, Training, backward, ends, forward, schedule, state, update, whole};
use crate::gemm::GradientSink;
use crate::gpu::{Buffer, Context, Resource, Tensor};
use crate::model::{Mode, Model, Parameter, Role};
use crate::ops::optimizer::Update;
use crate::shader::{DeviceClass, Kernel};
use crate::{Error, Result};
use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;

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
    /// Buffers of this plan's own, which hold nothing before a list has written it.
    made: RefCell<HashSet<Buffer>>,
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
    let (memory, made) = Default::default();
    let builder = Builder { context, model, state, batch, options: &options, loss_scale, memory, made };
    let input = builder.host_tensor("input", options.input.as_ref(), model.inputs(), model.input_shape())?;
    if options.training {
        model.check_mode(options.mode)?;
    }
    let network = Network::new(model, options.training)?;
    limits::check(&network, batch)?;
    let Parts { schedules, training, logits } = match whole::chosen(&builder, &network)? {
        Some(net) => whole::build(&builder, &net, &input)?,
        None => builder.by_layers(&network, &input)?,
    };
    let lists = schedule::realise(&builder, &schedules, progress)?;
    let mut memory = builder.memory.into_inner();
    memory.add(Kind::Parameter, state.bytes());
    let (context, model) = (context.clone(), model.clone());
    Ok(Plan { context, model, batch, lists, training, input, logits, memory, options })
}

/// A plan before it has dispatches.
pub(super) struct Parts {
    pub schedules: Schedules,
    pub training: Option<Training>,
    pub logits: Tensor,
}

impl Builder<'_> {
    /// A kernel for each layer and direction.
    fn by_layers(&self, network: &Network, input: &Tensor) -> Result<Parts> {
        let (forward, held, logits) = forward::build(self, network, input)?;
        let training = match self.options.training {
            true => Some(self.training(network, &held, &forward, &logits)?),
            false => None,
        };
        let (backward, training) = training.unzip();
        let mut schedules = vec![(Work::Forward, forward)];
        schedules.extend(backward.into_iter().flatten());
        Ok(Parts { schedules, training, logits })
    }

    /// Everything that goes back, each behind a forward pass of its own, and what of it the host sees.
    fn training(
        &self,
        network: &Network,
        held: &Held,
        forward: &Schedule,
        logits: &Tensor,
    ) -> Result<(Schedules, Training)> {
        let targets = self.targets()?;
        let loss = Tensor::new("loss", &self.storage(Kind::Activation, "loss", 1)?, 0, &[1]);
        let ends = ends::Ends::new(self, logits, &targets, &loss)?;
        let kept = backward::Kept::new(self, network)?;
        let ground = backward::Ground { builder: self, network, forward, held, kept: &kept, ends: &ends };
        let mut schedules = Vec::new();
        for (mode, pass) in self.passes() {
            let build = |leave| backward::build(&ground, mode, leave);
            let update = update::key(self, mode)?;
            let gradient =
                build(if pass.accumulate { GradientSink::Accumulate } else { GradientSink::Replace })?;
            if let Some(update) = update {
                let step = match self.options.fused_update && !pass.accumulate {
                    true => build(GradientSink::Update(update))?,
                    false => update::behind(self, &update, gradient.clone()),
                };
                schedules.push((Work::Step(pass), self.joined(step)));
                if !pass.accumulate {
                    schedules.push((Work::Update(pass), update::behind(self, &update, Schedule::default())));
                }
            }
            schedules.push((Work::Gradient(pass), self.joined(gradient)));
        }
        let signals = kept.tensors(self, network);
        Ok((schedules, Training { targets, loss, signals }))
    }

    /// The same with two kernels in one dispatch, where that is wanted.
    fn joined(&self, schedule: Schedule) -> Schedule {
        match self.saves_dispatches(true) {
            true => schedule.joined(self.context.tuning(), self.options.fewer_dispatches.is_some()),
            false => schedule,
        }
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
            None => {
                let buffer = self.context.storage(name, len)?;
                self.memory.borrow_mut().add(Kind::Activation, buffer.size());
                buffer
            }
        };
        Ok(Tensor::new(name, &buffer, 0, &self.with_batch(shape)))
    }

    /// A buffer of this plan's.
    pub(super) fn storage(&self, kind: Kind, name: &str, elements: usize) -> Result<Buffer> {
        let buffer = self.context.storage(name, elements)?;
        self.memory.borrow_mut().add(kind, buffer.size());
        self.made.borrow_mut().insert(buffer.clone());
        Ok(buffer)
    }

    /// Numbers that the plan holds and no kernel changes.
    pub(super) fn constants(&self, name: &str, values: &[f32]) -> Result<Tensor> {
        let buffer = self.context.storage(name, values.len())?;
        self.memory.borrow_mut().add(Kind::Parameter, buffer.size());
        let tensor = Tensor::new(name, &buffer, 0, &[values.len()]);
        self.context.write(&tensor, values)?;
        Ok(tensor)
    }

    /// The bytes of a resource that must have been written before `kernel` reads them in `work`. What comes from outside is
    /// there already: the host's input and targets, parameters, moments, constants. A step reads no gradient but its own.
    pub(super) fn needed(&self, work: Work, kernel: &Kernel, resource: &Resource) -> Vec<Range<u64>> {
        let bound = resource.offset..resource.offset + resource.size;
        let results = [self.state.gradient(), self.state.diagonal()];
        if let (Work::Step(_), Some(update)) = (work, kernel.get::<Update>())
            && results.iter().any(|flat| flat.resource().buffer == resource.buffer)
        {
            // What lies between parameters is nobody's.
            let updated = update.range();
            let mine = self.model.parameters().iter().map(Parameter::range);
            let mine = mine.filter(|range| updated.start <= range.start && range.end <= updated.end);
            return mine.map(|range| 4 * range.start as u64..4 * range.end as u64).collect();
        }
        if self.made.borrow().contains(&resource.buffer) { vec![bound] } else { Vec::new() }
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

    /// The backward passes that are asked for, under the names that [`Work::in_mode`] gives them.
    pub(super) fn passes(&self) -> impl Iterator<Item = (Mode, Pass)> {
        let accumulates = self.options.accumulation;
        let ways = move |(mode, pass): (Mode, Pass)| {
            [(mode, pass)].into_iter().chain(accumulates.then_some((mode, pass.accumulating())))
        };
        self.modes().zip([Pass::FULL, Pass::FULL.without_curvature()]).flat_map(ways)
    }
}
