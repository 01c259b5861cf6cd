//! Gradients and diagonals over a data set, on GPUs and on the CPU, against the reference on one batch of all.

use crate::common::golden::OwnedTargets;
use crate::common::not_run::not_run;
use crate::common::{compare, to_f64};
use crate::harness::of_class;
use crate::problem::{sample_weights, targets, weighted_means};
use hesscale::model::{BatchNorm, Conv2d, CrossEntropy, Init, Noise, Reduction, Targets};
use hesscale::reference::{pass, weighted_pass};
use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, Dtype, Error, Loss, Mode, Model, Optimizer};

const SAMPLES: usize = 23;
/// Which kernels a class has does not matter here, but that a GPU's trainer has other plans and buffers than the CPU's.
const CLASSES: [DeviceClass; 2] = [DeviceClass::Software, DeviceClass::Discrete];

fn models() -> Vec<Model> {
    let dense = |loss: Loss| {
        let model = Model::builder([7]).dense(40).act(Activation::Tanh).dense(4);
        model.loss(loss).unwrap()
    };
    let ignoring: CrossEntropy = Loss::cross_entropy().ignore_index(2);
    let image =
        Model::builder([2, 5, 4]).layer(Conv2d::new(3, 3)).act(Activation::Silu).layer(Conv2d::new(4, 1));
    vec![
        dense(ignoring.clone().into()),
        dense(Loss::cross_entropy().sum().into()),
        dense(ignoring.clone().class_weights(vec![0.5, 3.0, 1.0, 0.25]).weighted_mean().into()),
        dense(Loss::mse()),
        dense(Loss::GaussianNll { reduction: Reduction::Mean, var: hesscale::model::Variance::Log }),
        // A class for each position.
        image.loss(ignoring).unwrap(),
    ]
}

fn data(model: &Model) -> Dataset {
    let mut random = fastrand::Rng::with_seed(8);
    let x = (0..SAMPLES * model.inputs()).map(|_| random.f32() * 2.0 - 1.0).collect();
    let labels = match targets(model, SAMPLES, &mut random) {
        OwnedTargets::Classes(classes) => Labels::Classes(classes),
        OwnedTargets::Values(values) => Labels::Values(values),
    };
    Dataset::new(x, model.inputs(), labels).unwrap()
}

fn trainers(model: &Model, mode: Mode) -> Vec<(String, Trainer)> {
    let options = || TrainerOptions::default().seed(4).mode(mode);
    let gpu = |class| {
        let trainer = Trainer::new(&of_class(class), model, Optimizer::sgd(0.1), options()).unwrap();
        (format!("{class:?}"), trainer)
    };
    let cpu = Trainer::on_cpu(model, Optimizer::sgd(0.1), options()).unwrap();
    CLASSES.into_iter().map(gpu).chain([("CPU".to_owned(), cpu)]).collect()
}

#[test]
fn a_whole_set_in_batches_is_one_batch() {
    for model in models() {
        let (data, parameters) = (data(&model), to_f64(&model.init(Init::default(), 4).unwrap()));
        let of =
            |mode| pass(&model, mode, &parameters, &to_f64(data.inputs()), data.labels().targets()).unwrap();
        let want = of(Mode::HesScale);
        for (name, mut trainer) in trainers(&model, Mode::HesScale) {
            for batch in [9, 1, 64] {
                let (gradient, diagonal) = trainer.gradient_over(&data, batch).unwrap();
                let name = format!("{name}, {:?}, batch {batch}", model.loss());
                compare(&name, &to_f64(&gradient), &want.gradient, 1e-5).unwrap();
                compare(&name, &to_f64(&diagonal), &want.diagonal, 1e-5).unwrap();
            }
            assert_eq!(trainer.diagonal_over(&data, 9), Ok(trainer.gradient_over(&data, 9).unwrap().1));
        }
    }
}

/// Weights of both signs, those of the second batch of nine with a sum of 0, whose gradient is not.
fn weights(samples: usize) -> Vec<f32> {
    let mut weights = sample_weights(samples, &mut fastrand::Rng::with_seed(11));
    let second = 9..18;
    let rest: f32 = weights[second.start + 1..second.end].iter().sum();
    weights[second.start] = -rest;
    weights
}

