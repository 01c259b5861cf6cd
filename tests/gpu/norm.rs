//! Layer, RMS and group normalisation: against the reference, in training, and at the ends of what can be.

use crate::common::{compare, to_f64};
use crate::harness::{BOUND, Sample, bits, context, not_run, of_class, share_from, steady, submit};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{Conv1d, Conv2d, GroupNorm, LayerNorm, Noise, RmsNorm};
use hesscale::reference::OptimizerState;
use hesscale::tuning::DeviceClass;
use hesscale::wgpu::Features;
use hesscale::{Activation, Dtype, Error, Layer, Loss, Mode, Model, Pass, Plan, PlanOptions, State};

use Activation::{Silu, Tanh};

/// 3×3 without a bias, which a normalisation would take away.
fn conv(channels: usize) -> Conv2d {
    Conv2d::new(channels, 3).same().bias(false)
}

fn networks() -> Vec<(&'static str, Model)> {
    let rows = Model::builder([19]).dense_no_bias(37).layer_norm().act(Tanh);
    let rows = rows.residual(|b| b.dense(37).act(Tanh).rms_norm()).layer(RmsNorm::new().affine(false));
    let images = Model::builder([3, 7, 6]).layer(conv(10)).group_norm(5).act(Tanh);
    let images = images.residual(|b| b.layer(conv(10)).group_norm(10).act(Tanh));
    let images = images.layer(GroupNorm::new(2).affine(false)).flatten().dense(4);
    let first = Model::builder([2, 3, 4]).layer(LayerNorm::new().affine(false)).conv2d(5, 2).layer_norm();
    let last = Model::builder([11]).dense(8).act(Tanh).dense(5).layer_norm();
    let apart = Model::builder([3, 50]).layer(Conv1d::new(10, 1)).layer(LayerNorm::of_channels()).act(Tanh);
    let apart = apart.residual(|b| b.layer(Conv1d::new(10, 1)).act(Tanh).layer(RmsNorm::of_channels()));
    let apart = apart.layer(LayerNorm::of_channels().affine(false)).flatten().dense(4);
    vec![
        ("positions", apart.loss(Loss::cross_entropy()).unwrap()),
        ("rows", rows.dense(5).loss(Loss::cross_entropy()).unwrap()),
        ("images", images.loss(Loss::cross_entropy()).unwrap()),
        ("first", first.act(Tanh).group_norm(1).flatten().dense(3).loss(Loss::mse()).unwrap()),
        ("last", last.loss(Loss::bce_with_logits().sum()).unwrap()),
    ]
}

/// These kernels ask of a class only whether it is software; products between them have tiles of each class in `classes.rs`.
const CLASSES: [DeviceClass; 2] = [DeviceClass::Software, DeviceClass::Discrete];

#[test]
fn networks_follow_the_reference() {
    for (name, model) in networks() {
        for (batch, modes) in
            [(1, &[Mode::HesScale][..]), (37, &Mode::ALL[..]), (257, &[Mode::HesScaleR2][..])]
        {
            let sample = Sample::new(model.clone(), batch, 3);
            for (mode, class) in modes.iter().flat_map(|mode| CLASSES.map(|class| (*mode, class))) {
                let kept = if batch == 37 { sample.places() } else { Vec::new() };
                sample
                    .follows(&of_class(class), mode, &kept)
                    .unwrap_or_else(|fault| panic!("{name}, {mode:?}, batch {batch}, {class:?}: {fault}"));
            }
        }
    }
}

/// Of one number, and of as many as any number of invocations shares; normalised alone, so that nothing else hides an error.
#[test]
fn groups_of_every_size() {
    // One number, or one of two, is ±1 but for ε when it is normalised: ε is large enough to count.
    let eps = 0.1;
    for n in [1, 2, 5, 255, 257, 2049, 16_385, 100_000] {
        let row = || Model::builder([n]);
        let image = |groups| Model::builder([3, n.div_ceil(3), 1]).layer(GroupNorm::new(groups).eps(eps));
        let models = [
            row().layer(LayerNorm::new().eps(eps)),
            row().layer(RmsNorm::new().eps(eps)),
            image(1),
            image(3),
        ];
        for model in models.map(|builder| builder.loss(Loss::mse().sum()).unwrap()) {
            let sample = Sample::new(model, 2, 5);
            for class in CLASSES {
                sample
                    .follows(&of_class(class), Mode::HesScaleR2, &sample.places())
                    .unwrap_or_else(|fault| panic!("{n}, {class:?}: {} {fault}", sample.model.to_json()));
            }
        }
    }
}

