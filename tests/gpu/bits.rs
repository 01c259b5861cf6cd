//! Results have the same bits across runs, plans and contexts; and the fused pass's gradient equals plain backprop's.

use crate::common::{relative_max_norm, to_f64};
use crate::harness::{Outcome, Sample, bits, checked_context, context, host_device, request, share, submit};
use crate::layers::mixed;
use crate::problem::{losses, policies};
use hesscale::model::{Conv2d, Noise};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, At, Context, ContextOptions, Loss, Mode, Model, Pass, Plan, PlanOptions, State};

/// Three dense layers, loss number `loss` of the list; sizes of both kinds.
fn sample(loss: usize) -> Sample {
    let builder =
        Model::builder([13]).dense(24).act(Activation::Tanh).dense_no_bias(17).act(Activation::Gelu);
    Sample::new(builder.dense(4).loss(losses(4).swap_remove(loss)).unwrap(), 19, 8)
}

/// Convolutions and the layers around them.
fn images(loss: usize) -> Sample {
    Sample::new(mixed(losses(4).swap_remove(loss)), 7, 8)
}

fn all_bits(outcome: &Outcome) -> Vec<Vec<u32>> {
    let Outcome { loss, logits, gradient, diagonal, input_signal, .. } = outcome;
    [&[*loss][..], logits, gradient, diagonal, &input_signal.0, &input_signal.1].map(bits).to_vec()
}

