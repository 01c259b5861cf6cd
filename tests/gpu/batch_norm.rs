//! Batch normalisation by the statistics of the batch: against the reference, in training with running statistics, in parts of a
//! batch.

use crate::common::{compare, to_f64};
use crate::harness::{BOUND, CLASSES, Sample, context, networks_follow, of_class, steady, submit};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{BatchNorm, Conv2d, Noise, OutputSignal};
use hesscale::reference::running_statistics;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, Error, Loss, Mode, Model, Pass, Pieces, Plan, PlanOptions, State};

/// 3×3 without a bias, which a normalisation would take away.
fn conv(channels: usize) -> Conv2d {
    Conv2d::new(channels, 3).same().bias(false)
}

/// Behind a convolution, an activation, a dense layer and nothing; before an activation, in a block, as the last layer.
fn networks() -> Vec<(&'static str, Model)> {
    let norm = BatchNorm::of_batch;
    let images = Model::builder([3, 7, 6]).layer(norm()).layer(conv(10)).layer(norm()).act(Activation::Tanh);
    let images = images.residual(|b| b.layer(norm().eps(1e-2)).act(Activation::Tanh).layer(conv(10)));
    let rows = Model::builder([19]).dense_no_bias(37).layer(norm()).act(Activation::Tanh).dense(9);
    let rows = rows
        .act(Activation::Softplus)
        .layer(norm())
        .act(Activation::Tanh)
        .dense_no_bias(5)
        .layer(norm().momentum(0.3));
    vec![
        ("images", images.flatten().dense(4).loss(Loss::cross_entropy()).unwrap()),
        ("rows", rows.loss(Loss::mse()).unwrap()),
    ]
}

#[test]
fn networks_follow_the_reference() {
    networks_follow(networks());
}

/// Rows in several splits, positions that several invocations share, samples in thousands; a mean far from 0.
#[test]
fn batches_of_every_size() {
    for (batch, shape, class) in [
        (1, [5, 1, 70], 0),
        (5000, [2, 1, 1], 0),
        (5000, [2, 1, 1], 2),
        (3, [6, 60, 61], 2),
        (2, [1, 1, 1], 0),
    ] {
        let model =
            Model::builder(shape).layer(BatchNorm::of_batch().eps(0.1)).loss(Loss::mse().sum()).unwrap();
        let mut sample = Sample::new(model, batch, 5);
        sample.x.iter_mut().for_each(|x| *x += 1e4);
        let outcome = sample.follows(&of_class(CLASSES[class]), Mode::HesScaleR2, &sample.places());
        outcome.unwrap_or_else(|fault| panic!("{batch} of {shape:?}: {fault}"));
    }
}

/// The CPU and all classes, over steps, with what the network predicts by.
#[test]
fn training_follows_the_cpu() {
    for (name, model) in networks() {
        let sample = Sample::new(model.clone(), 13, 6);
        let trained = |mut trainer: Trainer| {
            trainer.set_parameters(&sample.parameters).unwrap();
            for step in 0..8 {
                let batch = Sample::new(model.clone(), 13, 100 + step);
                trainer.step(&batch.x, batch.targets.view()).unwrap();
            }
            let predicted = trainer.predict(&sample.x).unwrap();
            let statistics = trainer.statistics().unwrap();
            [trainer.parameters().unwrap(), statistics, predicted].map(|numbers| to_f64(&numbers))
        };
        let options = TrainerOptions::default;
        let want = trained(Trainer::on_cpu(&model, steady(), options()).unwrap());
        assert!(
            compare("statistics", &want[1], &to_f64(&model.statistics()), 0.1).is_err(),
            "they stand still"
        );
        for class in CLASSES {
            let got = trained(Trainer::new(&of_class(class), &model, steady(), options()).unwrap());
            for (part, (got, want)) in
                ["parameters", "statistics", "outputs"].iter().zip(got.iter().zip(&want))
            {
                compare(part, got, want, 2.0 * BOUND)
                    .unwrap_or_else(|fault| panic!("{name} {class:?}: {fault}"));
            }
        }
    }
}

