//! Losses with a weight for each sample, means over weights, and policies: golden vectors, the reference, errors.

use crate::common::golden::{Case, OwnedTargets, directory_of_losses, load};
use crate::common::ledger::Ledger;
use crate::common::{compare, to_f64};
use crate::harness::{BOUND, Sample, bits, context, of_class, run, run_weighted, share, share_from, submit};
use crate::problem::{all_losses, policies, sample_weights};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{Noise, Targets};
use hesscale::reference::{pass, weighted_pass};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::{
    Activation, At, Dtype, Error, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State, wgpu,
};

fn golden() -> Vec<(Case, Model)> {
    let cases = load(&directory_of_losses()).unwrap().into_iter().map(Result::unwrap);
    let cases: Vec<_> = cases.map(|case| (case.model.clone().unwrap(), case)).map(|(m, c)| (c, m)).collect();
    assert_eq!(cases.len(), 9);
    cases
}

#[test]
fn golden_losses() {
    let mut ledger = Ledger::new(BOUND);
    for (turn, (case, model)) in golden().into_iter().enumerate() {
        // Each case in two of the classes whose kernels differ by more than tiles.
        for class in share([turn, turn + 1].map(|turn| DeviceClass::ALL[turn % 3]), 2) {
            let context = of_class(class);
            for mode in [Mode::None, Mode::HesScale, Mode::HesScaleGn] {
                let on = |options| {
                    let given = (case.targets.view(), case.weights.as_deref());
                    run_weighted(&context, &model, options, &case.parameters, &case.x, given).unwrap()
                };
                let options = PlanOptions::training(mode);
                let seen = on(options.clone().signal(At::Layer(4)));
                let (g, h) = &seen.signals[4];
                ledger.check(&case, "delta.4", &to_f64(g));
                if mode.has_diagonal() {
                    ledger.check(&case, "s.4", &to_f64(h));
                }
                for got in [seen, on(options)] {
                    ledger.check(&case, "loss", &[got.loss.into()]);
                    ledger.check(&case, "logits", &to_f64(&got.logits));
                    ledger.check_flat(&case, &model, "grad", &to_f64(&got.gradient));
                    if mode.has_diagonal() {
                        ledger.check_flat(&case, &model, mode.name(), &to_f64(&got.diagonal));
                    }
                }
            }
        }
    }
    ledger.settle();
}

fn mlp(outputs: usize, loss: Loss) -> Model {
    Model::builder([5]).dense(11).act(Activation::Tanh).dense(outputs).loss(loss).unwrap()
}

/// Each in three modes, with weights and, every other, without; the sizes of batches and classes of devices in turn; rows of one invocation each
/// and rows that several share.
#[test]
fn every_loss_follows_the_reference() {
    let mut turn = 0;
    for outputs in [6, 96] {
        for (loss, modes) in all_losses(outputs) {
            // What invocations share does not depend on what a mode makes of it.
            let few = [Mode::None, Mode::HesScaleR2, Mode::HesScale];
            for mode in
                modes.into_iter().filter(|mode| few[if outputs == 6 { 0 } else { 2 }..].contains(mode))
            {
                let batch = [1, 40, 257][turn % 3];
                let context = of_class(DeviceClass::ALL[turn % DeviceClass::ALL.len()]);
                let sample = Sample::new(mlp(outputs, loss.clone()), batch, turn as u64);
                let weights = sample_weights(batch, &mut fastrand::Rng::with_seed(turn as u64));
                // Ratios are exponentials of sums over all outputs.
                if outputs == 6 || !matches!(loss, Loss::PpoGaussian { .. }) {
                    let options = PlanOptions::training(mode).whole_network(false);
                    sample.follows_weighted(&context, options.clone(), Some(&weights));
                    if turn % 4 == 0 {
                        sample.follows_weighted(&context, options, None);
                    }
                }
                turn += 1;
            }
        }
    }
}

