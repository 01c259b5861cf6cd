//! Optimisers, lazy curvature and accumulation against the reference.

use crate::Job;
use crate::check::{Check, Gathered};
use crate::common::to_f64;
use crate::gpu::submit;
use crate::problem::{Problem, mlp};
use hesscale::model::{Rule, Targets};
use hesscale::reference::OptimizerState;
use hesscale::{Activation, Context, Loss, Mode, Optimizer, Pass, Plan, PlanOptions, Result, State};

const BATCH: usize = 37;
const STEPS: usize = 5;

pub(crate) fn jobs() -> Vec<Job> {
    let (beta1, beta2, eps) = (0.8, 0.9, 1e-3);
    let (adam, ada) = (Rule::Adam { beta1, beta2, eps }, Rule::AdaHesScale { beta1, beta2, eps });
    let rules = [
        ("sgd", Rule::Sgd { momentum: 0.0, nesterov: false }, 0.0),
        ("sgd with momentum, weight decay", Rule::Sgd { momentum: 0.9, nesterov: false }, 0.1),
        ("sgd with nesterov", Rule::Sgd { momentum: 0.9, nesterov: true }, 0.0),
        ("adam", adam, 0.0),
        ("adam, weight decay", adam, 0.1),
        ("adahesscale", ada, 0.0),
        ("adahesscale, weight decay", ada, 0.1),
        ("adahesscale_gn", Rule::AdaHesScaleGn { beta1, beta2, eps }, 0.0),
    ];
    let row = |(name, rule, decay, lazy): (&str, Rule, f32, bool)| {
        let optimizer = rule.at(0.05).weight_decay(decay);
        Job::new(format!("{name}, {STEPS} steps"), move |context, check| {
            steps(context, check, optimizer, lazy)
        })
    };
    let mut jobs: Vec<Job> =
        rules.into_iter().map(|(name, rule, decay)| row((name, rule, decay, false))).collect();
    jobs.push(row(("adahesscale, curvature every second step", ada, 0.0, true)));
    jobs.push(Job::new("accumulation over two micro-batches", accumulation));
    jobs
}

fn problem(batch: usize) -> Result<Problem> {
    Ok(Problem::random(mlp(&[9, 33, 5], Activation::Tanh, Loss::cross_entropy())?, batch))
}

/// A few steps. The reference uses the GPU's gradient and diagonal, so that only the update is compared: a small diagonal in the
/// denominator would amplify their rounding errors.
fn steps(context: &Context, check: &mut Check, optimizer: Optimizer, lazy: bool) -> Gathered {
    let problem = problem(BATCH)?;
    let (model, mode) = (&problem.model, optimizer.rule.mode());
    let mut state = State::new(context, model, Some(optimizer))?;
    state.write_parameters(&problem.parameters)?;
    let options = PlanOptions::training(mode);
    let plan = Plan::new(context, model, &state, BATCH, if lazy { options.lazy() } else { options })?;
    plan.write_input(&problem.x)?;
    plan.write_targets(problem.targets.view())?;

    let mut parameters = to_f64(&problem.parameters);
    let mut reference = OptimizerState::new(parameters.len());
    let mut optimizer = optimizer;
    for step in 1..=STEPS {
        if step == STEPS / 2 + 1 {
            optimizer.learning_rate *= 0.5;
            state.set_learning_rate(optimizer.learning_rate)?;
        }
        let rests = lazy && step % 2 == 0;
        let pass = if rests { Pass::FULL.without_curvature() } else { Pass::FULL };
        submit(context, |encoder| plan.record_step(encoder, pass))?;

        let (first, second) = state.moments();
        let tensors = [state.gradient(), state.diagonal(), state.parameters()];
        let tensors: Vec<_> = tensors.into_iter().chain(first).chain(second).collect();
        let read = context.read_blocking(&tensors)?;
        let diagonal = if mode.has_diagonal() && !rests { to_f64(&read[1]) } else { Vec::new() };
        reference.step(&optimizer, &mut parameters, &to_f64(&read[0]), &diagonal)?;
        let tag = format!(" after {step}");
        check.compare_flat(model, "param", &tag, &read[2], &parameters);
        for ((name, want), got) in [("m", &reference.m), ("v", &reference.v)].into_iter().zip(&read[3..]) {
            check.compare_flat(model, name, &tag, got, want);
        }
    }
    Ok(())
}

/// Two halves of a batch, accumulated, against the whole.
fn accumulation(context: &Context, check: &mut Check) -> Gathered {
    let problem = problem(2 * BATCH)?;
    let (model, targets) = (&problem.model, problem.targets.view());
    let Targets::Classes(classes) = targets else { unreachable!("the loss is over classes") };
    for mode in Mode::ALL {
        let want = problem.reference(mode)?;
        let state = State::new(context, model, None)?;
        state.write_parameters(&problem.parameters)?;
        let plan = Plan::new(context, model, &state, BATCH, PlanOptions::training(mode).accumulate(0.5))?;
        for (half, pass) in [Pass::FULL, Pass::FULL.accumulating()].into_iter().enumerate() {
            let width = BATCH * model.inputs();
            plan.write_input(&problem.x[half * width..][..width])?;
            plan.write_targets(Targets::Classes(&classes[half * BATCH..][..BATCH]))?;
            submit(context, |encoder| plan.record_gradient(encoder, pass))?;
        }
        let read = context.read_blocking(&[state.gradient(), state.diagonal()])?;
        let tag = format!(" ({})", mode.name());
        check.compare_flat(model, "grad", &tag, &read[0], &want.gradient);
        if mode.has_diagonal() {
            check.compare_flat(model, "diag", &tag, &read[1], &want.diagonal);
        }
    }
    Ok(())
}