/// Running statistics as the reference has them, on the CPU and on a GPU: each backward pass moves them, a forward pass does not.
#[test]
fn running_statistics_follow_the_reference() {
    let (_, model) = networks().swap_remove(1);
    let sample = Sample::new(model.clone(), 11, 8);
    let mut want = to_f64(&model.statistics());
    let (parameters, x) = (to_f64(&sample.parameters), to_f64(&sample.x));
    let context = context();
    let state = State::new(&context, &model, None).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let plan = Plan::new(&context, &model, &state, 11, PlanOptions::training(Mode::HesScale)).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    let mut executor = Executor::new(&model, 11, ExecutorOptions::training(Mode::HesScale)).unwrap();
    // The same from the host's signal, which statistics do not depend on.
    let outside = model.clone().with_loss(Loss::external()).unwrap();
    let other = State::new(&context, &outside, None).unwrap();
    other.write_parameters(&sample.parameters).unwrap();
    let outside = Plan::new(&context, &outside, &other, 11, PlanOptions::training(Mode::HesScale)).unwrap();
    outside.write_input(&sample.x).unwrap();
    let ones = vec![1.0; 11 * model.outputs()];
    outside.write_signal(OutputSignal { g: &ones, h: &ones, u: &[] }).unwrap();
    for round in 0..4 {
        submit(&context, |encoder| plan.record_forward(encoder));
        match round {
            0 | 3 => submit(&context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap()),
            1 => {
                let mut pieces = Pieces::gradient(Pass::FULL);
                let mut last = false;
                while !last {
                    submit(&context, |encoder| {
                        last = plan.record_piece(encoder, &mut pieces, 1).unwrap().last;
                    });
                }
            }
            _ => {
                let exchange = |from: &State, to: &State| {
                    let statistics = context.read_blocking(&[from.statistics()]).unwrap().remove(0);
                    to.write_statistics(&statistics[..want.len()]).unwrap();
                };
                exchange(&state, &other);
                submit(&context, |encoder| {
                    outside.record_forward(encoder);
                    outside.record_backward(encoder, Pass::FULL).unwrap();
                });
                exchange(&other, &state);
            }
        }
        executor.forward(&sample.parameters, &sample.x, Noise::default()).unwrap();
        let (mode, targets) = (Mode::HesScale, sample.targets.view());
        executor.pass(mode, &sample.parameters, &sample.x, targets, Noise::default()).unwrap();
        want = running_statistics(&model, &parameters, &x, Noise::default(), &want).unwrap();
        let got = context.read_blocking(&[state.statistics()]).unwrap().remove(0);
        compare(&format!("GPU, {round}"), &to_f64(&got[..want.len()]), &want, BOUND).unwrap();
        compare(&format!("CPU, {round}"), &to_f64(executor.statistics()), &want, BOUND).unwrap();
    }
    let short = Error::Length { tensor: "statistics".into(), got: 3, needed: want.len() };
    assert_eq!(state.write_statistics(&[0.0; 3]).unwrap_err(), short);
    assert_eq!(executor.set_statistics(&[0.0; 3]).unwrap_err(), short);
}

#[test]
fn in_plans_of_every_kind() {
    let [images, rows] = [0, 1].map(|k| Sample::new(networks().swap_remove(k).1, 11, 4));
    images.follows_in_plans_of_every_kind(0, &["0", "2"]);
    rows.follows_in_plans_of_every_kind(1, &["0"]);
}

/// What is not finite in one sample reaches all, and is reported.
#[test]
fn what_is_not_finite_is_told() {
    let (_, model) = networks().swap_remove(1);
    let mut sample = Sample::new(model.clone(), 5, 8);
    sample.x[30] = f32::INFINITY;
    let context = of_class(DeviceClass::Software);
    let state = State::new(&context, &model, Some(steady())).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let options = PlanOptions::training(steady().rule.mode());
    let plan = Plan::new(&context, &model, &state, 5, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    submit(&context, |encoder| plan.record_step(encoder, Pass::FULL).unwrap());
    assert!(context.read_blocking(&[plan.loss().unwrap()]).unwrap()[0][0].is_nan());
    assert!(matches!(state.read_divergence(), Err(Error::Diverged { .. })));
}

#[test]
fn more_than_can_be_counted() {
    let model = Model::builder([1, 1024, 1025]).layer(BatchNorm::of_batch()).loss(Loss::mse()).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let refused = Plan::new(&context(), &model, &state, 4, PlanOptions::training(Mode::None)).unwrap_err();
    let (place, limit) = ("batchnorm 0".into(), "numbers of a channel with statistics of the batch");
    assert_eq!(refused, Error::Limit { place, limit, needed: 4_198_400, available: 4_194_304 });
}

/// An invocation must not loop more than 65,535 times, over positions, entries and vectors u.
#[test]
fn images_too_large_to_sum_over() {
    let large = |norm: BatchNorm| Model::builder([1, 1024, 2048]).layer(norm).loss(Loss::mse()).unwrap();
    for model in [large(BatchNorm::of_batch()), large(BatchNorm::new(vec![0.0], vec![1.0]))] {
        let state = State::new(&context(), &model, None).unwrap();
        let refused = Plan::new(&context(), &model, &state, 1, PlanOptions::training(Mode::HesScaleR2));
        assert!(
            matches!(&refused, Err(Error::Limit { needed: 2_097_152, available: 1_706_496, .. })),
            "{:?}",
            refused.err()
        );
    }
}