#[test]
fn policies_in_one_kernel() {
    for (i, loss) in policies().into_iter().enumerate() {
        let ways = [(DeviceClass::Software, 7), (DeviceClass::Discrete, 40), (DeviceClass::Mobile, 257)];
        for (class, batch) in share_from(ways, 3, i) {
            let sample = Sample::new(mlp(6, loss.clone()), batch, i as u64);
            for mode in [Mode::None, Mode::HesScale] {
                sample.follows_weighted(
                    &of_class(class),
                    PlanOptions::training(mode).whole_network(true),
                    None,
                );
            }
        }
    }
}

/// Weights of 1, as they are until they are written, change no bit.
#[test]
fn weights_of_one_change_nothing() {
    for (i, (loss, modes)) in all_losses(6).enumerate().filter(|(i, _)| i % 3 == 0) {
        let sample = Sample::new(mlp(6, loss.clone()), 9, i as u64);
        if loss.reduction() == hesscale::model::Reduction::WeightedMean {
            continue;
        }
        let context = of_class(DeviceClass::ALL[i % DeviceClass::ALL.len()]);
        for mode in share_from(modes, 2, i / 3) {
            let options = PlanOptions::training(mode).whole_network(false);
            let on = |options| {
                let Sample { model, parameters, x, targets, .. } = &sample;
                let got = run(&context, model, options, parameters, x, targets.view()).unwrap();
                [&[got.loss][..], &got.logits, &got.gradient, &got.diagonal].map(bits)
            };
            assert!(on(options.clone()) == on(options.sample_weights()), "{loss:?} {mode:?}");
        }
    }
}

/// A loss at each position of an image has its sample's weight.
#[test]
fn positions_have_their_samples_weight() {
    let losses =
        [Loss::from(Loss::cross_entropy().ignore_index(2)), Loss::bce_with_pos_weight([0.5, 2.0, 3.0])];
    let means = losses.clone().map(Loss::weighted_mean);
    for (i, loss) in losses.into_iter().chain(means).enumerate() {
        let builder = Model::builder([2, 4, 3]).conv2d(3, 2).act(Activation::Tanh).conv2d(3, 1);
        let sample = Sample::new(builder.loss(loss).unwrap(), 5, i as u64);
        for class in [DeviceClass::Software, DeviceClass::Discrete] {
            for mode in [Mode::None, Mode::HesScale] {
                let options = PlanOptions::training(mode);
                sample.follows_weighted(&of_class(class), options, Some(&[1.0, -0.5, 2.0, 0.0, 0.25]));
            }
        }
    }
}

/// Saturated policies, and ratios beyond f32: what the reference gives, never NaN.
#[test]
fn extremes_of_policies() {
    for (i, loss) in policies().into_iter().enumerate() {
        let model = Model::builder([4]).act(Activation::Identity).loss(loss.clone()).unwrap();
        let x = vec![100.0, -100.0, 0.0, 1.0, -100.0, 100.0, 100.0, -100.0, 0.5, 0.25, 0.0, 0.125];
        for (old, advantage) in [(-1.0, 1.5), (-1e30, -1.0), (-1e30, 1.0), (1e30, -1.0), (-200.0, -2.0)] {
            let action: &[f32] = if model.target_len() == 3 { &[1.0] } else { &[0.5, -100.0] };
            let row = [action, &[old, advantage]].concat();
            let sample = Sample {
                model: model.clone(),
                batch: 3,
                parameters: vec![0.0; model.flat_len()],
                x: x.clone(),
                targets: OwnedTargets::Values(row.repeat(3)),
            };
            for class in [DeviceClass::Software, DeviceClass::Discrete] {
                let context = of_class(class);
                let options = PlanOptions::training(Mode::HesScale).signal(At::Layer(0));
                let got = sample.on(&context, options);
                let want = sample.reference(Mode::HesScale);
                let (g, h) = &got.signals[0];
                let what = format!("{i} {old} {advantage}");
                for (got, want) in
                    [(&[got.loss][..], &[want.loss][..]), (g, &want.signals[0].g), (h, &want.signals[0].h)]
                {
                    assert!(got.iter().all(|x| !x.is_nan()), "{what}: {got:?} {want:?}");
                    // What is near the end of f32 may be infinite.
                    let (got, want): (Vec<f64>, Vec<f64>) = to_f64(got)
                        .into_iter()
                        .zip(want.iter().copied())
                        .filter(|(_, want)| want.abs() < 1e37)
                        .unzip();
                    compare(&what, &got, &want, 3e-5).unwrap();
                }
            }
        }
    }
}

