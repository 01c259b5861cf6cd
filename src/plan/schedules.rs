//! The schedules of all lists that a plan can record.

use super::work::{Pass, Work};
use super::{PlanOptions, whole};
use crate::gemm::GradientSink;
use crate::graph::{
    BackwardInputs, BackwardPass, ForwardPass, Graph, Region, Requested, RequestedSlices, Schedule, Setup,
    Signal, Slice,
};
use crate::model::Mode;
use crate::ops::{cast, loss::LossStep, noise, optimizer, outside, partial, residual, row_sums::Clear};
use crate::{At, Result};
use std::collections::BTreeMap;

/// The lists of a plan, and where the host finds their results.
#[derive(Debug)]
pub(super) struct Schedules {
    pub all: Vec<(Work, Schedule)>,
    pub logits: Slice,
    /// Of a training plan, the loss, if the model has one.
    pub loss: Option<Slice>,
    /// Signals that were asked for.
    pub signals: Vec<(At, RequestedSlices)>,
    /// Activations that were asked for.
    pub activations: Vec<(At, Slice)>,
}

pub(super) fn build(setup: &Setup<'_>, graph: &Graph, options: &PlanOptions) -> Result<Schedules> {
    match whole::chosen(setup, graph, options)? {
        Some(network) => whole::build(setup, &network, options),
        None => by_layers(setup, graph, options),
    }
}

/// Schedules with a kernel for each layer and direction.
fn by_layers(setup: &Setup<'_>, graph: &Graph, options: &PlanOptions) -> Result<Schedules> {
    let begin = partial::begin(setup)?;
    let built = ForwardPass::build(setup, graph, begin, cast::show_activation)?;
    let along = graph.is_along(graph.logits).then(|| built.along());
    let ForwardPass { schedule: forward, saved, logits, shown, .. } = built;
    let activation = |at: &At| Some((*at, (*shown.get(&graph.root_at(*at)?)?)?));
    let activations = options.activations.iter().filter_map(activation).collect();
    let all = vec![(Work::Forward, forward)];
    let mut schedules = Schedules { all, logits, loss: None, signals: Vec::new(), activations };
    if !options.training {
        return Ok(schedules);
    }
    let external = setup.model.loss().is_external();
    let loss_step = if external { None } else { Some(LossStep::new(setup, logits)?) };
    let requested = Requested::new(setup, graph)?;
    // A pass from the host's signal is a list by itself, behind that of the forward pass.
    let forward = if external { Schedule::default() } else { schedules.all[0].1.clone() };
    let of_gradient: fn(Pass) -> Work = if external { Work::Backward } else { Work::Gradient };
    let of_step: fn(Pass) -> Work = if external { Work::BackwardStep } else { Work::Step };
    let inputs = BackwardInputs { setup, graph, forward: &forward, saved: &saved, requested: &requested };
    for (mode, pass) in passes(options) {
        let build = |sink| backward(&inputs, loss_step.as_ref(), mode, sink, None);
        let update = optimizer::update(setup, mode)?;
        let built = build(if pass.accumulate { GradientSink::Accumulate } else { GradientSink::Replace })?;
        let gradient = built.schedule;
        if let (Some(along), Pass::FULL) = (&along, pass) {
            let inputs = BackwardInputs { forward: along, ..inputs };
            let again =
                backward(&inputs, loss_step.as_ref(), mode, GradientSink::Replace, Some(built.along))?;
            schedules.all.push((Work::Next, joined(setup, again.schedule)));
        }
        if let Some(update) = update {
            let fused = options.fused_update && !pass.accumulate && !optimizer::sums(setup);
            let step = match fused {
                true => build(GradientSink::Update(update))?.schedule,
                false => optimizer::behind(setup, &update, gradient.clone()),
            };
            schedules.all.push((of_step(pass), joined(setup, step)));
            if !pass.accumulate {
                let update = optimizer::behind(setup, &update, Schedule::default());
                schedules.all.push((Work::Update(pass), update));
            }
        }
        schedules.all.push((of_gradient(pass), joined(setup, gradient)));
    }
    schedules.loss = loss_step.map(|step| step.total);
    let signals = options.signals.iter().filter_map(|at| Some((*at, requested.slices(setup, graph, *at)?)));
    schedules.signals = signals.collect();
    Ok(schedules)
}

/// Forward pass and loss, or without a loss the host's signal; then the backward pass through all operations.
fn backward<'a>(
    inputs: &BackwardInputs<'a>,
    loss_step: Option<&LossStep>,
    mode: Mode,
    sink: GradientSink,
    left: Option<BTreeMap<usize, Signal>>,
) -> Result<BackwardPass<'a>> {
    let (setup, graph) = (inputs.setup, inputs.graph);
    let mut pass = BackwardPass::new(inputs, mode, sink, left);
    match loss_step {
        Some(loss_step) => loss_step.push(&mut pass)?,
        None => outside::begin(&mut pass)?,
    }
    if setup.model.is_tangent() && sink == GradientSink::Replace {
        // Of the parameters; that of the direction behind them is nobody's.
        let elements = setup.flat_len() / 2;
        let gradient = Slice::new(Region::Gradient, 0, elements);
        pass.schedule.push(Clear { elements: elements as u32 }, vec![gradient]);
    }
    if let GradientSink::Update(update) = sink {
        optimizer::advance(setup, &update, &mut pass.schedule);
    }
    for op in graph.ops.iter().rev() {
        let signal = pass.signal_at(op.output, residual::add_signals, cast::show)?;
        if let Some(signal) = signal.filter(|_| pass.continues(op) || setup.trains(op)) {
            op.operation.backward(&mut pass, op, &signal)?;
        }
    }
    pass.signal_at(0, residual::add_signals, cast::show)?;
    graph.ops.iter().for_each(|op| op.operation.finish(&mut pass, op));
    // Lazy passes without curvature draw nothing of HesScale-S, but count.
    if setup.options.mode.is_sampled() || graph.ops.iter().any(|op| op.operation.is_random()) {
        noise::advance(&mut pass.schedule);
    }
    if let GradientSink::Update(update) = sink {
        let updated = std::mem::take(&mut pass.updated);
        optimizer::rest(setup, &update, updated, &mut pass.schedule);
    }
    Ok(pass)
}

/// The same with two kernels in one dispatch where that is wanted.
fn joined(setup: &Setup<'_>, schedule: Schedule) -> Schedule {
    match setup.saves_dispatches(true) {
        true => super::join::neighbours(schedule, setup.tuning, setup.options.fewer_dispatches.is_some()),
        false => schedule,
    }
}

/// The modes of the backward passes: the plan's, and plain backprop for lazy curvature.
pub(super) fn modes(options: &PlanOptions) -> impl Iterator<Item = Mode> {
    let lazy = options.lazy_curvature && options.mode.has_diagonal();
    [options.mode].into_iter().chain(lazy.then_some(Mode::None))
}

/// The requested backward passes, named as [`Work::in_mode`] names them.
pub(super) fn passes(options: &PlanOptions) -> impl Iterator<Item = (Mode, Pass)> {
    let accumulates = options.accumulation;
    let ways = move |(mode, pass): (Mode, Pass)| {
        [(mode, pass)].into_iter().chain(accumulates.then_some((mode, pass.accumulating())))
    };
    modes(options).zip([Pass::FULL, Pass::FULL.without_curvature()]).flat_map(ways)
}
