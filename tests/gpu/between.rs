//! What trainers, on GPUs of every class and on the CPU, let a host do between gradient and update.

use crate::common::{compare, to_f64};
use crate::harness::{CLASSES, bits, of_class, share_from};
use crate::problem::sample_weights;
use hesscale::model::{MaxPool2d, Rule, Schedule, Targets};
use hesscale::train::{Between, Trainer, TrainerOptions};
use hesscale::{Activation, Error, Loss, Mode, Model, Optimizer};

/// With dropout, so that a step that was given up would show in the next.
fn model() -> Model {
    let model = Model::builder([3, 9, 7]).conv2d(6, 3).act(Activation::Tanh).layer(MaxPool2d::new(2));
    let model = model.flatten().dropout(0.2).dense(70).act(Activation::Tanh).dense(5);
    model.loss(Loss::cross_entropy()).unwrap()
}

/// Small enough to be one kernel on a GPU.
fn dense() -> Model {
    let model =
        Model::builder([189]).dense(30).act(Activation::Tanh).dense(33).act(Activation::Tanh).dense(5);
    model.loss(Loss::cross_entropy()).unwrap()
}

fn batch(step: usize) -> (Vec<f32>, Vec<u32>) {
    let mut random = fastrand::Rng::with_seed(step as u64);
    let samples = if step % 3 == 2 { 5 } else { 19 };
    let x = (0..samples * 189).map(|_| random.f32() * 2.0 - 1.0).collect();
    (x, (0..samples).map(|_| random.u32(..5)).collect())
}

/// One trainer on the CPU and one of each class that has kernels of a family of its own, the same from the same start.
fn trainers(model: &Model, optimizer: Optimizer, options: &TrainerOptions) -> Vec<(String, Trainer)> {
    let gpu = |class| {
        let trainer = Trainer::new(&of_class(class), model, optimizer, options.clone()).unwrap();
        (format!("{class:?}"), trainer)
    };
    let cpu = Trainer::on_cpu(model, optimizer, options.clone()).unwrap();
    share_from(CLASSES, 2, model.layers().len()).map(gpu).chain([("CPU".to_owned(), cpu)]).collect()
}

fn parameters(trainer: &Trainer) -> Vec<u32> {
    bits(&trainer.parameters().unwrap())
}

#[test]
fn nothing_between_changes_nothing() {
    let ada = Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(0.01).weight_decay(0.1);
    let cases = [(model(), ada, 2), (dense(), ada, 2), (dense(), Optimizer::sgd(0.05), 1)];
    for (model, optimizer, every) in cases {
        let schedule = Schedule::exponential(0.7);
        let options = TrainerOptions::default().seed(5).curvature_every(every).schedule(schedule);
        let pairs =
            trainers(&model, optimizer, &options).into_iter().zip(trainers(&model, optimizer, &options));
        for ((name, mut plain), (_, mut with)) in pairs {
            for step in 0..3 {
                let (x, y) = batch(step);
                plain.step(&x, Targets::Classes(&y)).unwrap();
                let mut calls = 0;
                let act = |between: Between<'_>| {
                    calls += 1;
                    let curvature = match between {
                        Between::Gpu { curvature, .. } => curvature,
                        Between::Cpu { diagonal, .. } => !diagonal.is_empty(),
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(curvature, every == 2 && step % 2 == 0);
                    Ok(())
                };
                with.step_with(&x, Targets::Classes(&y), act).unwrap();
                assert_eq!((calls, plain.steps()), (1, with.steps()));
                assert_eq!(plain.loss().unwrap().to_bits(), with.loss().unwrap().to_bits(), "{name}");
            }
            assert_eq!(parameters(&plain), parameters(&with), "{name}, {optimizer:?}");
        }
    }
}

/// Half of the first layer's gradient is masked, and all of it seen.
#[test]
fn a_masked_gradient_moves_nothing() {
    let (model, (x, y)) = (model(), batch(0));
    let (first, rate) = (model.parameters()[0].range(), 0.5);
    let masked = first.start..first.start + 64;
    for (name, mut trainer) in trainers(&model, Optimizer::sgd(rate), &TrainerOptions::default().seed(2)) {
        let before = trainer.parameters().unwrap();
        let mut seen = Vec::new();
        let has = |there: bool| assert_eq!(there, name != "CPU");
        has(trainer.context().is_some());
        has(trainer.state().is_some());
        let act = |between: Between<'_>| {
            match between {
                Between::Gpu { encoder, state, plan, .. } => {
                    // Nothing else needs the diagonal's buffer.
                    let [from, to] =
                        [state.gradient(), state.diagonal()].map(|flat| (flat.buffer(), flat.bytes()));
                    encoder.copy_buffer_to_buffer(
                        from.0,
                        from.1.start,
                        to.0,
                        to.1.start,
                        to.1.end - to.1.start,
                    );
                    let part = from.1.start + 4 * masked.start as u64;
                    encoder.clear_buffer(from.0, part, Some(4 * masked.len() as u64));
                    assert_eq!(plan.batch(), 19);
                }
                Between::Cpu { gradient, parameters, .. } => {
                    assert_eq!(parameters, before);
                    seen = gradient.to_vec();
                    gradient[masked.clone()].fill(0.0);
                }
                other => panic!("{other:?}"),
            }
            Ok(())
        };
        trainer.step_with(&x, Targets::Classes(&y), act).unwrap();
        if let Some(state) = trainer.state() {
            seen = state.context().read_blocking(&[state.diagonal()]).unwrap().swap_remove(0);
        }
        let after = trainer.parameters().unwrap();
        assert_eq!(bits(&after[masked.clone()]), bits(&before[masked.clone()]), "{name}");
        assert!(seen[masked.clone()].iter().any(|g| *g != 0.0), "{name}");
        for index in (masked.end..first.end).chain(first.end..model.flat_len()) {
            let want = before[index] - rate * seen[index];
            assert!((after[index] - want).abs() <= 1e-6, "{name}: {index}: {} for {want}", after[index]);
        }
    }
}