/// An action that is none, in the host's own buffer, is told by NaN.
#[test]
fn an_action_that_is_none_is_told() {
    let context = context();
    let model = mlp(4, Loss::ppo_discrete(0.2, 0.0));
    let sample = Sample::new(model.clone(), 2, 1);
    for action in [4.0_f32, -1.0, 1.5, f32::NAN] {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        let size = 4 * 64;
        let buffer = context.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        });
        let rows = [1.0, -1.0, 1.0, action, -1.0, 1.0].map(f32::to_le_bytes).concat();
        context.queue().write_buffer(&buffer, 0, &rows);
        let options = PlanOptions::training(Mode::HesScale).whole_network(false).targets(&buffer);
        let state = State::new(&context, &model, None).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan = Plan::new(&context, &model, &state, 2, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        submit(&context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
        let loss = context.read_blocking(&[plan.loss().unwrap()]).unwrap()[0][0];
        assert!(loss.is_nan(), "{action}: {loss}");
    }
}

/// The host's buffer of weights is read as it is, and nothing else is written to.
#[test]
fn weights_in_the_hosts_buffer() {
    let context = context();
    let sample = Sample::new(mlp(6, Loss::cross_entropy().into()), 9, 3);
    let Sample { model, parameters, x, targets, .. } = &sample;
    let weights = sample_weights(9, &mut fastrand::Rng::with_seed(5));
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let size = 256;
    let buffer = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage,
        mapped_at_creation: false,
    });
    let bytes: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    context.queue().write_buffer(&buffer, 0, &bytes);
    let options = PlanOptions::training(Mode::HesScale);
    let got = run(&context, model, options.clone().sample_weights_in(&buffer), parameters, x, targets.view())
        .unwrap();
    let given = (targets.view(), Some(&weights[..]));
    let want = run_weighted(&context, model, options.clone(), parameters, x, given).unwrap();
    assert_eq!(bits(&got.gradient), bits(&want.gradient));
    assert_eq!(got.loss.to_bits(), want.loss.to_bits());
    // A buffer with another role is refused.
    let state = State::new(&context, model, None).unwrap();
    let options = options.targets(&buffer).sample_weights_in(&buffer);
    let shared = Plan::new(&context, model, &state, 9, options).map(|_| ()).unwrap_err();
    assert!(matches!(shared, Error::SharedBuffer { .. }), "{shared}");
}

#[test]
fn what_cannot_be_is_refused() {
    let context = context();
    let model = mlp(6, Loss::cross_entropy().into());
    let state = State::new(&context, &model, None).unwrap();
    let plan = |options| Plan::new(&context, &model, &state, 3, options);
    let weighted = PlanOptions::training(Mode::HesScale).sample_weights();
    let whole = plan(weighted.clone().whole_network(true)).map(|_| ()).unwrap_err();
    let kind = "a weight for each sample in a whole network's kernel";
    assert_eq!(whole, Error::Unsupported { layer: "loss".into(), kind: kind.into() });
    let without = plan(PlanOptions::training(Mode::HesScale)).unwrap();
    let got = without.write_sample_weights(&[1.0; 3]).unwrap_err();
    assert!(matches!(got, Error::NotPlanned { ask: "PlanOptions::sample_weights", .. }), "{got}");
    let with = plan(weighted).unwrap();
    let length = Error::Length { tensor: "sample weights".into(), got: 2, needed: 3 };
    assert_eq!(with.write_sample_weights(&[1.0; 2]), Err(length));
    let got = with.write_sample_weights(&[1.0, f32::NAN, 1.0]).unwrap_err();
    assert!(matches!(got, Error::Value { ref place, .. } if place == "sample 1"), "{got}");

    let mean = Loss::cross_entropy().class_weights([1.0; 6]).weighted_mean();
    let model = mlp(6, mean.into());
    let state = State::new(&context, &model, None).unwrap();
    let options = PlanOptions::training(Mode::None).whole_network(true);
    let whole = Plan::new(&context, &model, &state, 3, options).map(|_| ()).unwrap_err();
    assert!(matches!(whole, Error::Unsupported { ref layer, .. } if layer == "loss"), "{whole}");

    for loss in policies() {
        let model = mlp(6, loss);
        let state = State::new(&context, &model, None).unwrap();
        for mode in [Mode::HesScaleR1, Mode::HesScaleR2] {
            let kind = format!("{} with PPO", mode.name());
            let refused = Error::Unsupported { layer: "loss".into(), kind };
            let plan = Plan::new(&context, &model, &state, 3, PlanOptions::training(mode)).map(|_| ());
            assert_eq!(plan, Err(refused.clone()));
            let executor = Executor::new(&model, 3, ExecutorOptions::training(mode)).map(|_| ());
            assert_eq!(executor, Err(refused));
        }
    }
}

