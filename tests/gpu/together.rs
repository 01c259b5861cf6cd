//! All that a training may have, at once: what works by itself works beside the rest.

use crate::common::own::{losses, softplus};
use crate::common::{compare, to_f64};
use crate::harness::{BOUND, CLASSES, Sample, bits, context, of_class, submit};
use crate::problem::sample_weights;
use hesscale::model::{Group, Groups, LayerNorm, Noise, Rule, Schedule, Targets};
use hesscale::reference::weighted_pass;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, At, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State};

const TANH: Activation = Activation::Tanh;
/// Of the plans, and how many samples each step has of it.
const BATCH: usize = 37;
const COUNTS: [usize; 6] = [37, 5, 36, 1, 20, 37];

fn model() -> Model {
    let body =
        Model::builder([7]).dense(20).act(TANH).layer(LayerNorm::new()).dense(67).act(Activation::Silu);
    body.dense(5).loss(Loss::cross_entropy().label_smoothing(0.1).weighted_mean()).unwrap()
}

/// With a limit of each kind that is felt, decay, and a mean of the parameters.
fn optimizer() -> Optimizer {
    let rule = Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-2 };
    rule.at(0.02).weight_decay(0.05).clip_gradient_norm(0.3).clip_update(0.8).average(0.7)
}

fn groups() -> Groups {
    let (slow, bare) = (Group::new().rate(0.25), Group::new().weight_decay(0.0));
    Groups::new().with("3.*", slow).with("*.bias", bare).with("0.weight", Group::new().frozen())
}

fn schedule() -> Schedule {
    Schedule::warm_up(3).then(3, Schedule::exponential(0.7))
}

fn options() -> TrainerOptions {
    TrainerOptions::default().groups(groups()).schedule(schedule()).seed(3)
}

/// A batch of so many samples with their weights, none of which lets a mean over them vanish.
fn batch(step: usize, count: usize) -> (Sample, Vec<f32>) {
    let mut random = fastrand::Rng::with_seed(step as u64);
    let weights = (0..count).map(|_| 0.25 + 2.0 * random.f32()).collect();
    (Sample::new(model(), count, 50 + step as u64), weights)
}

/// How far each parameter has come, which is what a step decides of it.
fn ways(after: &[f32], before: &[f32]) -> Vec<f64> {
    after.iter().zip(before).map(|(after, before)| f64::from(*after) - f64::from(*before)).collect()
}

/// A plan that takes parts of its batch goes where a trainer on the CPU goes with as many samples.
#[test]
fn six_steps_with_everything() {
    let model = model();
    let begun = Sample::new(model.clone(), 1, 1).parameters;
    let mut cpu = Trainer::on_cpu(&model, optimizer(), options()).unwrap();
    cpu.set_parameters(&begun).unwrap();
    for (step, count) in COUNTS.into_iter().enumerate() {
        let (sample, weights) = batch(step, count);
        cpu.weighted_step(&sample.x, sample.targets.view(), &weights).unwrap();
    }
    let want = [cpu.parameters().unwrap(), cpu.averaged_parameters().unwrap()];
    for (class, fused) in CLASSES.into_iter().zip([true, false, true]) {
        let context = of_class(class);
        let buffers = Default::default();
        let mut state = State::with_groups(&context, &model, Some(optimizer()), &groups(), buffers).unwrap();
        state.write_parameters(&begun).unwrap();
        let mut options = PlanOptions::training(Mode::HesScale).partial().sample_weights();
        options.fused_update = fused;
        let plan = Plan::new(&context, &model, &state, BATCH, options).unwrap();
        for (step, count) in COUNTS.into_iter().enumerate() {
            let (sample, mut weights) = batch(step, count);
            let mut x = sample.x.clone();
            x.resize(BATCH * model.inputs(), if context.is_checked() { f32::MAX } else { f32::NAN });
            weights.resize(BATCH, 1e30);
            let mut classes = vec![0; BATCH];
            let Targets::Classes(given) = sample.targets.view() else { unreachable!() };
            classes[..count].copy_from_slice(given);
            plan.write_input(&x).unwrap();
            plan.write_targets(Targets::Classes(&classes)).unwrap();
            plan.write_sample_weights(&weights).unwrap();
            plan.write_count(count).unwrap();
            let rate = f64::from(optimizer().learning_rate) * schedule().factor(step as u64);
            state.set_learning_rate(rate as f32).unwrap();
            submit(&context, |encoder| plan.record_step(encoder, Pass::FULL).unwrap());
        }
        let average = state.average().expect("it is kept");
        let got = context.read_blocking(&[state.parameters(), average]).unwrap();
        for (what, got, want) in [("parameters", &got[0], &want[0]), ("mean", &got[1], &want[1])] {
            for p in model.parameters() {
                let [got, want] = [got, want].map(|all| ways(&all[p.range()], &begun[p.range()]));
                let name = format!("{what}, {}, {class:?}", p.name());
                if p.name() == "0.weight" {
                    assert!(got.iter().chain(&want).all(|way| *way == 0.0), "{name} is frozen");
                    continue;
                }
                assert!(want.iter().any(|way| way.abs() > 1e-3), "{name} stands still");
                compare(&name, &got, &want, 5e-3).unwrap();
            }
        }
    }
}

