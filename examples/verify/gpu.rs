//! A pass on the GPU, with all results read back.

use crate::check::Check;
use crate::problem::Problem;
use hesscale::reference::PassOutput as Reference;
use hesscale::{At, Context, Mode, Pass, Plan, PlanOptions, Result, State};

/// The results of a pass on the GPU.
pub(crate) struct Outcome {
    pub(crate) loss: f32,
    pub(crate) logits: Vec<f32>,
    pub(crate) gradient: Vec<f32>,
    pub(crate) diagonal: Vec<f32>,
    /// g, and the diagonal if the mode has one, at the requested places.
    pub(crate) signals: Vec<(At, Vec<f32>, Vec<f32>)>,
}

/// The two variants of a mode: fused as far as possible, and with all signals kept, which needs separate kernels.
pub(crate) fn ways(problem: &Problem, mode: Mode) -> [PlanOptions; 2] {
    let fused = PlanOptions::training(mode);
    let places = (0..problem.model.layers().len()).map(At::Layer);
    let kept = places.fold(fused.clone().signal(At::Input), PlanOptions::signal);
    [fused, kept]
}

/// Forward pass, loss and backward pass.
pub(crate) fn run(context: &Context, problem: &Problem, options: PlanOptions) -> Result<Outcome> {
    let model = &problem.model;
    let state = State::new(context, model, None)?;
    state.write_parameters(&problem.parameters)?;
    let (places, with_diagonal) = (options.signals.clone(), options.mode.has_diagonal());
    let plan = Plan::new(context, model, &state, problem.x.len() / model.inputs(), options)?;
    plan.write_input(&problem.x)?;
    plan.write_targets(problem.targets.view())?;
    submit(context, |encoder| plan.record_gradient(encoder, Pass::FULL))?;

    let mut tensors = vec![plan.loss()?, plan.logits(), state.gradient(), state.diagonal()];
    for at in &places {
        tensors.push(plan.signal_gradient(*at)?);
        if with_diagonal {
            tensors.push(plan.signal_diagonal(*at)?);
        }
    }
    let mut read = context.read_blocking(&tensors)?.into_iter();
    let mut next = || read.next().unwrap_or_default();
    let (loss, logits, gradient, diagonal) = (next()[0], next(), next(), next());
    let mut signals = Vec::new();
    for at in places {
        signals.push((at, next(), if with_diagonal { next() } else { Vec::new() }));
    }
    Ok(Outcome { loss, logits, gradient, diagonal, signals })
}

/// Records and submits.
pub(crate) fn submit(
    context: &Context,
    record: impl FnOnce(&mut hesscale::wgpu::CommandEncoder) -> Result<()>,
) -> Result<()> {
    let mut encoder = context.device().create_command_encoder(&Default::default());
    record(&mut encoder)?;
    context.queue().submit([encoder.finish()]);
    Ok(())
}

impl Outcome {
    /// Adds all results to a check.
    pub(crate) fn compare(&self, check: &mut Check, problem: &Problem, mode: Mode, want: &Reference<f64>) {
        let way = if self.signals.is_empty() { "" } else { ", signals kept" };
        let tag = format!(" ({}{way})", mode.name());
        check.compare(format!("loss{tag}"), &[self.loss], &[want.loss]);
        check.compare(format!("logits{tag}"), &self.logits, &want.logits);
        check.compare_flat(&problem.model, "grad", &tag, &self.gradient, &want.gradient);
        if mode.has_diagonal() {
            check.compare_flat(&problem.model, "diag", &tag, &self.diagonal, &want.diagonal);
        }
        for (at, g, h) in &self.signals {
            let (place, signal) = match at {
                At::Input => ("input".into(), &want.input_signal),
                At::Layer(index) => (index.to_string(), &want.signals[*index]),
            };
            check.compare(format!("g.{place} ({})", mode.name()), g, &signal.g);
            if mode.has_diagonal() {
                check.compare(format!("h.{place} ({})", mode.name()), h, &signal.h);
            }
        }
    }
}