/// Trainers with weights, on a GPU and on the CPU, beside steps without.
#[test]
fn trainers_step_alike() {
    let model = mlp(6, Loss::cross_entropy().into());
    let sample = Sample::new(model.clone(), 9, 3);
    let weights = sample_weights(9, &mut fastrand::Rng::with_seed(6));
    let optimizer = Optimizer::sgd(0.1);
    let options = || TrainerOptions::default().mode(Mode::HesScale).curvature_every(2);
    let gpu = Trainer::new(&context(), &model, optimizer, options()).unwrap();
    let cpu = Trainer::on_cpu(&model, optimizer, options()).unwrap();
    let trained = [gpu, cpu].map(|mut trainer| {
        let (x, targets) = (&sample.x, sample.targets.view());
        trainer.set_parameters(&sample.parameters).unwrap();
        trainer.weighted_step(x, targets, &weights).unwrap();
        trainer.step(x, targets).unwrap();
        trainer.weighted_step(x, targets, &weights).unwrap();
        let (gradient, diagonal) = trainer.weighted_gradient(x, targets, &weights).unwrap();
        let length = Error::Length { tensor: "sample weights".into(), got: 8, needed: 9 };
        assert_eq!(trainer.weighted_step(x, targets, &weights[1..]), Err(length));
        assert_eq!(trainer.steps(), 3);
        [trainer.parameters().unwrap(), gradient, diagonal, vec![trainer.loss().unwrap()]]
    });
    for (gpu, cpu) in trained[0].iter().zip(&trained[1]) {
        compare("trained", &to_f64(gpu), &to_f64(cpu), BOUND).unwrap();
    }
}

