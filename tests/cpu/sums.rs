//! Sums over many samples stay accurate: one sample, repeated, has its own loss and gradient as the mean.

use crate::common::golden::OwnedTargets;
use crate::common::{compare, to_f64};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{Conv2d, Noise};
use hesscale::reference::pass;
use hesscale::{Activation, Loss, Mode, Model};

fn sample(model: &Model) -> (Vec<f32>, Vec<f32>, OwnedTargets) {
    let mut random = fastrand::Rng::with_seed(3);
    let parameters = (0..model.flat_len()).map(|_| random.f32() - 0.4).collect();
    let x = (0..model.inputs()).map(|_| random.f32() + 0.1).collect();
    let targets = match model.loss().takes_classes() {
        true => OwnedTargets::Classes(vec![1; model.target_len()]),
        false => OwnedTargets::Values(vec![0.3; model.target_len()]),
    };
    (parameters, x, targets)
}

/// Worst errors of loss, gradient and diagonal for this many copies.
fn errors(model: &Model, copies: usize) -> [f64; 3] {
    let (parameters, x, targets) = sample(model);
    let mode = Mode::HesScale;
    let want = pass(model, mode, &to_f64(&parameters), &to_f64(&x), targets.view()).unwrap();
    let targets = match targets {
        OwnedTargets::Classes(classes) => OwnedTargets::Classes(classes.repeat(copies)),
        OwnedTargets::Values(values) => OwnedTargets::Values(values.repeat(copies)),
    };
    let mut executor = Executor::new(model, copies, ExecutorOptions::training(mode)).unwrap();
    let loss = executor.pass(mode, &parameters, &x.repeat(copies), targets.view(), Noise::default()).unwrap();
    let error = |got: &[f32], want: &[f64]| compare("", &to_f64(got), want, f64::INFINITY).unwrap();
    [
        error(&[loss], &[want.loss]),
        error(executor.gradient(), &want.gradient),
        error(executor.diagonal(), &want.diagonal),
    ]
}

fn models() -> [Model; 3] {
    let soft = Loss::cross_entropy().soft().into();
    let dense = |loss| Model::builder([3]).dense(4).act(Activation::Tanh).dense(2).loss(loss).unwrap();
    let image = Model::builder([1, 3, 3]).layer(Conv2d::new(4, 2)).act(Activation::Tanh).flatten().dense(3);
    [dense(soft), dense(Loss::mse()), image.loss(Loss::cross_entropy()).unwrap()]
}

#[test]
fn many_copies_of_a_sample() {
    // A product sums up to 1024 equal terms in f32, one after the other; a convolution's parameters a block of samples at a time.
    for (model, bound) in models().into_iter().zip([1e-5, 1e-5, 3e-5]) {
        for copies in [65_536, 1_000_000] {
            let [loss, gradient, diagonal] = errors(&model, copies);
            println!("{copies}: loss {loss:e}, gradient {gradient:e}, diagonal {diagonal:e}");
            assert!(loss <= 1e-6, "{copies} copies, loss: {loss:e}");
            assert!(gradient.max(diagonal) <= bound, "{copies} copies: {gradient:e} {diagonal:e}");
        }
    }
}
