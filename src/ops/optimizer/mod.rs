//! The optimiser: the step is counted, then parameters are updated, by a kernel of their own or by the one that sums their
//! gradient.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Advance, Hyper, Update};

use crate::graph::{Region, Schedule, Setup, Slice};
use crate::model::{Mode, Rule};
use crate::{Error, Result};
use std::ops::Range;

/// The update after a pass in `mode`, if there is an optimiser. Without a diagonal the second moment that reads it rests.
pub(crate) fn update(setup: &Setup<'_>, mode: Mode) -> Result<Option<Update>> {
    let Some(optimizer) = setup.optimizer else { return Ok(None) };
    if optimizer.rule.mode().has_diagonal() && !setup.options.mode.has_diagonal() {
        let what = format!("the diagonal that {} reads", optimizer.rule.name());
        return Err(Error::not_planned(what, "PlanOptions::mode, a mode with a diagonal"));
    }
    Ok(Some(Update::new(&optimizer.rule, setup.flat_len() as u32, mode.has_diagonal())))
}

/// The update of all parameters, after `schedule`.
pub(crate) fn behind(setup: &Setup<'_>, update: &Update, mut schedule: Schedule) -> Schedule {
    advance(setup, update, &mut schedule);
    rest(setup, update, Vec::new(), &mut schedule);
    schedule
}

pub(crate) fn advance(setup: &Setup<'_>, update: &Update, schedule: &mut Schedule) {
    if update.counts() {
        schedule.push(Advance::of(update), memory(setup).into_iter().collect());
    }
}

/// Updates all parameters but those in `done`: ranges of the flat layout, in any order.
pub(crate) fn rest(setup: &Setup<'_>, update: &Update, mut done: Vec<Range<usize>>, schedule: &mut Schedule) {
    let end = setup.flat_len();
    done.sort_by_key(|range| range.start);
    done.push(end..end);
    let mut start = 0;
    for range in done {
        if start < range.start {
            let flat = [Region::Parameters, Region::Gradient].map(|region| setup.flat(region));
            let diagonal = update.reads_diagonal().then(|| setup.flat(Region::Diagonal));
            let slices = memory(setup).into_iter().chain(flat).chain(diagonal);
            schedule.push(update.of(&(start..range.start)), slices.collect());
        }
        start = range.end;
    }
}

/// Hyper-parameters, counters and moments.
pub(crate) fn memory(setup: &Setup<'_>) -> Option<Slice> {
    let words = memory_len(&setup.optimizer?.rule, setup.flat_len());
    Some(Slice::new(Region::Optimizer, 0, words))
}

/// Elements of an optimiser's memory for `len` parameters, gaps included.
pub(crate) fn memory_len(rule: &Rule, len: usize) -> usize {
    Hyper::FIRST + len * (1 + usize::from(has_second_moment(rule)))
}

pub(crate) fn has_second_moment(rule: &Rule) -> bool {
    match rule {
        Rule::Sgd { .. } => false,
        Rule::Adam { .. } | Rule::AdaHesScale { .. } | Rule::AdaHesScaleGn { .. } => true,
    }
}