/// With signals in f16 the scale of the loss is in the weights' factor too. Losses without kinks: what lies near one falls on either
/// side.
#[test]
fn stored_in_f16() {
    let context = of_class(DeviceClass::Software);
    if !context.device().features().contains(wgpu::Features::SHADER_F16) {
        return crate::harness::not_run("SHADER_F16");
    }
    let by_class = Loss::cross_entropy().class_weights([1.0, 2.0, 0.5, 1.0, 3.0, 1.0]).weighted_mean();
    let losses = [Loss::cross_entropy().into(), by_class.into(), Loss::mse().weighted_mean()];
    let others = [Loss::relative_mse(0.5), Loss::bce_with_pos_weight([0.5, 1.0, 2.0, 3.0, 4.0, 5.0])];
    // Where one sample has all of the weight its signal is as large as a batch of one's.
    let one = Sample::new(mlp(6, Loss::cross_entropy().weighted_mean().into()), 20_000, 3);
    let all_to_one = |sample: &Sample, partial: bool| {
        let mut weights = vec![0.0; sample.batch];
        weights[0] = 1.0;
        let state = State::new(&context, &sample.model, None).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let options = PlanOptions::training(Mode::HesScale).storage(Dtype::F16);
        let options = if partial { options.partial() } else { options.sample_weights() };
        let plan = Plan::new(&context, &sample.model, &state, sample.batch, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        plan.write_targets(sample.targets.view()).unwrap();
        if partial {
            plan.write_count(1).unwrap()
        } else {
            plan.write_sample_weights(&weights).unwrap()
        }
        submit(&context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
        let x = to_f64(&sample.x[..sample.model.inputs()]);
        let OwnedTargets::Classes(classes) = &sample.targets else { unreachable!("targets are classes") };
        let targets = Targets::Classes(&classes[..1]);
        let want = pass(&sample.model, Mode::HesScale, &to_f64(&sample.parameters), &x, targets).unwrap();
        for (got, want) in [(state.gradient(), want.gradient), (state.diagonal(), want.diagonal)] {
            let got = context.read_blocking(&[got]).unwrap().remove(0);
            compare("one of 20,000", &to_f64(&got[..want.len()]), &want, 2e-2).unwrap();
        }
    };
    all_to_one(&one, false);
    all_to_one(&Sample::new(mlp(6, Loss::cross_entropy().into()), 20_000, 3), true);
    for (i, loss) in losses.into_iter().chain(others).enumerate() {
        let sample = Sample::new(mlp(6, loss.clone()), 40, i as u64);
        let Sample { model, parameters, x, targets, .. } = &sample;
        let weights = sample_weights(40, &mut fastrand::Rng::with_seed(i as u64));
        let options = PlanOptions::training(Mode::HesScale).storage(Dtype::F16);
        let given = (targets.view(), Some(&weights[..]));
        let got = run_weighted(&context, model, options, parameters, x, given).unwrap();
        let (wide, far) = (to_f64(parameters), to_f64(x));
        let weights = Some(&weights[..]);
        let want =
            weighted_pass(model, Mode::HesScale, &wide, &far, targets.view(), weights, Noise::default())
                .unwrap();
        for (got, want) in [
            (&[got.loss][..], &[want.loss][..]),
            (&got.gradient, &want.gradient),
            (&got.diagonal, &want.diagonal),
        ] {
            compare(&format!("{loss:?}"), &to_f64(got), want, 2e-2).unwrap();
        }
    }
}

/// What rounding leaves of weights that cancel is no divisor, on no path; what is a small sum is.
#[test]
fn weights_that_cancel_count_nothing() {
    let model = mlp(4, Loss::cross_entropy().weighted_mean().into());
    let sample = Sample::new(model.clone(), 6, 3);
    let x = to_f64(&sample.x);
    for (weights, cancel) in [
        ([0.1, 0.2, -0.3, 0.4, 0.3, -0.7], true),
        ([0.1, 1e4, -1e4, -0.1, 0.3, -0.25], true),
        ([0.1, 0.2, -0.3, 0.4, 0.3, -0.69], false),
    ] {
        for mode in [Mode::HesScale, Mode::HesScaleR2] {
            let targets = sample.targets.view();
            let want = weighted_pass(
                &model,
                mode,
                &to_f64(&sample.parameters),
                &x,
                targets,
                Some(&weights),
                Noise::default(),
            )
            .unwrap();
            assert_eq!(want.gradient.iter().all(|g| *g == 0.0), cancel, "{weights:?}");
            let near = |what: &str, loss: f32, gradient: &[f32], diagonal: &[f32]| {
                let pairs =
                    [(&[loss][..], &[want.loss][..]), (gradient, &want.gradient), (diagonal, &want.diagonal)];
                for (got, want) in pairs {
                    let bound = if cancel { 0.0 } else { 3e-4 };
                    compare(what, &to_f64(&got[..want.len()]), want, bound)
                        .unwrap_or_else(|fault| panic!("{weights:?} {mode:?}: {fault}"));
                }
            };
            for class in [DeviceClass::Software, DeviceClass::Discrete, DeviceClass::Integrated] {
                let given = (targets, Some(&weights[..]));
                let options = PlanOptions::training(mode);
                let got =
                    run_weighted(&of_class(class), &model, options, &sample.parameters, &sample.x, given);
                let got = got.unwrap();
                near(&format!("{class:?}"), got.loss, &got.gradient, &got.diagonal);
            }
            let mut executor = Executor::new(&model, 6, ExecutorOptions::training(mode)).unwrap();
            let still = Noise::default();
            let loss = executor
                .weighted_pass(mode, &sample.parameters, &sample.x, targets, Some(&weights), still)
                .unwrap();
            near("CPU", loss, executor.gradient(), executor.diagonal());
        }
    }
}