#[test]
fn a_group_that_is_too_large_is_refused() {
    let model = Model::builder([1024, 1025]).layer_norm().loss(Loss::mse()).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let refused = Plan::new(&context(), &model, &state, 1, PlanOptions::training(Mode::None)).unwrap_err();
    let (place, limit) = ("layernorm 0".into(), "numbers of a normalised group");
    assert_eq!(refused, Error::Limit { place, limit, needed: 1_049_600, available: 524_288 });
}

#[test]
fn a_whole_network_has_none() {
    let model = Model::builder([5]).dense(8).layer_norm().act(Tanh).dense(3).loss(Loss::mse()).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let options = PlanOptions::training(Mode::HesScale).whole_network(true);
    let kind = "a layer that is not dense in a whole network's kernel".into();
    let refused = Plan::new(&context(), &model, &state, 2, options).unwrap_err();
    assert_eq!(refused, Error::Unsupported { layer: "layernorm 1".into(), kind });
}

#[test]
fn gradients_have_the_same_bits_in_every_mode() {
    for (turn, (name, model)) in networks().into_iter().enumerate() {
        let sample = Sample::new(model, 9, 4);
        for class in share_from(CLASSES, 3, turn) {
            let context = of_class(class);
            let plain = sample.on(&context, PlanOptions::training(Mode::None));
            for mode in Mode::ALL {
                let got = sample.on(&context, PlanOptions::training(mode));
                assert_eq!(bits(&got.gradient), bits(&plain.gradient), "{name} {mode:?} {class:?}");
                assert_eq!(got.loss.to_bits(), plain.loss.to_bits(), "{name} {mode:?} {class:?}");
            }
        }
    }
}

/// Several steps with the update fused where it can be: a normalisation's parameters take their own.
#[test]
fn training_follows_the_cpu() {
    for (name, model) in networks() {
        let (sample, optimizer) = (Sample::new(model.clone(), 13, 6), steady());
        let mode = optimizer.rule.mode();
        let mut executor = Executor::new(&model, 13, ExecutorOptions::training(mode)).unwrap();
        let (mut parameters, mut memory) =
            (to_f64(&sample.parameters), OptimizerState::new(model.flat_len()));
        let mut losses = Vec::new();
        for _ in 0..5 {
            let now: Vec<f32> = parameters.iter().map(|x| *x as f32).collect();
            let targets = sample.targets.view();
            losses.push(executor.pass(mode, &now, &sample.x, targets, Noise::default()).unwrap());
            let (gradient, diagonal) = (to_f64(executor.gradient()), to_f64(executor.diagonal()));
            memory.step(&optimizer, &mut parameters, &gradient, &diagonal).unwrap();
        }
        for class in CLASSES {
            let context = of_class(class);
            let state = State::new(&context, &model, Some(optimizer)).unwrap();
            state.write_parameters(&sample.parameters).unwrap();
            let options = PlanOptions::training(mode).fused_update();
            let plan = Plan::new(&context, &model, &state, 13, options).unwrap();
            plan.write_input(&sample.x).unwrap();
            plan.write_targets(sample.targets.view()).unwrap();
            for loss in &losses {
                submit(&context, |encoder| plan.record_step(encoder, Pass::FULL).unwrap());
                let got = context.read_blocking(&[plan.loss().unwrap()]).unwrap()[0][0];
                compare("loss", &[got.into()], &[(*loss).into()], BOUND)
                    .unwrap_or_else(|fault| panic!("{name} {class:?}: {fault}"));
            }
            let got = context.read_blocking(&[state.parameters()]).unwrap().remove(0);
            compare("parameters", &to_f64(&got[..parameters.len()]), &parameters, BOUND)
                .unwrap_or_else(|fault| panic!("{name} {class:?}: {fault}"));
            assert_eq!(state.read_divergence(), Ok(()));
        }
    }
}

/// Activations and signals in f16, within what `half.rs` allows a layer.
#[test]
fn storage_in_f16() {
    for (turn, (name, model)) in networks().into_iter().enumerate() {
        let sample = Sample::new(model, 9, 4);
        let bound = 12.0 / 2048.0 * (sample.model.layers().len() + 1) as f64;
        for mode in share_from([Mode::HesScale, Mode::HesScaleR2], 2, turn) {
            let want = sample.reference(mode);
            for class in share_from(CLASSES, 3, turn / 2) {
                let context = of_class(class);
                if !context.device().features().contains(Features::SHADER_F16) {
                    return not_run("the adapter has no f16");
                }
                let got = sample.on(&context, PlanOptions::training(mode).storage(Dtype::F16));
                for (what, got, want) in [
                    ("logits", &got.logits, &want.logits),
                    ("gradient", &got.gradient, &want.gradient),
                    ("diagonal", &got.diagonal, &want.diagonal),
                ] {
                    compare(what, &to_f64(got), want, bound)
                        .unwrap_or_else(|fault| panic!("{name} {mode:?} {class:?}: {fault}"));
                }
            }
        }
    }
}

