//! The empirical Fisher matrix' diagonal, sample by sample.

use crate::problem::{Problem, sample_weights};
use hesscale::model::{
    Attention, Conv1d, Conv2d, GroupNorm, HashGrid, LayerNorm, MaxPool2d, Noise, PRelu, Targets,
};
use hesscale::reference::{pass, weighted_pass};
use hesscale::{Activation, Layer, Loss, Mode, Model};

const TANH: Activation = Activation::Tanh;

/// Networks in which samples do not meet, and no layer is used twice.
pub(crate) fn networks() -> Vec<(&'static str, Model)> {
    let entropy = |builder: hesscale::model::Builder| builder.loss(Loss::cross_entropy()).unwrap();
    let image = || Model::builder([3, 9, 7]).layer(Conv2d::new(6, 3).same()).act(TANH);
    vec![
        (
            "dense",
            entropy(Model::builder([13]).dense(70).act(TANH).dense(33).act(Activation::Softplus).dense(10)),
        ),
        (
            "weighted classes",
            Model::builder([5])
                .dense(9)
                .act(TANH)
                .dense(4)
                .loss(
                    Loss::cross_entropy()
                        .class_weights([0.5, 1.0, 2.0, 0.25])
                        .ignore_index(1)
                        .weighted_mean(),
                )
                .unwrap(),
        ),
        ("rows twice", entropy(Model::builder([6]).embedding(3, 4).flatten().dense(3))),
        ("sum", Model::builder([5]).dense(9).act(TANH).dense(3).loss(Loss::mse().sum()).unwrap()),
        (
            "weighted",
            Model::builder([5]).dense(9).act(TANH).dense(3).loss(Loss::mse().weighted_mean()).unwrap(),
        ),
        (
            "images",
            entropy(image().layer(MaxPool2d::new(2)).layer(Conv2d::new(8, 3)).act(TANH).flatten().dense(4)),
        ),
        ("positions", entropy(image().layer(Conv2d::new(6, 3).groups(6)).act(TANH).layer(Conv2d::new(4, 1)))),
        (
            "norms",
            entropy(
                image()
                    .layer(GroupNorm::new(3))
                    .act(TANH)
                    .flatten()
                    .dense(8)
                    .layer(LayerNorm::new())
                    .layer(PRelu::new())
                    .dense(4),
            ),
        ),
        (
            "heads",
            entropy(
                Model::builder([6, 5])
                    .layer(Attention::new(2))
                    .layer(Conv1d::new(4, 2))
                    .act(TANH)
                    .flatten()
                    .dense(3),
            ),
        ),
        ("steps", entropy(Model::builder([3, 5]).gru(4).last().dense(3))),
        (
            "points",
            Model::builder([2])
                .layer(HashGrid::new().levels(3).log2_table(5))
                .dense(9)
                .act(TANH)
                .dense(1)
                .loss(Loss::mse())
                .unwrap(),
        ),
        (
            "blocks",
            entropy(Model::builder([7]).dense(8).act(TANH).residual(|body| body.dense(8).act(TANH)).dense(3)),
        ),
        (
            "policy",
            Model::builder([5]).dense(9).act(TANH).dense(4).loss(Loss::ppo_discrete(0.2, 0.01)).unwrap(),
        ),
        (
            "gaussian",
            Model::builder([5])
                .dense(9)
                .act(TANH)
                .dense(4)
                .loss(Loss::gaussian_nll(hesscale::model::Variance::Log))
                .unwrap(),
        ),
        ("last act", Model::builder([5]).dense(9).layer(Layer::Act(TANH)).loss(Loss::huber(0.5)).unwrap()),
    ]
}

/// A problem, and weights of its samples where they are wanted.
pub(crate) fn problem(model: Model, batch: usize, weighted: bool) -> (Problem, Option<Vec<f32>>) {
    let weights = sample_weights(batch, &mut fastrand::Rng::with_seed(5));
    let mut problem = Problem::new(model, batch, 11);
    for numbers in [&mut problem.parameters, &mut problem.input] {
        numbers.iter_mut().for_each(|x| *x = f64::from(*x as f32));
    }
    (problem, weighted.then_some(weights))
}

/// `Σ_n (c wₙ ∇lₙ)²`, c the reduction's factor; times the number of samples but where the loss is a sum.
pub(crate) fn diagonal(problem: &Problem, weights: Option<&[f32]>) -> Vec<f64> {
    let Problem { model, parameters, input, targets } = problem;
    let batch = input.len() / model.inputs();
    let (loss, width) = (model.loss(), model.target_len());
    let alone = model.clone().with_loss(loss.clone().sum()).unwrap();
    let weight = |n: usize| weights.map_or(1.0, |weights| f64::from(weights[n]));
    let is_sum = *loss == loss.clone().sum();
    // What the reduction multiplies all by: the loss over that of the sum.
    let noise = Noise::default();
    let of = |model: &Model| {
        weighted_pass(model, Mode::None, parameters, input, targets.view(), weights, noise).unwrap().loss
    };
    let factor = of(model) / of(&alone);
    let mut sums = vec![0.0; model.flat_len()];
    for n in 0..batch {
        let targets = match targets.view() {
            Targets::Classes(all) => Targets::Classes(&all[n * width..][..width]),
            Targets::Values(all) => Targets::Values(&all[n * width..][..width]),
        };
        let x = &input[n * model.inputs()..][..model.inputs()];
        let gradient = pass(&alone, Mode::None, parameters, x, targets).unwrap().gradient;
        sums.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += (factor * weight(n) * g).powi(2));
    }
    let spread = if is_sum { 1.0 } else { batch as f64 };
    sums.into_iter().map(|sum| spread * sum).collect()
}