/// AdaHesScale that finds the gradient in the diagonal's place is Adam.
#[test]
fn the_update_reads_what_was_left_for_it() {
    let (beta1, beta2, eps) = (0.9, 0.99, 1e-4);
    let adam = Rule::Adam { beta1, beta2, eps }.at(0.01);
    let ada = Rule::AdaHesScale { beta1, beta2, eps }.at(0.01);
    let options = TrainerOptions::default().seed(6).mode(Mode::HesScale);
    for model in [model(), dense()] {
        let pairs = trainers(&model, adam, &options).into_iter().zip(trainers(&model, ada, &options));
        for ((name, mut plain), (_, mut with)) in pairs {
            for step in 0..2 {
                let (x, y) = batch(step);
                plain.step(&x, Targets::Classes(&y)).unwrap();
                let act = |between: Between<'_>| {
                    match between {
                        Between::Gpu { encoder, state, .. } => {
                            let [from, to] = [state.gradient(), state.diagonal()];
                            let (at, len) = (to.bytes().start, to.bytes().end - to.bytes().start);
                            encoder.copy_buffer_to_buffer(
                                from.buffer(),
                                from.bytes().start,
                                to.buffer(),
                                at,
                                len,
                            );
                        }
                        Between::Cpu { gradient, diagonal, .. } => diagonal.copy_from_slice(gradient),
                        other => panic!("{other:?}"),
                    }
                    Ok(())
                };
                with.step_with(&x, Targets::Classes(&y), act).unwrap();
            }
            let [found, want] = [&with, &plain].map(|trainer| to_f64(&trainer.parameters().unwrap()));
            compare(&name, &found, &want, 1e-6).unwrap();
            with.step(&batch(0).0, Targets::Classes(&batch(0).1)).unwrap();
            plain.step(&batch(0).0, Targets::Classes(&batch(0).1)).unwrap();
            let [found, want] = [&with, &plain].map(|trainer| to_f64(&trainer.parameters().unwrap()));
            compare(&name, &found, &want, 1e-4).unwrap_err();
        }
    }
}

/// An error between leaves the trainer as it was, and the next step is as if nothing had been.
#[test]
fn an_error_between_stops_the_step() {
    let options = TrainerOptions::default().seed(9);
    let adam = Optimizer::adam(0.01);
    for ((name, mut plain), (_, mut given_up)) in
        trainers(&model(), adam, &options).into_iter().zip(trainers(&model(), adam, &options))
    {
        let (x, y) = batch(0);
        let error = Error::EmptyModel;
        let told = given_up.step_with(&x, Targets::Classes(&y), |_| Err(error.clone()));
        assert_eq!(told, Err(error));
        assert_eq!((given_up.steps(), parameters(&given_up)), (0, parameters(&plain)), "{name}");
        for trainer in [&mut plain, &mut given_up] {
            trainer.step(&x, Targets::Classes(&y)).unwrap();
        }
        assert_eq!(parameters(&plain), parameters(&given_up), "{name}");
        let short = given_up.step_with(&x[1..], Targets::Classes(&y), |_| panic!("nothing to act on"));
        assert!(matches!(short, Err(Error::Length { .. })), "{name}");
    }
}

/// Weights of samples reach what is done between gradient and update, and the update.
#[test]
fn weights_reach_what_is_between() {
    let (model, ada) = (dense(), Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(0.01));
    let options = TrainerOptions::default().seed(5);
    for ((name, mut plain), (_, mut with)) in
        trainers(&model, ada, &options).into_iter().zip(trainers(&model, ada, &options))
    {
        for step in 0..3 {
            let (x, y) = batch(step);
            let weights = sample_weights(y.len(), &mut fastrand::Rng::with_seed(step as u64));
            let targets = Targets::Classes(&y);
            let (gradient, diagonal) = with.weighted_gradient(&x, targets, &weights).unwrap();
            plain.weighted_step(&x, targets, &weights).unwrap();
            let act = |between: Between<'_>| {
                if let Between::Cpu { gradient: seen, diagonal: curvature, .. } = between {
                    assert_eq!((&*seen, &*curvature), (&gradient[..], &diagonal[..]));
                }
                Ok(())
            };
            with.weighted_step_with(&x, targets, &weights, act).unwrap();
            assert_eq!(parameters(&plain), parameters(&with), "{name}");
            let mut unweighted = with.gradient(&x, targets).unwrap();
            unweighted.0.truncate(3);
            assert_ne!(unweighted.0, with.weighted_gradient(&x, targets, &weights).unwrap().0[..3], "{name}");
            let short = with.weighted_step_with(&x, targets, &weights[1..], |_| panic!("nothing to act on"));
            assert!(matches!(short, Err(Error::Length { .. })), "{name}: {short:?}");
        }
    }
}
