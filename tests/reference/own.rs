//! Losses and activations in the user's own WGSL: the closures by which the reference computes them.

use crate::common::own;
use crate::common::{compare, to_f64};
use crate::problem::{Problem, mlp};
use hesscale::model::{CustomActivation, CustomLoss, Targets};
use hesscale::reference::{
    Dual, activation, exact_ggn_diagonal, exact_hessian_diagonal, forward, loss_and_signal, pass,
};
use hesscale::{Activation, Error, Layer, Loss, Mode, Model};

const STEP: f64 = 1e-4;

fn outputs_of(loss: impl Into<Loss>, outputs: usize) -> Model {
    Model::builder([outputs]).layer(Layer::Identity).loss(loss).unwrap()
}

/// g and h of every loss are the derivatives of its value, by differences.
#[test]
fn g_and_h_are_the_values_derivatives() {
    for loss in own::losses() {
        let model = outputs_of(loss, 5);
        let z = [0.9, -0.35, 1.4, 0.2, -1.1];
        let y = [0.5, 0.25, -0.75, 1.0, -1.5];
        let targets = Targets::Values(&y[..model.target_len()]);
        let value = |z: &[f64]| loss_and_signal(&model, Mode::None, z, targets).unwrap().0;
        let (_, signal) = loss_and_signal(&model, Mode::HesScale, &z, targets).unwrap();
        let moved = |k: usize, by: f64| {
            let mut z = z;
            z[k] += by;
            value(&z)
        };
        let slope = |k| (moved(k, STEP) - moved(k, -STEP)) / (2.0 * STEP);
        let bend = |k| (moved(k, STEP) - 2.0 * value(&z) + moved(k, -STEP)) / (STEP * STEP);
        compare("g", &signal.g, &(0..5).map(slope).collect::<Vec<_>>(), 1e-7).unwrap();
        compare("h", &signal.h, &(0..5).map(bend).collect::<Vec<_>>(), 1e-5).unwrap();
        assert!(signal.g.iter().any(|g| g.abs() > 0.05) && signal.h.iter().any(|h| h.abs() > 0.02));
    }
}

/// By hand: z = (3, 4), y = (1, 0), so |z| = 5, u = (0.6, 0.8), c = 0.6, d = (0.64, −0.48).
#[test]
fn the_cosine_by_hand() {
    let model = outputs_of(own::cosine(), 2);
    let (value, signal) =
        loss_and_signal(&model, Mode::HesScale, &[3.0, 4.0], Targets::Values(&[1.0, 0.0])).unwrap();
    compare("value", &[value], &[0.4], 1e-12).unwrap();
    compare("g", &signal.g, &[-0.128, 0.096], 1e-12).unwrap();
    compare(
        "h",
        &signal.h,
        &[(2.0 * 0.64 * 0.6 + 0.6 * 0.64) / 25.0, (2.0 * -0.48 * 0.8 + 0.6 * 0.36) / 25.0],
        1e-12,
    )
    .unwrap();
}

/// What the crate has in other words, in every mode: a mean of one divides by targets, that of a row by samples.
#[test]
fn huber_and_softplus_are_the_crates_own() {
    let of = |activation: Activation, loss: Loss| Problem::new(mlp(&[4, 9, 6], activation, loss), 7, 3);
    let (mine, theirs) =
        (of(own::softplus(), own::huber().into()), of(Activation::Softplus, Loss::huber(0.5)));
    for mode in Mode::ALL {
        let [mine, theirs] = [&mine, &theirs].map(|problem| problem.pass(mode));
        compare("loss", &[mine.loss], &[theirs.loss], 1e-13).unwrap();
        compare("gradient", &mine.gradient, &theirs.gradient, 1e-13).unwrap();
        compare("diagonal", &mine.diagonal, &theirs.diagonal, 1e-12).unwrap();
    }
    let by_row = |loss: Loss| outputs_of(loss, 4).loss().factor(5, &[4]);
    assert_eq!(by_row(own::cosine().into()), 1.0 / 5.0);
    assert_eq!(by_row(own::huber().into()), 1.0 / 20.0);
}

