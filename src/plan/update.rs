//! The optimiser's kernels: the step is counted, then parameters are updated, by a kernel of their own or where their
//! gradient is summed.

use super::State;
use super::build::Builder;
use super::schedule::{Place, Schedule};
use crate::gpu::{Resource, Tensor};
use crate::kernel::{Advance, Kernel, Step, Update};
use crate::model::Mode;
use crate::{Error, Result};
use std::ops::Range;

/// The optimiser's step after a pass in `mode`, where there is an optimiser. One that reads a diagonal keeps its second
/// moment as it is where there is none.
pub(super) fn step(builder: &Builder<'_>, mode: Mode) -> Result<Option<Step>> {
    let Some(optimizer) = builder.state.optimizer() else { return Ok(None) };
    if optimizer.rule.mode().has_diagonal() && !builder.options.mode.has_diagonal() {
        let what = format!("the diagonal that {} reads", optimizer.rule.name());
        return Err(Error::NotPlanned { what, ask: "PlanOptions::mode, a mode with a diagonal" });
    }
    Ok(Some(Step::new(&optimizer.rule, mode.has_diagonal())))
}

/// Counts the step.
pub(super) fn advance(state: &State, step: &Step, schedule: &mut Schedule) {
    let Some(moments) = state.optimizer_state() else { return };
    if moments.second.is_some() {
        let places = [&moments.hyper, &moments.counters].map(|tensor| tensor.resource().into());
        schedule.push(Kernel::Advance(Advance::of(step)), places.into());
    }
}

/// Updates all parameters but those in `done`: ranges of the flat layout, in any order.
pub(super) fn rest(state: &State, step: &Step, mut done: Vec<Range<usize>>, schedule: &mut Schedule) {
    let end = state.parameters().len();
    done.sort_by_key(|range| range.start);
    done.push(end..end);
    let mut start = 0;
    for range in done {
        if start < range.start {
            let run = start..range.start;
            let gradient = part(state.gradient(), &run);
            let second = if step.reads_diagonal() { part(state.diagonal(), &run) } else { gradient.clone() };
            let places = [gradient, second].into_iter().chain(resources(state, &run)).map(Place::from);
            schedule.push(Kernel::Update(Update::new(*step, run.len() as u32)), places.collect());
        }
        start = range.end;
    }
}

/// What a step binds for a range of the flat layout.
pub(super) fn resources(state: &State, range: &Range<usize>) -> Vec<Resource> {
    let mut resources = vec![part(state.parameters(), range)];
    if let Some(moments) = state.optimizer_state() {
        resources.extend([part(&moments.first, range), moments.hyper.resource()]);
        if let Some(second) = &moments.second {
            resources.extend([part(second, range), moments.counters.resource()]);
        }
    }
    resources
}

/// A range of a flat tensor.
pub(super) fn part(flat: &Tensor, range: &Range<usize>) -> Resource {
    Tensor::new(flat.name(), flat.buffer(), range.start, &[range.len()]).resource()
}
