//! HesScale-S on the GPU: the reference's draws.

use crate::common::golden::OwnedTargets;
use crate::common::{compare, to_f64};
use crate::fisher::follow_the_cpu;
use crate::harness::{
    CLASSES, context, counted, not_run, of_class, of_class_with_own_tiles, share_from, submit,
};
use crate::problem::{Problem, sample_weights};
use hesscale::model::{Conv2d, Noise, Targets, Variance};
use hesscale::reference::weighted_pass;
use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
use hesscale::{
    Activation, Context, Dtype, Error, Layer, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State,
    wgpu,
};

const MODES: [Mode; 2] = [Mode::HesScaleS1, Mode::HesScaleS2];
const NOISE: Noise = Noise { seed: 3, step: u32::MAX };
const TANH: Activation = Activation::Tanh;

/// Losses whose curvature is a matrix and a diagonal; rows for an invocation and for a workgroup; another draw in the network.
fn networks() -> Vec<(&'static str, Model)> {
    let dense = |outputs: usize| Model::builder([9]).dense(33).act(TANH).dense(outputs);
    let classes = |outputs: usize| (0..outputs).map(|c| 0.5 + 0.25 * (c % 5) as f32).collect::<Vec<_>>();
    let weighted = |outputs| Loss::cross_entropy().class_weights(classes(outputs)).label_smoothing(0.1);
    let image = Model::builder([2, 9, 7]).layer(Conv2d::new(5, 3)).act(Activation::Relu).dropout(0.3);
    let image = image.layer(Conv2d::new(12, 3)).act(TANH).layer(Layer::global_avg_pool()).flatten();
    vec![
        ("classes", dense(6).loss(weighted(6)).unwrap()),
        ("two classes", dense(2).loss(Loss::cross_entropy()).unwrap()),
        ("one class", dense(1).loss(Loss::cross_entropy()).unwrap()),
        ("many classes", dense(150).loss(weighted(150).soft().sum()).unwrap()),
        ("images", image.dense(6).loss(Loss::cross_entropy().ignore_index(2).weighted_mean()).unwrap()),
        ("numbers", dense(7).loss(Loss::mse()).unwrap()),
        ("gaussians", dense(140).loss(Loss::gaussian_nll(Variance::Softplus)).unwrap()),
    ]
}