#[test]
fn the_same_plan_twice() {
    for sample in [sample(1), images(1)] {
        let (model, context) = (&sample.model, context());
        let state = State::new(&context, model, None).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let options = PlanOptions::training(Mode::HesScaleR2);
        let plan = Plan::new(&context, model, &state, sample.batch, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        plan.write_targets(sample.targets.view()).unwrap();
        let run = || {
            state.set_noise(Noise::default()).unwrap();
            submit(&context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
            let tensors = [plan.loss().unwrap(), plan.logits(), state.gradient(), state.diagonal()];
            context.read_blocking(&tensors).unwrap().iter().map(|t| bits(t)).collect::<Vec<_>>()
        };
        let first = run();
        assert!(first.iter().all(|tensor| tensor.iter().any(|word| *word != 0)));
        for _ in 0..5 {
            assert_eq!(run(), first);
        }
    }
}

#[test]
fn plans_and_contexts_agree() {
    let other = pollster::block_on(Context::request_with(&request(false))).unwrap();
    for mode in share([Mode::None, Mode::HesScale, Mode::HesScaleR2], 2) {
        for sample in [sample(1), images(1)] {
            let options = || PlanOptions::training(mode).signal(At::Input);
            let first = all_bits(&sample.on(&context(), options()));
            assert_eq!(all_bits(&sample.on(&context(), options())), first, "{mode:?}");
            assert_eq!(all_bits(&sample.on(&other, options())), first, "{mode:?}");
        }
    }
}

#[test]
fn gradients_of_all_modes_are_the_plain_one() {
    let numbered = |make: fn(usize) -> Sample| [0, 3, 5, 9].map(|loss| (loss, make(loss)));
    for (loss, sample) in numbered(sample).into_iter().chain(numbered(images)) {
        let plain = sample.on(&context(), PlanOptions::training(Mode::None));
        for mode in Mode::ALL {
            let fused = sample.on(&context(), PlanOptions::training(mode));
            assert_eq!(bits(&fused.logits), bits(&plain.logits), "{mode:?}");
            assert_eq!(fused.loss.to_bits(), plain.loss.to_bits(), "{mode:?}");
            let differ =
                bits(&fused.gradient).iter().zip(bits(&plain.gradient)).filter(|(a, b)| **a != *b).count();
            assert_eq!(
                differ,
                0,
                "numbers of the gradient, {mode:?} loss {loss}, {} layers",
                sample.model.layers().len()
            );
        }
    }
}

/// Each loss begins the same gradient, whatever else it begins; label smoothing by itself but for the last bit, since compilers may
/// fuse a multiplication and an addition in one mode and not in another.
#[test]
fn every_loss_gives_all_modes_the_same_gradient() {
    let mut faults = Vec::new();
    let smooth = Loss::from(Loss::cross_entropy().label_smoothing(0.1));
    for (index, loss) in losses(4).into_iter().chain([smooth]).chain(policies()).enumerate() {
        let model = Model::builder([4]).act(Activation::Identity).loss(loss).unwrap();
        let sample = Sample::new(model, 60, 8);
        let g =
            |mode| bits(&sample.on(&context(), PlanOptions::training(mode).signal(At::Input)).input_signal.0);
        let plain = g(Mode::None);
        // PPO has no HesScale-R.
        let modes = [Mode::HesScale, Mode::HesScaleR2];
        for mode in &modes[..if index <= losses(4).len() { 2 } else { 1 }] {
            let apart = if index == losses(4).len() { 1 } else { 0 };
            let differ = g(*mode).iter().zip(&plain).filter(|(a, b)| a.abs_diff(**b) > apart).count();
            if differ > 0 {
                faults.push(format!("loss {index} {mode:?}: {differ} of {}", plain.len()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A convolution's sums are split over the batch in the same way in every mode, whatever the tiles.
#[test]
fn sums_over_parts_of_the_batch_are_cut_alike() {
    let (device, queue) = host_device(hesscale::wgpu::Limits::defaults());
    let options = ContextOptions::default().class(DeviceClass::Discrete);
    let context = Context::from_device(&device, &queue, options);
    let builder = Model::builder([8, 4, 4]).layer(Conv2d::new(36, 3).same()).act(Activation::Tanh);
    let sample = Sample::new(builder.flatten().dense(3).loss(Loss::mse()).unwrap(), 256, 2);
    let gradient = |mode| bits(&sample.on(&context, PlanOptions::training(mode)).gradient);
    let plain = gradient(Mode::None);
    for mode in [Mode::HesScale, Mode::HesScaleR2] {
        let differ = gradient(mode).iter().zip(&plain).filter(|(a, b)| a != b).count();
        assert_eq!(differ, 0, "numbers of {}, {mode:?}", plain.len());
    }
}

/// The derivative of each activation, by itself and fused under a product, has the same bits whatever else is computed.
#[test]
fn every_activation_gives_all_modes_the_same_gradient() {
    let mut faults = Vec::new();
    for (turn, activation) in Activation::ALL.into_iter().enumerate() {
        let builder = Model::builder([24]).act(activation).dense(4).act(activation);
        let sample = Sample::new(builder.loss(losses(4).swap_remove(5)).unwrap(), 19, 8);
        let g =
            |mode| bits(&sample.on(&context(), PlanOptions::training(mode).signal(At::Input)).input_signal.0);
        // A mode each, in turn: f' is computed by the same text in all.
        let (plain, mode) = (g(Mode::None), [Mode::HesScale, Mode::HesScaleR2][turn % 2]);
        let differ = g(mode).iter().zip(&plain).filter(|(a, b)| a != b).count();
        if differ > 0 {
            faults.push(format!("{activation:?} {mode:?}: {differ} of {}", plain.len()));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn run_time_checks_change_nothing() {
    for (mode, sample) in [(Mode::HesScaleR2, sample(1)), (Mode::HesScale, images(1))] {
        let options = || PlanOptions::training(mode).signal(At::Input);
        let (free, checked) = (sample.on(&context(), options()), sample.on(&checked_context(), options()));
        for (name, free, checked) in [
            ("gradient", &free.gradient, &checked.gradient),
            ("diagonal", &free.diagonal, &checked.diagonal),
            ("g at the input", &free.input_signal.0, &checked.input_signal.0),
            ("h at the input", &free.input_signal.1, &checked.input_signal.1),
        ] {
            let error = relative_max_norm(&to_f64(checked), &to_f64(free));
            assert!(error <= 1e-6, "{name} {mode:?}: {error:e}");
        }
    }
}

/// An earlier pass does not affect the next: no buffer is read before it is written.
#[test]
fn earlier_passes_leave_no_mark() {
    leave_no_mark(&sample(1), &sample(5));
    leave_no_mark(&images(1), &images(5));
}

fn leave_no_mark(first: &Sample, second: &Sample) {
    let context = context();
    let model = &second.model;
    let state = State::new(&context, model, None).unwrap();
    state.write_parameters(&second.parameters).unwrap();
    let plan =
        Plan::new(&context, model, &state, second.batch, PlanOptions::training(Mode::HesScale)).unwrap();
    let run = |x: &[f32]| {
        plan.write_input(x).unwrap();
        plan.write_targets(second.targets.view()).unwrap();
        state.set_noise(Noise::default()).unwrap();
        submit(&context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
        let read = context.read_blocking(&[state.gradient(), state.diagonal()]).unwrap();
        read.iter().map(|t| bits(t)).collect::<Vec<_>>()
    };
    let clean = run(&second.x);
    let scaled: Vec<f32> = first.x.iter().map(|x| 1e30 * x).collect();
    assert_ne!(run(&scaled), clean);
    assert_eq!(run(&second.x), clean);
}
