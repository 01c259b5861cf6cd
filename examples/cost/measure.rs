//! Steps of SGD and of a contender that take turns.

use crate::setting::{CONTENDERS, Experiment};
use hesscale::model::{Init, Targets};
use hesscale::{Context, Model, Optimizer, Pass, Plan, PlanOptions, Result, State};
use std::time::Instant;

/// Steps before the first timed one: they compile, allocate and fill caches.
const WARM_UP: usize = 2;
const LEAST: usize = 7;
const MOST: usize = 201;
/// No step goes far: what is measured is time.
const RATE: f32 = 1e-6;

/// A network's figures.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) size: usize,
    pub(crate) parameters: usize,
    /// Of each contender.
    pub(crate) times: [Times; CONTENDERS.len()],
}

/// Medians of steps that took turns.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    /// Milliseconds of SGD's.
    pub(crate) sgd: f64,
    /// Milliseconds of the contender's.
    pub(crate) own: f64,
    /// Of a contender's step over the SGD step just before it: what disturbs for long disturbs both.
    pub(crate) ratio: f64,
}

pub(crate) fn row(context: &Context, experiment: &Experiment, size: usize, seconds: f64) -> Result<Row> {
    let model = (experiment.model)(size)?;
    let mut times = [Times::default(); CONTENDERS.len()];
    for (times, contender) in times.iter_mut().zip(&CONTENDERS) {
        let share = seconds / CONTENDERS.len() as f64;
        *times = side_by_side(context, &model, (contender.optimizer)(RATE), share)?;
    }
    Ok(Row { size, parameters: model.flat_len(), times })
}

fn side_by_side(context: &Context, model: &Model, optimizer: Optimizer, seconds: f64) -> Result<Times> {
    let (sgd, own) = (plan(context, model, Optimizer::sgd(RATE))?, plan(context, model, optimizer)?);
    let mut pair = 0.0;
    for _ in 0..WARM_UP {
        pair = step(context, &sgd)? + step(context, &own)?;
    }
    let repetitions = (1e3 * seconds / pair) as usize;
    let (mut sgd_times, mut own_times) = (Vec::new(), Vec::new());
    for _ in 0..repetitions.clamp(LEAST, MOST) {
        sgd_times.push(step(context, &sgd)?);
        own_times.push(step(context, &own)?);
    }
    let ratios = own_times.iter().zip(&sgd_times).map(|(own, sgd)| own / sgd).collect();
    Ok(Times { sgd: median(sgd_times), own: median(own_times), ratio: median(ratios) })
}

fn plan(context: &Context, model: &Model, optimizer: Optimizer) -> Result<Plan> {
    let state = State::new(context, model, Some(optimizer))?;
    state.write_parameters(&model.init(Init::Glorot, 1))?;
    let plan = Plan::new(context, model, &state, 1, PlanOptions::training(optimizer.rule.mode()).fused_update())?;
    let mut random = fastrand::Rng::with_seed(1);
    let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.f32()).collect() };
    plan.write_input(&numbers(model.inputs()))?;
    plan.write_targets(Targets::Values(&numbers(model.outputs())))?;
    Ok(plan)
}

/// Milliseconds to record, submit and wait for a training step.
fn step(context: &Context, plan: &Plan) -> Result<f64> {
    let start = Instant::now();
    let mut encoder = context.device().create_command_encoder(&Default::default());
    plan.record_step(&mut encoder, Pass::FULL)?;
    context.queue().submit([encoder.finish()]);
    context.wait()?;
    Ok(1e3 * start.elapsed().as_secs_f64())
}

/// The middle one, the later of two.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}
