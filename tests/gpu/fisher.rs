//! The diagonal of the empirical Fisher matrix, in one pass on the GPU.

use crate::common::{compare, to_f64};
use crate::harness::{CLASSES, context, not_run, of_class, share_from, submit};
use crate::sample_by_sample::{diagonal, networks, problem};
use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
use hesscale::{
    Activation, Context, Dtype, Error, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State, wgpu,
};

fn follows(
    context: &Context,
    (name, model): (&str, Model),
    batch: usize,
    weighted: bool,
    options: PlanOptions,
    bound: f64,
) {
    let (problem, weights) = problem(model, batch, weighted);
    let want = diagonal(&problem, weights.as_deref());
    let f32s = |numbers: &[f64]| numbers.iter().map(|x| *x as f32).collect::<Vec<_>>();
    let model = &problem.model;
    let state = State::new(context, model, None).unwrap();
    state.write_parameters(&f32s(&problem.parameters)).unwrap();
    let options = if weighted { options.sample_weights() } else { options };
    let plan = Plan::new(context, model, &state, batch, options).unwrap();
    plan.write_input(&f32s(&problem.input)).unwrap();
    plan.write_targets(problem.targets.view()).unwrap();
    weights.iter().for_each(|weights| plan.write_sample_weights(weights).unwrap());
    submit(context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
    let read = context.read_blocking(&[state.diagonal(), state.gradient()]).unwrap();
    let flat = model.flat_len();
    let error = |error| panic!("{name}, {batch} samples, weights {weighted}: {error}");
    compare("diagonal", &to_f64(&read[0][..flat]), &want, bound).unwrap_or_else(error);
    let plain = hesscale::reference::weighted_pass(
        model,
        Mode::None,
        &problem.parameters,
        &problem.input,
        problem.targets.view(),
        weights.as_deref(),
        hesscale::model::Noise::default(),
    );
    compare("gradient", &to_f64(&read[1][..flat]), &plain.unwrap().gradient, bound).unwrap_or_else(error);
}

#[test]
fn it_has_each_samples_square() {
    for class in CLASSES {
        let context = of_class(class);
        for (index, network) in share_from(networks().into_iter().enumerate(), 3, class as usize) {
            let (batch, weighted) = [(9, false), (9, true), (40, false)][(index + class as usize) % 3];
            follows(&context, network, batch, weighted, PlanOptions::training(Mode::Fisher), 2e-5);
        }
    }
}

#[test]
fn stored_in_f16() {
    let context = context();
    if !context.device().features().contains(wgpu::Features::SHADER_F16) {
        return not_run("SHADER_F16");
    }
    for network in networks().into_iter().take(4) {
        let options = PlanOptions::training(Mode::Fisher).storage(Dtype::F16);
        follows(&context, network, 9, false, options, 3e-2);
    }
}

/// Plain steps between, two batches added up, and an update from it, as the CPU's trainer has them.
#[test]
fn every_way_of_recording_it() {
    let context = context();
    let (problem, _) = problem(networks().swap_remove(0).1, 9, false);
    let (model, rule) =
        (&problem.model, hesscale::model::Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-2 });
    let f32s = |numbers: &[f64]| numbers.iter().map(|x| *x as f32).collect::<Vec<_>>();
    let want = diagonal(&problem, None);
    let state = State::new(&context, model, Some(rule.at(0.01))).unwrap();
    let options = PlanOptions::training(Mode::Fisher).lazy().accumulate(0.5);
    let plan = Plan::new(&context, model, &state, 9, options).unwrap();
    plan.write_input(&f32s(&problem.input)).unwrap();
    plan.write_targets(problem.targets.view()).unwrap();
    state.write_parameters(&f32s(&problem.parameters)).unwrap();
    submit(&context, |encoder| {
        plan.record_gradient(encoder, Pass::FULL).unwrap();
        plan.record_gradient(encoder, Pass::FULL.accumulating()).unwrap();
        plan.record_update(encoder, Pass::FULL).unwrap();
        plan.record_gradient(encoder, Pass::FULL.without_curvature()).unwrap();
    });
    let read = context.read_blocking(&[state.diagonal(), state.parameters()]).unwrap();
    let flat = model.flat_len();
    compare("diagonal", &to_f64(&read[0][..flat]), &want, 2e-5).unwrap();
    // The first step: m = g and v = h².
    let plain = hesscale::reference::pass(
        model,
        Mode::None,
        &problem.parameters,
        &problem.input,
        problem.targets.view(),
    );
    let gradient = plain.unwrap().gradient;
    let moved = (0..flat).map(|i| problem.parameters[i] - 0.01 * (gradient[i] / (want[i].abs() + 1e-2)));
    let moved: Vec<f64> = moved.collect();
    compare("parameters", &to_f64(&read[1][..flat]), &moved, 1e-4).unwrap();
}

