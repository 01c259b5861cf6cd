//! Dropout on the GPU: the same random numbers as the reference, advancing with every pass.

use crate::common::{compare, to_f64};
use crate::harness::{BOUND, Sample, bits, context, submit};
use hesscale::model::{Conv2d, Noise};
use hesscale::reference::{pass_with_noise, predict};
use hesscale::{Activation, At, Loss, Mode, Model, Pass, Plan, PlanOptions, State};

/// Nothing but dropout, on images of five channels.
fn only(p: f64) -> Sample {
    Sample::new(Model::builder([5, 3, 7]).dropout(p).loss(Loss::mse()).unwrap(), 4, 1)
}

/// Dropout on images, within a block, and on rows.
fn network() -> Sample {
    let body =
        |b: hesscale::model::Builder| b.layer(Conv2d::new(5, 3).same()).dropout(0.25).act(Activation::Tanh);
    let builder = Model::builder([2, 5, 5]).conv2d(5, 2).act(Activation::Tanh).dropout(0.5).residual(body);
    let builder = builder.flatten().dropout(0.1).dense(6).dropout(0.75).dense(3);
    Sample::new(builder.loss(Loss::cross_entropy()).unwrap(), 3, 2)
}

fn state(sample: &Sample) -> State {
    let state = State::new(&context(), &sample.model, None).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    state
}

fn plan(sample: &Sample, state: &State, options: PlanOptions) -> Plan {
    let plan = Plan::new(&context(), &sample.model, state, sample.batch, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    if plan.loss().is_ok() {
        plan.write_targets(sample.targets.view()).unwrap();
    }
    plan
}

fn read(tensor: &hesscale::Tensor) -> Vec<f32> {
    context().read_blocking(&[tensor]).unwrap().swap_remove(0)
}

#[test]
fn masks_are_the_references() {
    let noise = Noise { seed: 0xdead_beef, step: 41 };
    for p in [0.0, 0.1, 0.5, 0.9] {
        let sample = only(p);
        let state = state(&sample);
        state.set_noise(noise).unwrap();
        let plan = plan(&sample, &state, PlanOptions::training(Mode::HesScale).signal(At::Input));
        submit(&context(), |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
        let (z, g) = (read(plan.logits()), read(plan.signal_gradient(At::Input).unwrap()));
        for (i, (z, g)) in z.iter().zip(&g).enumerate() {
            let kept = noise.keeps(0, i as u32, p);
            assert_eq!([*z != 0.0, *g != 0.0], [kept; 2], "element {i} with p = {p}");
        }
    }
}

#[test]
fn steps_of_one_submission_draw_different_numbers() {
    let sample = network();
    let (state, seed) = (state(&sample), 7);
    state.set_noise(Noise { seed, step: 3 }).unwrap();
    let plan = plan(&sample, &state, PlanOptions::training(Mode::HesScaleR2).accumulate(1.0));
    let steps = |count: usize| {
        submit(&context(), |encoder| {
            for i in 0..count {
                let pass = if i == 0 { Pass::FULL } else { Pass::FULL.accumulating() };
                plan.record_gradient(encoder, pass).unwrap();
            }
        });
        context().read_blocking(&[state.gradient(), state.diagonal(), plan.logits()]).unwrap()
    };
    let got = steps(3);
    let (parameters, x) = (to_f64(&sample.parameters), to_f64(&sample.x));
    let want: Vec<_> = (3..6)
        .map(|step| {
            let noise = Noise { seed, step };
            let (model, targets) = (&sample.model, sample.targets.view());
            pass_with_noise(model, Mode::HesScaleR2, &parameters, &x, targets, noise).unwrap()
        })
        .collect();
    assert_ne!(want[0].logits, want[1].logits);
    let sum = |of: fn(&hesscale::reference::PassOutput<f64>) -> &Vec<f64>| -> Vec<f64> {
        (0..of(&want[0]).len()).map(|i| want.iter().map(|pass| of(pass)[i]).sum()).collect()
    };
    for p in sample.model.parameters().iter().map(|p| p.range()) {
        compare("gradient", &to_f64(&got[0][p.clone()]), &sum(|pass| &pass.gradient)[p.clone()], BOUND)
            .unwrap();
        compare("diagonal", &to_f64(&got[1][p.clone()]), &sum(|pass| &pass.diagonal)[p], BOUND).unwrap();
    }
    compare("logits of the last", &to_f64(&got[2]), &want[2].logits, BOUND).unwrap();
    let words: Vec<u32> = bits(&read(state.noise_words()));
    assert_eq!(words[..2], [seed, 6]);
    // After a reset the same numbers are drawn.
    state.set_noise(Noise { seed, step: 3 }).unwrap();
    assert_eq!(steps(3), got);
    assert_ne!(steps(3), got);
}

#[test]
fn inference_drops_nothing_and_draws_nothing() {
    let sample = network();
    let state = state(&sample);
    state.set_noise(Noise { seed: 1, step: 9 }).unwrap();
    let plan = plan(&sample, &state, PlanOptions::inference());
    submit(&context(), |encoder| plan.record_forward(encoder));
    let want = predict(&sample.model, &to_f64(&sample.parameters), &to_f64(&sample.x)).unwrap();
    compare("logits", &to_f64(&read(plan.logits())), &want, BOUND).unwrap();
    assert_eq!(bits(&read(state.noise_words()))[..2], [1, 9]);
    assert!(plan.dispatches().all(|(label, _)| !label.contains("dropout")));
}

/// An inference plan of a dropout-only network returns its input.
#[test]
fn of_nothing_but_dropout_remains_the_input() {
    let sample = only(0.5);
    let state = state(&sample);
    let inference = plan(&sample, &state, PlanOptions::inference());
    submit(&context(), |encoder| inference.record_forward(encoder));
    assert_eq!(read(inference.logits()), sample.x);
}
