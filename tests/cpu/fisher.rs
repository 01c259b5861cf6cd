//! The diagonal of the empirical Fisher matrix, in one pass.

use crate::common::{compare, to_f64};
use crate::sample_by_sample::{diagonal, networks, problem};
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::Noise;
use hesscale::reference::weighted_pass;
use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
use hesscale::{Activation, Loss, Mode, Model, Optimizer};

#[test]
fn reference_and_executor_have_each_samples_square() {
    for (name, model) in networks() {
        for (batch, weighted) in [(1, false), (9, false), (9, true)] {
            let (problem, weights) = problem(model.clone(), batch, weighted);
            let want = diagonal(&problem, weights.as_deref());
            let (model, targets) = (&problem.model, problem.targets.view());
            let (w, x) = (&problem.parameters, &problem.input);
            let by_rule =
                weighted_pass(model, Mode::Fisher, w, x, targets, weights.as_deref(), Noise::default())
                    .unwrap();
            let error = |error| panic!("{name}, {batch} samples, weights {weighted}: {error}");
            compare("reference", &by_rule.diagonal, &want, 1e-12).unwrap_or_else(error);
            let f32s = |numbers: &[f64]| numbers.iter().map(|x| *x as f32).collect::<Vec<_>>();
            let threads = Threads::new(2).unwrap().least_work(1000);
            let options = ExecutorOptions::training(Mode::Fisher).threads(threads);
            let mut executor = Executor::new(model, batch + 2, options).unwrap();
            let loss = executor
                .weighted_pass(
                    Mode::Fisher,
                    &f32s(w),
                    &f32s(x),
                    targets,
                    weights.as_deref(),
                    Noise::default(),
                )
                .unwrap();
            compare("loss", &[f64::from(loss)], &[by_rule.loss], 1e-5).unwrap_or_else(error);
            compare("gradient", &to_f64(executor.gradient()), &by_rule.gradient, 1e-5).unwrap_or_else(error);
            compare("diagonal", &to_f64(executor.diagonal()), &want, 1e-5).unwrap_or_else(error);
        }
    }
}

/// Batch by batch as in one, and as sample by sample.
#[test]
fn a_data_set_batch_by_batch() {
    let model =
        Model::builder([3]).dense(8).act(Activation::Tanh).dense(4).loss(Loss::cross_entropy()).unwrap();
    let mut random = fastrand::Rng::with_seed(2);
    let inputs: Vec<f32> = (0..3 * 13).map(|_| random.f32() - 0.5).collect();
    let data = Dataset::new(inputs, 3, Labels::Classes((0..13).map(|_| random.u32(0..4)).collect())).unwrap();
    let trainer =
        || Trainer::on_cpu(&model, Optimizer::adam(1e-3), TrainerOptions::default().mode(Mode::Fisher));
    let mut trainer = trainer().unwrap();
    let squares = trainer.squared_gradients(&data).unwrap();
    let want: Vec<f64> = squares.iter().map(|square| f64::from(*square) / 13.0).collect();
    for batch in [1, 5, 13, 100] {
        let diagonal = trainer.diagonal_over(&data, batch).unwrap();
        compare("diagonal", &to_f64(&diagonal), &want, 1e-5).unwrap_or_else(|e| panic!("{batch}: {e}"));
    }
}