/// A mean of 10,000 and a spread of 1: nothing of the mean's own rounding is left.
#[test]
fn numbers_far_from_zero() {
    for n in [7, 300, 5000] {
        let row = Model::builder([n]).layer_norm().dense(3).loss(Loss::cross_entropy()).unwrap();
        let image = Model::builder([6, n / 7, 2]).group_norm(3).flatten().dense(3);
        for model in [row, image.loss(Loss::cross_entropy()).unwrap()] {
            let mut sample = Sample::new(model, 3, 8);
            sample.x.iter_mut().for_each(|x| *x += 1e4);
            for class in CLASSES {
                sample.follows(&of_class(class), Mode::HesScaleR1, &sample.places()).unwrap();
            }
            let mut executor = Executor::new(&sample.model, 3, ExecutorOptions::inference()).unwrap();
            let got = to_f64(executor.predict(&sample.parameters, &sample.x).unwrap());
            compare("on the CPU", &got, &sample.reference(Mode::None).logits, BOUND).unwrap();
        }
    }
}

/// Equal numbers: the variance is 0, ε decides.
#[test]
fn constant_groups() {
    for value in [0.0, -3.0, 1e-20] {
        for layer in
            [Layer::from(LayerNorm::new()), RmsNorm::new().eps(1e-5).into(), GroupNorm::new(2).into()]
        {
            let model = Model::builder([6, 2, 3]).layer(layer).act(Tanh).flatten().dense(3);
            let mut sample = Sample::new(model.loss(Loss::cross_entropy()).unwrap(), 2, 9);
            sample.x.fill(value);
            for class in CLASSES {
                sample.follows(&of_class(class), Mode::HesScaleR2, &[]).unwrap();
                let outcome = sample.on(&of_class(class), PlanOptions::training(Mode::HesScaleR2));
                assert!(outcome.gradient.iter().chain(&outcome.diagonal).all(|x| x.is_finite()));
            }
        }
    }
}

/// Non-finite numbers, and such whose squares are: the loss is NaN, and the state tells so.
#[test]
fn what_is_not_finite_is_told() {
    let kinds: [Layer; 3] = [LayerNorm::new().into(), RmsNorm::new().into(), GroupNorm::new(3).into()];
    for (layer, bad) in kinds
        .into_iter()
        .flat_map(|layer| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30].map(|bad| (layer.clone(), bad)))
    {
        let model = Model::builder([6, 2, 3]).layer(layer).act(Silu).flatten().dense(3);
        let model = model.loss(Loss::cross_entropy()).unwrap();
        let mut sample = Sample::new(model.clone(), 3, 2);
        let middle = sample.x.len() / 2;
        sample.x[middle] = bad;
        for class in CLASSES {
            let context = of_class(class);
            let state = State::new(&context, &model, Some(steady())).unwrap();
            state.write_parameters(&sample.parameters).unwrap();
            let options = PlanOptions::training(steady().rule.mode());
            let plan = Plan::new(&context, &model, &state, 3, options).unwrap();
            plan.write_input(&sample.x).unwrap();
            plan.write_targets(sample.targets.view()).unwrap();
            submit(&context, |encoder| plan.record_step(encoder, Pass::FULL).unwrap());
            let loss = context.read_blocking(&[plan.loss().unwrap()]).unwrap()[0][0];
            assert!(loss.is_nan(), "{bad} {class:?}: {loss}");
            let told = state.read_divergence();
            assert!(matches!(told, Err(Error::Diverged { .. })), "{bad} {class:?}: {told:?}");
        }
        // On the CPU squares are f64.
        let mut executor = Executor::new(&model, 3, ExecutorOptions::training(Mode::HesScale)).unwrap();
        let (targets, noise) = (sample.targets.view(), Noise::default());
        let loss = executor.pass(Mode::HesScale, &sample.parameters, &sample.x, targets, noise).unwrap();
        assert_eq!(loss.is_nan(), !bad.is_finite(), "{bad}: {loss}");
    }
}
