//! The optimiser's kernels: the step is counted, then parameters are updated, by a kernel of their own or where their
//! gradient is summed.

use super::State;
use super::build::Builder;
use super::schedule::{Place, Schedule};
use crate::gpu::{Resource, Tensor};
use crate::model::Mode;
use crate::ops::optimizer::{Advance, Update};
use crate::shader::Kernel;
use crate::{Error, Result};
use std::ops::Range;

/// The optimiser's update after a pass in `mode`, where there is an optimiser. One that reads a diagonal keeps its second
/// moment as it is where there is none.
pub(super) fn key(builder: &Builder<'_>, mode: Mode) -> Result<Option<Update>> {
    let Some(optimizer) = builder.state.optimizer() else { return Ok(None) };
    if optimizer.rule.mode().has_diagonal() && !builder.options.mode.has_diagonal() {
        let what = format!("the diagonal that {} reads", optimizer.rule.name());
        return Err(Error::NotPlanned { what, ask: "PlanOptions::mode, a mode with a diagonal" });
    }
    let len = builder.state.parameters().len() as u32;
    Ok(Some(Update::new(&optimizer.rule, len, mode.has_diagonal())))
}

/// The update of all parameters behind what leaves their gradient and diagonal, or by itself.
pub(super) fn behind(builder: &Builder<'_>, update: &Update, mut schedule: Schedule) -> Schedule {
    advance(builder.state, update, &mut schedule);
    rest(builder.state, update, Vec::new(), &mut schedule);
    schedule
}

/// Counts the step.
pub(super) fn advance(state: &State, update: &Update, schedule: &mut Schedule) {
    if update.counts() {
        let places = memory(state).into_iter().map(Place::from).collect();
        schedule.push(Kernel::from(Advance::of(update)), places);
    }
}

/// Updates all parameters but those in `done`: ranges of the flat layout, in any order.
pub(super) fn rest(state: &State, update: &Update, mut done: Vec<Range<usize>>, schedule: &mut Schedule) {
    let end = state.parameters().len();
    done.sort_by_key(|range| range.start);
    done.push(end..end);
    let mut start = 0;
    for range in done {
        if start < range.start {
            let flat = [state.parameters(), state.gradient()].map(Tensor::resource);
            let diagonal = update.reads_diagonal().then(|| state.diagonal().resource());
            let places = memory(state).into_iter().chain(flat).chain(diagonal).map(Place::from);
            schedule.push(Kernel::from(update.of(&(start..range.start))), places.collect());
        }
        start = range.end;
    }
}

/// Hyper-parameters, counters and moments.
pub(super) fn memory(state: &State) -> Option<Resource> {
    state.optimizer_state().map(|moments| moments.memory.resource())
}