#[test]
fn a_data_set_batch_by_batch() {
    let model =
        Model::builder([3]).dense(8).act(Activation::Tanh).dense(4).loss(Loss::cross_entropy()).unwrap();
    let mut random = fastrand::Rng::with_seed(2);
    let inputs: Vec<f32> = (0..3 * 13).map(|_| random.f32() - 0.5).collect();
    let data = Dataset::new(inputs, 3, Labels::Classes((0..13).map(|_| random.u32(0..4)).collect())).unwrap();
    let options = || TrainerOptions::default().mode(Mode::Fisher);
    let mut on_cpu = Trainer::on_cpu(&model, Optimizer::adam(1e-3), options()).unwrap();
    let want = to_f64(&on_cpu.diagonal_over(&data, 13).unwrap());
    let mut trainer = Trainer::new(&context(), &model, Optimizer::adam(1e-3), options()).unwrap();
    for batch in [5, 13] {
        let diagonal = trainer.diagonal_over(&data, batch).unwrap();
        compare("diagonal", &to_f64(&diagonal), &want, 1e-5).unwrap_or_else(|e| panic!("{batch}: {e}"));
    }
}

#[test]
fn what_has_no_rule_is_refused() {
    let context = context();
    let model = Model::builder([3]).dense(4).loss(Loss::cross_entropy()).unwrap();
    let state = State::new(&context, &model, None).unwrap();
    let partial = PlanOptions::training(Mode::Fisher).partial();
    let refused = Plan::new(&context, &model, &state, 4, partial).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "plan: `mode fisher with a mean over a part of the batch` is not supported"
    );
    let whole = PlanOptions::training(Mode::Fisher).whole_network(true);
    assert!(matches!(Plan::new(&context, &model, &state, 4, whole), Err(Error::Unsupported { .. })));
}

#[test]
fn trainers_step_alike() {
    follow_the_cpu(Mode::Fisher);
}

/// Trainers that step by a mode's diagonal, on every class, updates fused as they are by default and apart, end where the CPU's does.
pub(crate) fn follow_the_cpu(mode: Mode) {
    let rule = hesscale::model::Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-2 };
    let (optimizer, options) = (rule.at(1e-2), || TrainerOptions::default().mode(mode));
    let image = Model::builder([3, 9, 7])
        .conv2d(6, 3)
        .act(Activation::Tanh)
        .flatten()
        .dense(70)
        .act(Activation::Tanh);
    let rows = Model::builder([13]).dense(130).act(Activation::Tanh).dense(33).act(Activation::Softplus);
    for (turn, (model, batch)) in [(image, 9), (rows, 40)].into_iter().enumerate() {
        let model = model.dense(5).loss(Loss::cross_entropy()).unwrap();
        let mut random = fastrand::Rng::with_seed(3);
        let x: Vec<f32> = (0..batch * model.inputs()).map(|_| random.f32() - 0.5).collect();
        let classes: Vec<u32> = (0..batch).map(|_| random.u32(0..5)).collect();
        let run = |mut trainer: Trainer, apart: bool| {
            for _ in 0..6 {
                let targets = hesscale::model::Targets::Classes(&classes);
                match apart {
                    true => trainer.step_with(&x, targets, |_| Ok(())).unwrap(),
                    false => trainer.step(&x, targets).unwrap(),
                }
            }
            assert!(trainer.loss().unwrap().is_finite());
            to_f64(&trainer.parameters().unwrap())
        };
        let begin = to_f64(&Trainer::on_cpu(&model, optimizer, options()).unwrap().parameters().unwrap());
        let want = run(Trainer::on_cpu(&model, optimizer, options()).unwrap(), false);
        let moved = want.iter().zip(&begin).filter(|(want, begin)| want != begin).count();
        assert!(moved * 10 > 9 * model.parameter_count(), "{moved} of {}", model.parameter_count());
        let ways = CLASSES.into_iter().flat_map(|class| [(class, false), (class, true)]);
        for (class, apart) in share_from(ways, 2, turn + mode.rank()) {
            let trainer = Trainer::new(&of_class(class), &model, optimizer, options()).unwrap();
            let end = run(trainer, apart);
            compare("parameters", &end, &want, 1e-4)
                .unwrap_or_else(|e| panic!("{mode:?} {class:?} {apart}: {e}"));
        }
    }
}