/// Of rows with an output that is not finite nothing is.
#[test]
fn what_is_not_finite_spoils_what_it_reaches() {
    let z = [1.0, f64::INFINITY, 0.5, 2.0];
    let signal = |loss: Loss| {
        let model = outputs_of(loss.sum(), 2);
        loss_and_signal(&model, Mode::HesScale, &z, Targets::Values(&[1.0, 0.5, 0.25, 2.0])).unwrap()
    };
    let (value, row) = signal(own::cosine().into());
    let nan = |x: &[f64]| x.iter().map(|x| x.is_nan()).collect::<Vec<_>>();
    assert!(value.is_nan());
    assert_eq!([nan(&row.g), nan(&row.h)], [[true, true, false, false]; 2].map(Vec::from));
    let (value, one) = signal(own::huber().into());
    assert!(value.is_nan());
    assert_eq!([nan(&one.g), nan(&one.h)], [[false, true, false, false]; 2].map(Vec::from));
    let Activation::Custom(custom) = own::softplus() else { panic!("it is one") };
    let hides = custom.on_cpu(|_| [1.0; 3]);
    assert!(activation(hides.into(), f64::NAN)[0].is_nan() && activation(hides.into(), f32::NAN)[0].is_nan());
}

#[test]
fn what_has_no_closure_or_no_slope_is_refused() {
    let loss = || CustomLoss::elementwise("own_huber", own::HUBER).unwrap();
    let softplus = || Activation::from(CustomActivation::new("own_softplus", own::SOFTPLUS).unwrap());
    let refused = |error: Error, at: &str, words: &str| {
        let told =
            matches!(&error, Error::Unsupported { layer, kind } if layer == at && kind.contains(words));
        assert!(told, "{error}");
    };
    let bare = Problem::new(mlp(&[4, 9, 6], Activation::Tanh, Loss::mse()), 3, 1);
    let with = |activation, loss: Loss| mlp(&[4, 9, 6], activation, loss);
    let run = |model: &Model| pass(model, Mode::HesScale, &bare.parameters, &bare.input, bare.targets.view());
    refused(run(&with(Activation::Tanh, loss().into())).unwrap_err(), "loss", "own_huber without `on_cpu`");
    refused(run(&with(softplus(), Loss::mse())).unwrap_err(), "own_softplus 1", "without `on_cpu`");
    // What predicts has no loss.
    let predict = |model: &Model| forward(model, &bare.parameters, &bare.input);
    assert!(predict(&with(Activation::Tanh, loss().into())).is_ok());
    refused(predict(&with(softplus(), Loss::mse())).unwrap_err(), "own_softplus 1", "without `on_cpu`");
    // Gauss and Newton ask for no more of an activation than its slope.
    for (model, at, slope_will_do) in [
        (with(Activation::Tanh, own::huber().into()), "loss", false),
        (with(Activation::Tanh, own::cosine().into()), "loss", false),
        (with(own::softplus(), Loss::mse()), "own_softplus 1", true),
    ] {
        assert!(run(&model).is_ok());
        let [hessian, ggn] = [exact_hessian_diagonal, exact_ggn_diagonal]
            .map(|exact| exact(&model, &bare.parameters, &bare.input, bare.targets.view()));
        refused(hessian.unwrap_err(), at, "dual numbers");
        match slope_will_do {
            true => assert!(ggn.is_ok()),
            false => refused(ggn.unwrap_err(), at, "dual numbers"),
        }
    }
    assert!(
        activation(softplus(), 1.0_f64)[0].is_nan()
            && activation(own::softplus(), Dual::variable(1.0_f64))[0].value.is_nan()
    );
    let narrow: Vec<f32> = bare.parameters.iter().map(|x| *x as f32).collect();
    let model = with(own::softplus(), own::cosine().into());
    let input: Vec<f32> = bare.input.iter().map(|x| *x as f32).collect();
    let narrow = pass(&model, Mode::HesScale, &narrow, &input, bare.targets.view()).unwrap();
    compare("diagonal in f32", &to_f64(&narrow.diagonal), &run(&model).unwrap().diagonal, 1e-4).unwrap();
}