#[test]
fn a_whole_set_with_weights_is_one_batch() {
    let by_weights = weighted_means(4).into_iter().map(|loss| {
        let model = Model::builder([7]).dense(40).act(Activation::Tanh).dense(4);
        model.loss(loss).unwrap()
    });
    for (turn, model) in models().into_iter().chain(by_weights).enumerate() {
        let data = data(&model).with_weights(weights(SAMPLES)).unwrap();
        let (x, targets) = (to_f64(data.inputs()), data.labels().targets());
        let parameters = to_f64(&model.init(Init::default(), 4).unwrap());
        let of =
            |mode| weighted_pass(&model, mode, &parameters, &x, targets, data.weights(), Noise::default());
        let want = of(Mode::HesScale).unwrap();
        let squares = of_samples(&model, &data, &parameters);
        for (name, mut trainer) in trainers(&model, Mode::HesScale).into_iter().skip(turn % 2) {
            let name = format!("{name}, {:?}", model.loss());
            let whole = trainer.weighted_gradient(data.inputs(), targets, data.weights().unwrap()).unwrap();
            for (gradient, diagonal) in
                [9, 2].map(|batch| trainer.gradient_over(&data, batch).unwrap()).into_iter().chain([whole])
            {
                compare(&name, &to_f64(&gradient), &want.gradient, 1e-5).unwrap();
                compare(&name, &to_f64(&diagonal), &want.diagonal, 1e-5).unwrap();
            }
            compare(&name, &to_f64(&trainer.diagonal_over(&data, 9).unwrap()), &want.diagonal, 1e-5).unwrap();
            compare(&name, &to_f64(&trainer.squared_gradients(&data).unwrap()), &squares, 1e-5).unwrap();
            let loss = f64::from(trainer.evaluate(&data, 9).unwrap().loss as f32);
            compare(&name, &[loss], &[want.loss], 1e-4).unwrap();
        }
    }
}

/// `Σ g²` over samples, each a batch of its own with its weight.
fn of_samples(model: &Model, data: &Dataset, parameters: &[f64]) -> Vec<f64> {
    let mut squares = vec![0.0; model.flat_len()];
    for n in 0..data.len() {
        let one = data.gather(&[n]).unwrap();
        let (x, targets) = (to_f64(one.inputs()), one.labels().targets());
        let noise = Noise::default();
        let one = weighted_pass(model, Mode::None, parameters, &x, targets, one.weights(), noise).unwrap();
        squares.iter_mut().zip(one.gradient).for_each(|(sum, g)| *sum += g * g);
    }
    squares
}

/// More batches than a GPU adds up before they are read, the last one smaller.
#[test]
fn many_batches_add_up() {
    let model = &models()[2];
    let many: Vec<usize> = (0..301).map(|n| n % SAMPLES).collect();
    let data = data(model).gather(&many).unwrap().with_weights(weights(301)).unwrap();
    let parameters = to_f64(&model.init(Init::default(), 4).unwrap());
    let (x, targets) = (to_f64(data.inputs()), data.labels().targets());
    let (mode, noise) = (Mode::HesScale, Noise::default());
    let want = weighted_pass(model, mode, &parameters, &x, targets, data.weights(), noise).unwrap();
    for (name, mut trainer) in trainers(model, mode) {
        let (gradient, diagonal) = trainer.gradient_over(&data, 2).unwrap();
        compare(&name, &to_f64(&gradient), &want.gradient, 1e-5).unwrap();
        compare(&name, &to_f64(&diagonal), &want.diagonal, 1e-5).unwrap();
        // It is one that is as it was.
        let again = trainer.gradient_over(&data, 2).unwrap();
        assert_eq!(again, (gradient, diagonal), "{name}");
    }
}