/// Training goes on from a checkpoint as if it had not stopped, to the last bit.
#[test]
fn it_resumes_bit_for_bit() {
    let model =
        Model::builder([7]).dense(20).act(TANH).dropout(0.3).layer(LayerNorm::new()).dense(67).act(TANH);
    let model = model.dense(5).loss(Loss::cross_entropy().weighted_mean()).unwrap();
    let own = || options().curvature_every(2);
    let on = |kind: usize| match kind {
        0 => Trainer::on_cpu(&model, optimizer(), own()).unwrap(),
        kind => Trainer::new(&of_class(CLASSES[kind - 1]), &model, optimizer(), own()).unwrap(),
    };
    let steps = |trainer: &mut Trainer, steps: std::ops::Range<usize>| {
        for step in steps {
            let (sample, weights) = batch(step, [5, 9][step % 2]);
            trainer.weighted_step(&sample.x, sample.targets.view(), &weights).unwrap();
        }
    };
    let results = |trainer: &Trainer| {
        let (parameters, average) = (trainer.parameters().unwrap(), trainer.averaged_parameters().unwrap());
        [bits(&parameters), bits(&average), bits(&[trainer.loss().unwrap(), trainer.learning_rate()])]
    };
    for kind in 0..=CLASSES.len() {
        let mut through = on(kind);
        steps(&mut through, 0..6);
        let path = std::env::temp_dir().join(format!("hesscale-together-{}-{kind}", std::process::id()));
        let mut first = on(kind);
        steps(&mut first, 0..3);
        first.save(&path).unwrap();
        // Another beginning, of which nothing may be left.
        let mut second = on(kind);
        steps(&mut second, 4..5);
        let loaded = second.load(&path);
        std::fs::remove_file(&path).unwrap();
        loaded.unwrap();
        steps(&mut second, 3..6);
        assert_eq!(results(&second), results(&through), "{kind}");
        assert_ne!(results(&first)[0], results(&through)[0], "{kind}");
    }
}

