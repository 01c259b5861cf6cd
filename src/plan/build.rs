//! Builds a plan: schedules, then buffers, then dispatches.

use super::realise::{self, Buffers};
use super::schedules::{self, Schedules};
use super::{Plan, PlanOptions, State, Training, limits};
use crate::gpu::{Context, Tensor};
use crate::graph::{Graph, Options, Setup, Slice};
use crate::model::Model;
use crate::ops::Ops;
use crate::{Error, Result};

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
    Error::check_batch(batch)?;
    if !options.scale.is_finite() {
        return Err(Error::value("plan", "scale", f64::from(options.scale), "finite"));
    }
    context.check_options()?;
    options.check_features(context)?;
    options.check_buffers(context, state)?;
    let asked = asked(&options, options.scale_of(model, batch)?);
    let setup = Setup::new(model, batch, context.tuning(), asked, state.optimizer());
    if options.training {
        model.check_mode(options.mode)?;
    }
    let graph = Graph::new::<Ops>(model, options.training, 4)?;
    options.signals.iter().try_for_each(|at| graph.find(*at).map(drop))?;
    limits::check(&graph, batch)?;
    let schedules = schedules::build(&setup, &graph, &options)?;
    let buffers = Buffers::new(context, &setup, state, &options, &schedules.all)?;
    let Schedules { all, logits, loss, signals } = &schedules;
    let whole_batch =
        |shape: &[usize]| std::iter::once(batch).chain(shape.iter().copied()).collect::<Vec<_>>();
    let tensor = |name: String, slice: &Slice, shape: &[usize]| {
        Tensor::new(name, buffers.of(slice.region), slice.offset as usize / 4, shape)
    };
    let training = loss.as_ref().map(|loss| {
        let signals = signals.iter().map(|(at, gradient, diagonal)| {
            let shape = whole_batch(at.shape(model));
            let gradient = tensor(format!("gradient at {at:?}"), gradient, &shape);
            let diagonal = diagonal.map(|slice| tensor(format!("diagonal at {at:?}"), &slice, &shape));
            (*at, gradient, diagonal)
        });
        let targets = buffers.targets.clone().expect("a training plan has targets");
        Training { targets, loss: tensor("loss".into(), loss, &[1]), signals: signals.collect() }
    });
    let logits = tensor("logits".into(), logits, &whole_batch(model.output_shape()));
    let (input, memory) = (buffers.input.clone(), buffers.memory());
    let lists = realise::dispatches(context, model, &buffers, all, progress)?;
    let (context, model) = (context.clone(), model.clone());
    Ok(Plan { context, model, batch, lists, training, input, logits, memory, options })
}

fn asked(options: &PlanOptions, loss_scale: f32) -> Options<'_> {
    let PlanOptions { mode, training, ref signals, storage, scale, fewer_dispatches, .. } = *options;
    Options { mode, training, signals, storage, scale, loss_scale, fewer_dispatches }
}

/// The kernels of all lists of a plan, without a device.
#[cfg(test)]
pub(crate) fn kernels(
    model: &Model,
    batch: usize,
    class: crate::shader::DeviceClass,
    optimizer: &crate::Optimizer,
    options: &PlanOptions,
) -> Result<Vec<crate::shader::Kernel>> {
    let asked = asked(options, options.scale_of(model, batch)?);
    let setup = Setup::new(model, batch, class.into(), asked, Some(optimizer));
    let graph = Graph::new::<Ops>(model, options.training, 4)?;
    let schedules = schedules::build(&setup, &graph, options)?;
    let steps = schedules.all.into_iter().flat_map(|(_, schedule)| schedule.steps);
    Ok(steps.map(|(kernel, _)| kernel).collect())
}
