//! The optimiser: the step is counted, then parameters are updated, by a kernel of their own or by the one that sums their
//! gradient.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

#[cfg(test)]
pub(crate) use kernel::Scale;
pub(crate) use kernel::{Advance, Hyper, LimitWords, Measure, Update, blocks};

use crate::graph::{Region, Schedule, Setup, Slice};
use crate::model::{Groups, Limits, Mode, Optimizer};
use crate::shader::Dtype;
use crate::{Error, Result};
use std::ops::Range;

/// The update after a pass in `mode`, if there is an optimiser. Without a diagonal the second moment that reads it rests.
pub(crate) fn update(setup: &Setup<'_>, mode: Mode) -> Result<Option<Update>> {
    let Some(optimizer) = setup.optimizer else { return Ok(None) };
    if optimizer.rule.mode().has_diagonal() && !setup.options.mode.has_diagonal() {
        let what = format!("the diagonal that {} reads", optimizer.rule.name());
        return Err(Error::not_planned(what, "PlanOptions::mode, a mode with a diagonal"));
    }
    let update = Update::new(&optimizer.rule, setup.flat_len() as u32, mode.has_diagonal());
    Ok(Some(match is_limited(optimizer, setup.groups) {
        true => update.limited(optimizer.average.is_some()),
        false => update,
    }))
}

/// Whether an optimiser's steps are more than its bare rule.
pub(crate) fn is_limited(optimizer: &Optimizer, groups: &Groups) -> bool {
    let bare = optimizer.limits == Limits::NONE && optimizer.average.is_none() && groups.is_empty();
    !bare || optimizer.rule.measures()
}

/// Whether a step needs a sum, or the largest, over all parameters before any moves, so that no update is fused.
pub(crate) fn sums(setup: &Setup<'_>) -> bool {
    setup.optimizer.is_some_and(|optimizer| optimizer.limits.sums() || optimizer.rule.measures())
}

/// The update of all parameters, after `schedule`.
pub(crate) fn behind(setup: &Setup<'_>, update: &Update, mut schedule: Schedule) -> Schedule {
    advance(setup, update, &mut schedule);
    let limits = setup.optimizer.map_or(Limits::NONE, |optimizer| optimizer.limits);
    let all = update.of(&trained(setup));
    if limits.gradient_norm.is_some() {
        measure(setup, Measure::gradient(all), &mut schedule);
    }
    if limits.trust.is_some() || update.rule.measures() {
        let (step, left) = Measure::step(all);
        measure(setup, step, &mut schedule);
        rest(setup, &left, Vec::new(), &mut schedule);
    } else {
        rest(setup, update, Vec::new(), &mut schedule);
    }
    schedule
}

/// Sums, or what is largest, and the factor that they come to.
fn measure(setup: &Setup<'_>, measure: Measure, schedule: &mut Schedule) {
    if measure.range().is_empty() {
        return;
    }
    let scale = measure.scale();
    let sums = schedule.transient("sums of a step", scale.sums as usize, Dtype::F32);
    let diagonal = measure.reads_diagonal().then(|| setup.flat(Region::Diagonal));
    let parameters = measure.reads_parameters().then(|| setup.flat(Region::Parameters));
    let flat = [sums, setup.flat(Region::Gradient)].into_iter().chain(diagonal).chain(parameters);
    schedule.push(measure, memory(setup).into_iter().chain(flat).collect());
    schedule.push(scale, memory(setup).into_iter().chain([sums]).collect());
}

pub(crate) fn advance(setup: &Setup<'_>, update: &Update, schedule: &mut Schedule) {
    if update.counts() {
        schedule.push(Advance::of(update), memory(setup).into_iter().collect());
    }
}

/// From the first parameter that is trained to the last. What is frozen between them the kernels pass over.
fn trained(setup: &Setup<'_>) -> Range<usize> {
    if setup.groups.is_empty() {
        return 0..setup.flat_len();
    }
    let first = setup.trained().map(|parameter| parameter.offset).min().unwrap_or(0);
    first..setup.trained().map(|p| p.range().end.next_multiple_of(64)).max().unwrap_or(first)
}

/// Updates all parameters but those in `done`: ranges of the flat layout, in any order.
pub(crate) fn rest(setup: &Setup<'_>, update: &Update, mut done: Vec<Range<usize>>, schedule: &mut Schedule) {
    let Range { mut start, end } = trained(setup);
    done.sort_by_key(|range| range.start);
    done.push(end..end);
    for range in done {
        if start < range.start {
            let flat = [Region::Parameters, Region::Gradient].map(|region| setup.flat(region));
            let diagonal = update.reads_diagonal().then(|| setup.flat(Region::Diagonal));
            let slices = memory(setup).into_iter().chain(flat).chain(diagonal);
            schedule.push(update.of(&(start..range.start)), slices.collect());
        }
        start = start.max(range.end);
    }
}

/// Hyper-parameters, counters and moments.
pub(crate) fn memory(setup: &Setup<'_>) -> Option<Slice> {
    let words = memory_len(setup.optimizer?, setup.groups, setup.flat_len());
    Some(Slice::new(Region::Optimizer, 0, words))
}

/// Elements of an optimiser's memory for `len` parameters, gaps included: moments, the average, blocks.
pub(crate) fn memory_len(optimizer: &Optimizer, groups: &Groups, len: usize) -> usize {
    let planes = planes(optimizer);
    let blocks = if is_limited(optimizer, groups) { len.div_ceil(16) } else { 0 };
    Hyper::FIRST + len * planes + blocks
}

/// Numbers that are kept for each parameter.
pub(crate) fn planes(optimizer: &Optimizer) -> usize {
    1 + usize::from(optimizer.rule.has_second_moment()) + usize::from(optimizer.average.is_some())
}

/// The most elements that any optimiser's memory has, but for an average.
pub(crate) fn most_memory(len: usize) -> usize {
    Hyper::FIRST + 2 * len + len.div_ceil(16)
}
