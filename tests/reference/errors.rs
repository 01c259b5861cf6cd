//! Bad input gives a typed error with its values.

use crate::problem::{Problem, mlp};
use hesscale::model::Targets;
use hesscale::reference::{
    OptimizerState, forward, hessian_vector_product, hutchinson_diagonal, loss_and_signal, pass, predict,
};
use hesscale::{Activation, Error, Loss, Mode, Optimizer};

fn length(tensor: &str, got: usize, needed: usize) -> Error {
    Error::Length { tensor: tensor.into(), got, needed }
}

#[test]
fn wrong_lengths_and_targets() {
    let Problem { model, parameters, input, .. } =
        Problem::new(mlp(&[3, 4, 2], Activation::Tanh, Loss::cross_entropy()), 2, 0);
    let run = |parameters: &[f64], input: &[f64], targets| {
        pass(&model, Mode::HesScale, parameters, input, targets).map(|_| ()).unwrap_err()
    };
    let (good, len) = (Targets::Classes(&[0, 1]), parameters.len());
    assert_eq!(run(&parameters[1..], &input, good), length("parameters", len - 1, len));
    assert_eq!(run(&parameters, &input[1..], good), length("input", 5, 6));
    let empty = Error::ZeroSize { place: "batch".into(), what: "the number of samples" };
    assert_eq!(run(&parameters, &[], Targets::Classes(&[])), empty);
    assert_eq!(run(&parameters, &input, Targets::Classes(&[0])), length("targets", 1, 2));
    let out_of_range = Error::TargetOutOfRange { index: 1, class: 2, classes: 2 };
    assert_eq!(run(&parameters, &input, Targets::Classes(&[0, 2])), out_of_range);
    let kind = Error::TargetKind { needed: "class-index", got: "numeric" };
    assert_eq!(run(&parameters, &input, Targets::Values(&[0.0, 1.0])), kind);

    assert_eq!(forward(&model, &parameters, &input[1..]), Err(length("input", 5, 6)));
    assert_eq!(predict(&model, &parameters[1..], &input), Err(length("parameters", len - 1, len)));
    assert_eq!(loss_and_signal(&model, Mode::None, &[0.0; 3], good), Err(length("logits", 3, 4)));
    assert_eq!(loss_and_signal::<f32>(&model, Mode::None, &[], good), Err(empty));
    let product = hessian_vector_product(&model, &parameters, &input, good, &[1.0]);
    assert_eq!(product, Err(length("v", 1, len)));
    let none = Error::ZeroSize { place: "hutchinson".into(), what: "the number of samples" };
    assert_eq!(hutchinson_diagonal(&model, &parameters, &input, good, 0, 0), Err(none));
}

#[test]
fn an_optimizer_that_refuses_leaves_everything_untouched() {
    let mut state = OptimizerState::new(2);
    let mut parameters = [1.0_f64, 2.0];
    let before = (state.clone(), parameters);
    let mut step = |optimizer: Optimizer, gradient: &[f64], diagonal: &[f64]| {
        state.step(&optimizer.weight_decay(0.5), &mut parameters, gradient, diagonal).unwrap_err()
    };
    assert_eq!(step(Optimizer::adam(0.1), &[1.0], &[]), length("gradient", 1, 2));
    assert_eq!(step(Optimizer::ada_hesscale(0.1), &[1.0; 2], &[1.0; 3]), length("diagonal", 3, 2));
    assert!(matches!(
        step(Optimizer::sgd(f32::NAN), &[1.0; 2], &[]),
        Error::Value { name: "learning rate", .. }
    ));
    assert!(matches!(step(Optimizer::sgd(-1.0), &[1.0; 2], &[]), Error::Value { name: "learning rate", .. }));
    assert_eq!((state, parameters), before);
    let mut state = OptimizerState::<f64>::new(3);
    let error = state.step(&Optimizer::sgd(0.1), &mut [1.0; 2], &[1.0; 3], &[]).unwrap_err();
    assert_eq!(error, length("parameters", 2, 3));
}