/// A batch of a plan's, or all but two samples of it.
fn follows(
    context: &Context,
    (name, model): (&str, Model),
    (batch, weighted, partial): (usize, bool, bool),
    (mode, options): (Mode, PlanOptions),
    bound: f64,
) {
    let room = if partial { batch + 2 } else { batch };
    let Problem { model, parameters, input, targets } = Problem::new(model, room, 11);
    let f32s = |numbers: &[f64]| numbers.iter().map(|x| *x as f32).collect::<Vec<_>>();
    let (parameters, input) = (f32s(&parameters), f32s(&input));
    let weights = weighted.then(|| sample_weights(room, &mut fastrand::Rng::with_seed(5)));
    let state = State::new(context, &model, None).unwrap();
    state.write_parameters(&parameters).unwrap();
    state.set_noise(NOISE).unwrap();
    let options = if weighted { options.sample_weights() } else { options };
    let options = if partial { options.partial() } else { options };
    let plan = Plan::new(context, &model, &state, room, options).unwrap();
    if partial {
        plan.write_count(batch).unwrap();
    }
    plan.write_input(&input).unwrap();
    plan.write_targets(targets.view()).unwrap();
    weights.iter().for_each(|weights| plan.write_sample_weights(weights).unwrap());
    submit(context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
    let read = context.read_blocking(&[state.gradient(), state.diagonal(), state.noise_words()]).unwrap();
    let (w, x) = (to_f64(&parameters), to_f64(&input[..batch * model.inputs()]));
    let (weights, len) = (weights.as_ref().map(|weights| &weights[..batch]), batch * model.target_len());
    let targets = match &targets {
        OwnedTargets::Classes(classes) => Targets::Classes(&classes[..len]),
        OwnedTargets::Values(values) => Targets::Values(&values[..len]),
    };
    let want = weighted_pass(&model, mode, &w, &x, targets, weights, NOISE).unwrap();
    for p in model.parameters() {
        for (got, want) in [(&read[0], &want.gradient), (&read[1], &want.diagonal)] {
            compare(&p.name(), &to_f64(&got[p.range()]), &want[p.range()], bound)
                .unwrap_or_else(|e| panic!("{name}, {mode:?}, {batch}, {weighted}, {partial}: {e}"));
        }
    }
    // The next pass draws anew, also behind the last number.
    assert_eq!(read[2].iter().map(|word| word.to_bits()).take(2).collect::<Vec<_>>(), [3, 0]);
}

#[test]
fn it_follows_the_reference() {
    for class in CLASSES {
        let context = of_class(class);
        for (index, network) in share_from(networks().into_iter().enumerate(), 2, class as usize) {
            for mode in MODES {
                let turn = index + class as usize + mode.rank();
                let way =
                    [(9, true, false), (40, false, false), (40, false, true), (9, true, true)][turn % 4];
                follows(&context, network.clone(), way, (mode, PlanOptions::training(mode)), 5e-5);
            }
        }
    }
}

#[test]
fn stored_in_f16() {
    let context = context();
    if !context.device().features().contains(wgpu::Features::SHADER_F16) {
        return not_run("SHADER_F16");
    }
    for (network, mode) in networks().into_iter().zip(MODES.into_iter().cycle()) {
        let options = PlanOptions::training(mode).storage(Dtype::F16);
        follows(&context, network, (9, false, false), (mode, options), 3e-2);
    }
}

#[test]
fn trainers_step_alike() {
    MODES.into_iter().for_each(follow_the_cpu);
}

/// Lazy steps draw nothing but count; what looks at gradients leaves the next draws as they were.
#[test]
fn what_is_drawn_does_not_depend_on_who_looks() {
    let model = Model::builder([3]).dense(40).act(TANH).dense(5).loss(Loss::cross_entropy()).unwrap();
    let mut random = fastrand::Rng::with_seed(2);
    let inputs: Vec<f32> = (0..3 * 24).map(|_| random.f32() - 0.5).collect();
    let data = Dataset::new(inputs, 3, Labels::Classes((0..24).map(|_| random.u32(0..5)).collect())).unwrap();
    let options = || TrainerOptions::default().mode(Mode::HesScaleS1).curvature_every(2).seed(9);
    let rule = || hesscale::model::Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-2 }.at(1e-2);
    let run = |mut trainer: Trainer, looks: bool| {
        for _ in 0..5 {
            trainer.step(data.inputs(), data.labels().targets()).unwrap();
            if looks {
                trainer.diagonal_over(&data, 9).unwrap();
            }
        }
        (to_f64(&trainer.parameters().unwrap()), to_f64(&trainer.diagonal_over(&data, 24).unwrap()))
    };
    let want = run(Trainer::on_cpu(&model, rule(), options()).unwrap(), false);
    assert_eq!(run(Trainer::on_cpu(&model, rule(), options()).unwrap(), true), want);
    let got = run(Trainer::new(&context(), &model, rule(), options()).unwrap(), true);
    compare("parameters", &got.0, &want.0, 1e-4).unwrap();
    compare("diagonal", &got.1, &want.1, 1e-3).unwrap();
}

/// A pass is HesScale-R's and the counter's step; where dispatches are joined, its loss has one of its own, but may be added up in it.
#[test]
fn dispatches() {
    let (_, model) = networks().swap_remove(1);
    for (class, fewer) in CLASSES.into_iter().zip([false, true, true]) {
        let count = |mode| {
            let options = PlanOptions::training(mode).fewer_dispatches(fewer).whole_network(false);
            counted(&of_class_with_own_tiles(class), &model, 16, None, options).len()
        };
        for (sampled, led) in MODES.into_iter().zip([Mode::HesScaleR1, Mode::HesScaleR2]) {
            let more = count(sampled) - count(led);
            assert!(more == 1 || (more == 2 && fewer), "{class:?} {sampled:?}: {more}");
        }
    }
}

#[test]
fn a_network_as_a_whole_has_none() {
    let (context, model) = (context(), networks().swap_remove(0).1);
    let state = State::new(&context, &model, Some(Optimizer::adam(1e-3))).unwrap();
    let whole = PlanOptions::training(Mode::HesScaleS2).whole_network(true);
    let refused = Plan::new(&context, &model, &state, 4, whole).unwrap_err();
    assert!(
        matches!(&refused, Error::Unsupported { kind, .. } if kind.contains("random vectors")),
        "{refused}"
    );
}