/// A last batch of five that counted as much as those of nine would be found.
#[test]
fn a_mean_of_batches_is_not_the_mean() {
    let model = &models()[2];
    let data = data(model);
    let (_, mut trainer) = trainers(model, Mode::HesScale).pop().unwrap();
    let whole = to_f64(&trainer.gradient_over(&data, 9).unwrap().0);
    let mut mean = vec![0.0; whole.len()];
    for indices in [0..9, 9..18, 18..SAMPLES] {
        let part = data.gather(&indices.collect::<Vec<_>>()).unwrap();
        let (gradient, _) = trainer.gradient(part.inputs(), part.labels().targets()).unwrap();
        mean.iter_mut().zip(gradient).for_each(|(mean, g)| *mean += f64::from(g) / 3.0);
    }
    compare("mean of batches", &mean, &whole, 1e-3).unwrap_err();
}

#[test]
fn each_sample_is_a_batch_of_its_own() {
    for (model, mode) in
        models().into_iter().zip([Mode::HesScaleGn, Mode::HesScaleR2, Mode::None, Mode::HesScale])
    {
        let (data, parameters) = (data(&model), to_f64(&model.init(Init::default(), 4).unwrap()));
        let width = model.flat_len();
        let want: Vec<_> = (0..SAMPLES)
            .map(|n| {
                let one = data.gather(&[n]).unwrap();
                pass(&model, mode, &parameters, &to_f64(one.inputs()), one.labels().targets()).unwrap()
            })
            .collect();
        let mut squares = vec![0.0; width];
        want.iter().for_each(|one| squares.iter_mut().zip(&one.gradient).for_each(|(sum, g)| *sum += g * g));
        for (name, mut trainer) in trainers(&model, mode) {
            let (gradients, diagonals) = trainer.per_sample(&data, 5..12).unwrap();
            assert_eq!(gradients.len(), 7 * width);
            for (n, gradient) in gradients.chunks(width).enumerate() {
                compare(&name, &to_f64(gradient), &want[5 + n].gradient, 1e-5).unwrap();
            }
            assert_eq!(diagonals.len(), if mode == Mode::None { 0 } else { 7 * width });
            for (n, diagonal) in diagonals.chunks(width).enumerate() {
                compare(&name, &to_f64(diagonal), &want[5 + n].diagonal, 1e-5).unwrap();
            }
            compare(&name, &to_f64(&trainer.squared_gradients(&data).unwrap()), &squares, 1e-5).unwrap();
        }
    }
}

/// More samples than a GPU keeps before they are read, in their order, on every device the same.
#[test]
fn many_samples_by_themselves() {
    for (turn, mode) in [Mode::HesScale, Mode::None].into_iter().enumerate() {
        let model = &models()[2 * turn];
        let many: Vec<usize> = (0..150).map(|n| n % SAMPLES).collect();
        let data = data(model).gather(&many).unwrap().with_weights(weights(150)).unwrap();
        let mut all = trainers(model, mode).into_iter().map(|(name, mut trainer)| {
            let found = trainer.per_sample(&data, 3..150).unwrap();
            let mut next = 0;
            let each = trainer.each_sample(&data, |sample, gradient, diagonal| {
                assert_eq!(sample, next, "{name}");
                next += 1;
                let Some(row) = sample.checked_sub(3).map(|row| row * model.flat_len()) else {
                    return Ok(());
                };
                assert_eq!(gradient, &found.0[row..row + model.flat_len()], "{name}, {sample}");
                assert!(
                    diagonal.is_empty() || *diagonal == found.1[row..row + model.flat_len()],
                    "{name}, {sample}"
                );
                Ok(())
            });
            assert_eq!((each, next), (Ok(()), 150), "{name}");
            (name, found)
        });
        let (_, (gradients, diagonals)) = all.next_back().unwrap();
        let width = model.flat_len();
        assert_eq!((gradients.len(), diagonals.is_empty()), (147 * width, mode == Mode::None));
        for (name, found) in all {
            for (row, (got, want)) in found.0.chunks(width).zip(gradients.chunks(width)).enumerate() {
                compare(&format!("{name}, {row}"), &to_f64(got), &to_f64(want), 1e-5).unwrap();
            }
            assert_eq!(found.1.len(), diagonals.len());
            for (row, (got, want)) in found.1.chunks(width).zip(diagonals.chunks(width)).enumerate() {
                compare(&format!("{name}, {row}"), &to_f64(got), &to_f64(want), 1e-5).unwrap();
            }
        }
    }
}

