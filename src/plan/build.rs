//! Builds a plan: schedules, then buffers, then dispatches.

use super::realise::{self, Buffers};
use super::schedules::{self, Schedules};
use super::{KeptSignal, OutsideSignal, Plan, PlanOptions, State, Training, limits};
use crate::gemm::Tuning;
use crate::gpu::{Context, Tensor};
use crate::graph::{Graph, Options, RequestedSlices, Setup, Slice};
use crate::model::{Groups, Mode, Model, Optimizer, Reduction};
use crate::ops::Ops;
use crate::{Error, Result};

/// The schedules of a plan. No device is asked, and no buffer made.
pub(super) fn design<'a>(
    model: &'a Model,
    batch: usize,
    tuning: Tuning<'a>,
    (optimizer, groups): (Option<&'a Optimizer>, &'a Groups),
    options: &'a PlanOptions,
) -> Result<(Setup<'a>, Schedules)> {
    Error::check_batch(batch)?;
    if !options.scale.is_finite() {
        return Err(Error::value("plan", "scale", f64::from(options.scale), "finite"));
    }
    let PlanOptions { mode, training, ref signals, ref activations, storage, scale, .. } = *options;
    let PlanOptions { fewer_dispatches, partial, sample_weights, .. } = *options;
    let partial = partial && training;
    let loss_scale = options.scale_of(model, batch)?;
    let asked = Options {
        mode,
        training,
        signals,
        activations,
        partial,
        storage,
        scale,
        loss_scale,
        fewer_dispatches,
        sample_weights,
        shares: options.part_of.is_some(),
        samples: options.part_of.map_or(batch, |whole| whole.samples),
    };
    let setup = Setup::new(model, batch, tuning, asked, optimizer, groups);
    if training {
        model.check_mode(mode)?;
    }
    if partial && mode == Mode::Fisher && model.loss().reduction() != Reduction::Sum {
        return Err(Error::unsupported("plan", "mode fisher with a mean over a part of the batch"));
    }
    if training && sample_weights && model.loss().is_external() {
        return Err(Error::unsupported("loss", "a weight for each sample of the host's signal"));
    }
    let graph = Graph::new::<Ops>(model, training, 4)?;
    signals.iter().chain(activations).try_for_each(|at| graph.find(*at).map(drop))?;
    limits::check(&graph, batch)?;
    let schedules = schedules::build(&setup, &graph, options)?;
    Ok((setup, schedules))
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
        return Err(Error::Foreign { what: "state", owner: "context" });
    }
    if state.model() != model {
        return Err(Error::Foreign { what: "state", owner: "model" });
    }
    context.check_options()?;
    options.check_features(context)?;
    options.check_buffers(context, model, state)?;
    let (setup, schedules) =
        design(model, batch, context.tuning(), (state.optimizer(), state.groups()), &options)?;
    let buffers = Buffers::new(context, &setup, state, &options, &schedules.all)?;
    let Schedules { all, logits, loss, signals, activations } = &schedules;
    let whole_batch =
        |shape: &[usize]| std::iter::once(batch).chain(shape.iter().copied()).collect::<Vec<_>>();
    let tensor = |name: String, slice: &Slice, shape: &[usize]| {
        let first = (buffers.origin(slice.region) + slice.offset) as usize / 4;
        Tensor::new(name, buffers.of(slice.region), first, shape)
    };
    let training = options.training.then(|| {
        let signals = signals.iter().map(|(at, RequestedSlices { planes, gradient, diagonal })| {
            let (shape, count) = (whole_batch(at.shape(model)), options.mode.planes());
            let stride = planes.size as usize / 4 / count;
            KeptSignal {
                at: *at,
                planes: tensor(format!("signal at {at:?}"), planes, &[count, stride]),
                gradient: tensor(format!("gradient at {at:?}"), gradient, &shape),
                diagonal: diagonal.map(|slice| tensor(format!("diagonal at {at:?}"), &slice, &shape)),
            }
        });
        let shape = whole_batch(model.output_shape());
        Training {
            targets: buffers.targets.clone(),
            sample_weights: buffers.sample_weights.clone(),
            outside: buffers.outside.as_ref().map(|planes| OutsideSignal::new(planes, options.mode, &shape)),
            loss: loss.as_ref().map(|loss| tensor("loss".into(), loss, &[1])),
            signals: signals.collect(),
            count: buffers.count.clone(),
        }
    });
    let activations = activations.iter().map(|(at, slice)| {
        (*at, tensor(format!("activation at {at:?}"), slice, &whole_batch(at.shape(model))))
    });
    let activations = activations.collect();
    let logits = tensor("logits".into(), logits, &whole_batch(model.output_shape()));
    let (input, memory) = (buffers.input.clone(), buffers.memory());
    let lists = realise::dispatches(context, model, &buffers, all, progress)?;
    let (context, model) = (context.clone(), model.clone());
    Ok(Plan { context, model, batch, lists, training, input, logits, activations, memory, options })
}
