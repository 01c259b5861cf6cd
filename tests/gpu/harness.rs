//! One context for all tests, and a whole pass through a plan with everything read back.

use crate::common::golden::OwnedTargets;
use hesscale::model::Targets;
use hesscale::{At, Context, ContextOptions, Mode, Model, Pass, Plan, PlanOptions, Request, Result, State};
use std::sync::OnceLock;

/// The adapter to test: `HESSCALE_ADAPTER` picks one by part of its name.
pub(crate) fn request(checked: bool) -> Request {
    let adapter = std::env::var("HESSCALE_ADAPTER").ok();
    Request { adapter, options: ContextOptions { checked, class: None }, ..Request::default() }
}

/// Shared, so that each shader is compiled once.
pub(crate) fn context() -> Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    let make = || {
        let context = pollster::block_on(Context::request_with(&request(false)));
        let context = context.unwrap_or_else(|e| panic!("the GPU tests need an adapter, a software one at least: {e}"));
        println!("adapter: {}", context.describe());
        context
    };
    CONTEXT.get_or_init(make).clone()
}

/// The same with wgpu's run-time checks.
pub(crate) fn checked_context() -> Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    CONTEXT.get_or_init(|| pollster::block_on(Context::request_with(&request(true))).expect("an adapter")).clone()
}

/// What a pass left on the GPU.
pub(crate) struct Outcome {
    pub(crate) loss: f32,
    pub(crate) logits: Vec<f32>,
    pub(crate) gradient: Vec<f32>,
    pub(crate) diagonal: Vec<f32>,
    /// At each layer's output: g, and the diagonal where the mode has one.
    pub(crate) signals: Vec<(Vec<f32>, Vec<f32>)>,
    pub(crate) input_signal: (Vec<f32>, Vec<f32>),
}

/// Forward and backward, signals kept at every layer and at the input.
pub(crate) fn run_with_signals(
    context: &Context,
    model: &Model,
    mode: Mode,
    parameters: &[f32],
    x: &[f32],
    targets: Targets<'_>,
) -> Result<Outcome> {
    let mut options = PlanOptions::training(mode).signal(At::Input);
    for i in 0..model.layers().len() {
        options = options.signal(At::Layer(i));
    }
    run(context, model, options, parameters, x, targets)
}

/// Forward and backward under `options`.
pub(crate) fn run(
    context: &Context,
    model: &Model,
    options: PlanOptions,
    parameters: &[f32],
    x: &[f32],
    targets: Targets<'_>,
) -> Result<Outcome> {
    let state = State::new(context, model, None)?;
    state.write_parameters(parameters)?;
    let places: Vec<At> = options.signals.clone();
    let with_diagonal = options.mode.has_diagonal();
    let plan = Plan::new(context, model, &state, x.len() / model.inputs(), options)?;
    plan.write_input(x)?;
    plan.write_targets(targets)?;
    let mut encoder = context.device().create_command_encoder(&Default::default());
    plan.record_gradient(&mut encoder, Pass::FULL)?;
    context.queue().submit([encoder.finish()]);
    let mut tensors = vec![plan.loss()?, plan.logits(), state.gradient(), state.diagonal()];
    for at in &places {
        tensors.push(plan.signal_gradient(*at)?);
        if with_diagonal {
            tensors.push(plan.signal_diagonal(*at)?);
        }
    }
    let mut read = context.read_blocking(&tensors)?.into_iter();
    let mut next = || read.next().expect("as many as were asked for");
    let (loss, logits, mut gradient, mut diagonal) = (next()[0], next(), next(), next());
    gradient.truncate(model.flat_len());
    diagonal.truncate(model.flat_len());
    let (mut signals, mut input_signal) = (vec![Default::default(); model.layers().len()], Default::default());
    for at in places {
        let signal = (next(), if with_diagonal { next() } else { Vec::new() });
        match at {
            At::Input => input_signal = signal,
            At::Layer(i) => signals[i] = signal,
        }
    }
    Ok(Outcome { loss, logits, gradient, diagonal, signals, input_signal })
}

pub(crate) fn values(targets: &OwnedTargets) -> Targets<'_> {
    targets.view()
}