/// Two models in a row that take parts of their batches, the host's signal between them, as one model takes so many samples.
#[test]
fn two_models_in_a_row_in_part() {
    let ending = |m: hesscale::model::Builder| {
        m.dense(9).act(TANH).dense(4).loss(Loss::cross_entropy().weighted_mean()).unwrap()
    };
    let beginning = |m: hesscale::model::Builder| m.dense(12).act(TANH).dense(6).act(TANH);
    let whole = ending(beginning(Model::builder([7])));
    let first = beginning(Model::builder([7])).loss(Loss::external()).unwrap();
    let second = ending(Model::builder([6]));
    let (context, sample) = (context(), Sample::new(whole, 40, 5));
    let weights = sample_weights(40, &mut fastrand::Rng::with_seed(1));
    let (mine, rest) = sample.parameters.split_at(first.flat_len());
    for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
        let state = |model: &Model, parameters: &[f32]| {
            let state = State::new(&context, model, None).unwrap();
            state.write_parameters(parameters).unwrap();
            state
        };
        let states = [state(&first, mine), state(&second, rest)];
        let options = || PlanOptions::training(mode).partial();
        let one = Plan::new(&context, &first, &states[0], 40, options()).unwrap();
        let reads = options().sample_weights().input(one.logits()).signal(At::Input);
        let two = Plan::new(&context, &second, &states[1], 40, reads).unwrap();
        for count in [40, 17, 1] {
            let (mut x, mut heavy) = (sample.x.clone(), weights.clone());
            x[count * 7..].fill(if context.is_checked() { f32::MAX } else { f32::NAN });
            heavy[count..].fill(1e30);
            one.write_input(&x).unwrap();
            two.write_targets(sample.targets.view()).unwrap();
            two.write_sample_weights(&heavy).unwrap();
            [&one, &two].iter().for_each(|plan| plan.write_count(count).unwrap());
            let (from, to) = (two.signal_planes(At::Input).unwrap(), one.outside_signal().unwrap().planes());
            submit(&context, |encoder| {
                one.record_forward(encoder);
                two.record_gradient(encoder, Pass::FULL).unwrap();
                let (source, target) = (from.bytes(), to.bytes());
                let size = target.end - target.start;
                encoder.copy_buffer_to_buffer(from.buffer(), source.start, to.buffer(), target.start, size);
                one.record_backward(encoder, Pass::FULL).unwrap();
            });
            let Targets::Classes(classes) = sample.targets.view() else { unreachable!() };
            let want = weighted_pass(
                &sample.model,
                mode,
                &to_f64(&sample.parameters),
                &to_f64(&sample.x[..count * 7]),
                Targets::Classes(&classes[..count]),
                Some(&weights[..count]),
                Noise::default(),
            )
            .unwrap();
            let near = |name: &str, of: [&hesscale::Tensor; 2], want: &[f64]| {
                let read = context.read_blocking(&of).unwrap();
                let got = [&read[0][..first.flat_len()], &read[1][..second.flat_len()]].concat();
                compare(name, &to_f64(&got), want, BOUND).unwrap_or_else(|e| panic!("{mode:?} {count}: {e}"));
            };
            near("gradient", [states[0].gradient(), states[1].gradient()], &want.gradient);
            if mode.has_diagonal() {
                near("diagonal", [states[0].diagonal(), states[1].diagonal()], &want.diagonal);
            }
        }
    }
}

/// A loss and an activation in a user's words with weights of samples, whole and in part, and in HesScale-R.
#[test]
fn own_texts_with_weights_in_part() {
    for (turn, loss) in losses().into_iter().enumerate() {
        for (loss, mode) in [(loss.clone(), Mode::HesScale), (loss.weighted_mean(), Mode::HesScaleR1)] {
            let body = Model::builder([7]).dense(33).act(softplus()).dense(6);
            let sample = Sample::new(body.loss(loss).unwrap(), BATCH, 9);
            let (model, context) = (&sample.model, of_class(CLASSES[turn % CLASSES.len()]));
            let weights = sample_weights(BATCH, &mut fastrand::Rng::with_seed(4));
            sample.follows_weighted(&context, PlanOptions::training(mode), Some(&weights));
            let count = 21;
            let state = State::new(&context, model, None).unwrap();
            state.write_parameters(&sample.parameters).unwrap();
            let options = PlanOptions::training(mode).partial().sample_weights();
            let plan = Plan::new(&context, model, &state, BATCH, options).unwrap();
            plan.write_input(&sample.x).unwrap();
            plan.write_targets(sample.targets.view()).unwrap();
            plan.write_sample_weights(&weights).unwrap();
            plan.write_count(count).unwrap();
            submit(&context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
            let Targets::Values(targets) = sample.targets.view() else { unreachable!() };
            let want = weighted_pass(
                model,
                mode,
                &to_f64(&sample.parameters),
                &to_f64(&sample.x[..count * 7]),
                Targets::Values(&targets[..count * model.target_len()]),
                Some(&weights[..count]),
                Noise::default(),
            )
            .unwrap();
            let read = context.read_blocking(&[state.gradient(), state.diagonal()]).unwrap();
            for (name, got, want) in
                [("gradient", &read[0], &want.gradient), ("diagonal", &read[1], &want.diagonal)]
            {
                let name = format!("{name}, {:?}", model.loss());
                compare(&name, &to_f64(&got[..want.len()]), want, BOUND).unwrap();
            }
        }
    }
}