#[test]
fn what_cannot_be_summed_is_refused() {
    let model = &models()[0];
    let data = data(model);
    let stop = Error::EmptyModel;
    for (name, mut trainer) in trainers(model, Mode::None) {
        assert!(matches!(trainer.diagonal_over(&data, 9), Err(Error::NotPlanned { .. })), "{name}");
        assert!(matches!(trainer.gradient_over(&data, 0), Err(Error::ZeroSize { .. })), "{name}");
        assert!(trainer.gradient_over(&data, 9).unwrap().1.is_empty(), "{name}");
        let beyond = 20..SAMPLES + 1;
        assert!(matches!(trainer.per_sample(&data, beyond), Err(Error::Unknown { .. })), "{name}");
        assert_eq!(trainer.per_sample(&data, 3..3).unwrap(), (vec![], vec![]));
        // Twice as wide: half as many samples, of which each would have two labels' place.
        let wide = Dataset::new(vec![0.0; 28], 14, Labels::Classes(vec![0; 4])).unwrap();
        let length = Error::Length { tensor: "inputs of a sample".into(), got: 14, needed: 7 };
        assert_eq!(trainer.gradient_over(&wide, 1), Err(length.clone()), "{name}");
        assert_eq!(trainer.per_sample(&wide, 0..1), Err(length), "{name}");
        let strange = Dataset::new(vec![0.0; 7], 7, Labels::Classes(vec![9])).unwrap();
        assert!(matches!(trainer.squared_gradients(&strange), Err(Error::TargetOutOfRange { .. })), "{name}");
        let mut seen = 0;
        let stopped = trainer.each_sample(&data, |index, gradient, _| {
            assert_eq!((index, gradient.len()), (seen, model.flat_len()));
            seen += 1;
            if index == 2 { Err(stop.clone()) } else { Ok(()) }
        });
        assert_eq!((stopped, seen), (Err(stop.clone()), 3), "{name}");
        trainer.step(data.inputs(), data.labels().targets()).unwrap();
        assert!(matches!(trainer.step(&[], Targets::Classes(&[])), Err(Error::ZeroSize { .. })), "{name}");
    }
}

/// What only looks at a model leaves the running statistics that it predicts by, and of one sample there are no statistics.
#[test]
fn looking_moves_no_statistics() {
    let model = Model::builder([7]).dense(12).layer(BatchNorm::of_batch()).act(Activation::Tanh).dense(4);
    let model = model.loss(Loss::cross_entropy()).unwrap();
    let data = data(&model);
    for (name, mut trainer) in trainers(&model, Mode::HesScale) {
        trainer.step(data.inputs(), data.labels().targets()).unwrap();
        let before = trainer.statistics().unwrap();
        assert_ne!(before, model.statistics(), "{name}");
        trainer.gradient(data.inputs(), data.labels().targets()).unwrap();
        trainer.diagonal_over(&data, 9).unwrap();
        // By running statistics, it does not matter with whom a sample comes.
        let [few, many] = [5, 9].map(|batch| trainer.evaluate(&data, batch).unwrap().loss);
        assert!((few - many).abs() < 1e-5 * many.abs(), "{name}: {few} {many}");
        assert_eq!(trainer.statistics().unwrap(), before, "{name}");
        let refused = trainer.squared_gradients(&data).unwrap_err();
        assert!(matches!(&refused, Error::Unsupported { layer, .. } if layer == "1"), "{name}: {refused}");
        assert!(
            trainer.per_sample(&data, 0..2).is_err() && trainer.each_sample(&data, |_, _, _| Ok(())).is_err()
        );
        let mut wrong = before.clone();
        wrong[model.running_statistics()[0].var().start + 3] = -1e-3;
        let refused = trainer.set_statistics(&wrong).unwrap_err();
        assert!(
            matches!(&refused, Error::Value { place, .. } if place == "1.running_var"),
            "{name}: {refused}"
        );
        assert_eq!(trainer.statistics().unwrap(), before, "{name}");
    }
}

