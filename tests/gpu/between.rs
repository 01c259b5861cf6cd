//! What trainers, on GPUs of every class and on the CPU, let a host do between gradient and update.

use crate::harness::{bits, of_class};
use hesscale::model::{MaxPool2d, Rule, Targets};
use hesscale::train::{Between, Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, Error, Loss, Model, Optimizer};

/// With dropout, so that a step that was given up would show in the next.
fn model() -> Model {
    let model = Model::builder([3, 9, 7]).conv2d(6, 3).act(Activation::Tanh).layer(MaxPool2d::new(2));
    let model = model.flatten().dropout(0.2).dense(70).act(Activation::Tanh).dense(5);
    model.loss(Loss::cross_entropy()).unwrap()
}

fn batch(step: usize) -> (Vec<f32>, Vec<u32>) {
    let mut random = fastrand::Rng::with_seed(step as u64);
    let samples = if step % 3 == 2 { 5 } else { 19 };
    let x = (0..samples * 189).map(|_| random.f32() * 2.0 - 1.0).collect();
    (x, (0..samples).map(|_| random.u32(..5)).collect())
}

/// One trainer on the CPU and one of each class, the same from the same start.
fn trainers(optimizer: Optimizer, options: &TrainerOptions) -> Vec<(String, Trainer)> {
    let gpu = |class| {
        let trainer = Trainer::new(&of_class(class), &model(), optimizer, options.clone()).unwrap();
        (format!("{class:?}"), trainer)
    };
    let cpu = Trainer::on_cpu(&model(), optimizer, options.clone()).unwrap();
    DeviceClass::ALL.into_iter().map(gpu).chain([("CPU".to_owned(), cpu)]).collect()
}

fn parameters(trainer: &Trainer) -> Vec<u32> {
    bits(&trainer.parameters().unwrap())
}

#[test]
fn nothing_between_changes_nothing() {
    let ada = Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(0.01).weight_decay(0.1);
    for (optimizer, every) in [(ada, 2), (Optimizer::sgd(0.05), 1)] {
        let options = TrainerOptions::default().seed(5).curvature_every(every);
        let pairs = trainers(optimizer, &options).into_iter().zip(trainers(optimizer, &options));
        for ((name, mut plain), (_, mut with)) in pairs {
            for step in 0..4 {
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
                    assert_eq!(curvature, every == 2 && step % 2 == 0 || every == 1 && name != "CPU");
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
    for (name, mut trainer) in trainers(Optimizer::sgd(rate), &TrainerOptions::default().seed(2)) {
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

/// An error between leaves the trainer as it was, and the next step is as if nothing had been.
#[test]
fn an_error_between_stops_the_step() {
    let options = TrainerOptions::default().seed(9);
    let adam = Optimizer::adam(0.01);
    for ((name, mut plain), (_, mut given_up)) in
        trainers(adam, &options).into_iter().zip(trainers(adam, &options))
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