/// Looking at gradients does not change what dropout draws afterwards.
#[test]
fn training_goes_on_as_if_nothing_had_looked() {
    let model = Model::builder([7]).dense(20).act(Activation::Tanh).dropout(0.4).dense(4);
    let model = model.loss(Loss::cross_entropy()).unwrap();
    let data = data(&model);
    let trained = |mut trainer: Trainer, look: fn(&mut Trainer, &Dataset)| {
        for _ in 0..3 {
            look(&mut trainer, &data);
            trainer.step(data.inputs(), data.labels().targets()).unwrap();
        }
        trainer.parameters().unwrap()
    };
    let looks: [fn(&mut Trainer, &Dataset); 4] = [
        |_, _| {},
        |trainer, data| drop(trainer.gradient(data.inputs(), data.labels().targets()).unwrap()),
        |trainer, data| drop(trainer.gradient_over(data, 9).unwrap()),
        |trainer, data| drop(trainer.squared_gradients(data).unwrap()),
    ];
    let [plain, others @ ..] = looks.map(|look| {
        trainers(&model, Mode::HesScale).into_iter().map(|(_, trainer)| trained(trainer, look)).collect()
    });
    let plain: Vec<Vec<f32>> = plain;
    for (other, name) in others.iter().zip(["gradient", "gradient_over", "squared_gradients"]) {
        assert_eq!(*other, plain, "{name}");
    }
}

/// A sample's weight is its first input here, wherever it goes.
#[test]
fn weights_go_with_their_samples() {
    let (x, labels) = ((0..30).map(|n| n as f32).collect(), Labels::Values(vec![0.0; 15]));
    let data = Dataset::new(x, 2, labels).unwrap();
    assert_eq!(data.weights(), None);
    let weights: Vec<f32> = data.inputs().iter().step_by(2).copied().collect();
    let length = Error::Length { tensor: "sample weights".into(), got: 14, needed: 15 };
    assert_eq!(data.clone().with_weights(weights[1..].to_vec()), Err(length));
    let refused = data.clone().with_weights(vec![f32::INFINITY; 15]).unwrap_err();
    assert!(matches!(refused, Error::Value { name: "the weight", .. }), "{refused}");
    let data = data.with_weights(weights).unwrap();
    let (kept, held_out) = data.split(0.3, 5).unwrap();
    let gathered = data.gather(&[14, 0, 3]).unwrap();
    assert_eq!(gathered.weights(), Some(&[28.0, 0.0, 6.0][..]));
    for part in data.batches(4, 7).unwrap().chain([kept, held_out, gathered]) {
        let first: Vec<f32> = part.inputs().iter().step_by(2).copied().collect();
        assert_eq!(part.weights(), Some(&first[..]));
    }
}

/// In f16 a signal far below one sample's share keeps its digits: shares are brought into range by the largest of the whole set.
#[test]
fn small_shares_in_f16() {
    let context = of_class(DeviceClass::Discrete);
    if !context.device().features().contains(hesscale::wgpu::Features::SHADER_F16) {
        return not_run("the adapter has no f16");
    }
    for loss in [Loss::cross_entropy(), Loss::cross_entropy().weighted_mean()] {
        let model = Model::builder([3]).dense(2).loss(loss).unwrap();
        let samples = 4096;
        let data = Dataset::new(vec![0.25; samples * 3], 3, Labels::Classes(vec![0; samples])).unwrap();
        let options = TrainerOptions::default().storage(Dtype::F16).mode(Mode::HesScale);
        let mut trainer = Trainer::new(&context, &model, Optimizer::sgd(0.1), options).unwrap();
        let bias = model.parameters()[1].range();
        let mut parameters = vec![0.0; model.flat_len()];
        parameters[bias.start] = 12.0;
        trainer.set_parameters(&parameters).unwrap();
        let (gradient, _) = trainer.gradient_over(&data, 512).unwrap();
        let want = 1.0 / (1.0 + 12.0_f64.exp());
        compare("gradient", &to_f64(&gradient[bias]), &[-want, want], 2e-3).unwrap();
    }
}
