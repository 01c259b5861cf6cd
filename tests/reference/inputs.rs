//! Layers that stand at the network's input: by hand, and against exact derivatives.

use crate::common::relative_max_norm;
use crate::problem::Problem;
use hesscale::model::Conv1d;
use hesscale::reference::{exact_ggn_diagonal, forward, pass};
use hesscale::{Activation::Tanh, Error, Loss, Mode, Model, model::Targets};

/// Numbers of a sample are positions, those of a row channels: derived by hand.
#[test]
fn rows_by_hand() {
    let model = Model::builder([3]).embedding(4, 2).loss(Loss::mse().sum()).unwrap();
    let mut table = vec![0.0; model.flat_len()];
    table[..8].copy_from_slice(&[0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0]);
    let x = [3.0, 0.0, 3.0];
    assert_eq!(forward(&model, &table, &x), Ok(vec![vec![30.0, 0.0, 30.0, 31.0, 1.0, 31.0]]));
    // (z − t)²: g = 2 (z − t), h = 2 at each of two positions of row 3.
    let targets = [30.0, 0.0, 29.0, 31.0, 1.5, 30.0];
    let got = pass(&model, Mode::HesScale, &table, &x, Targets::Values(&targets)).unwrap();
    assert_eq!(got.gradient[..8], [0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
    assert_eq!(got.diagonal[..8], [2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 4.0, 4.0]);
    assert_eq!((got.input_signal.g, got.input_signal.h), (vec![0.0; 3], vec![0.0; 3]));
    let one = Model::builder([1]).embedding(4, 2).dense(1).loss(Loss::mse()).unwrap();
    assert_eq!(one.shape(0), Ok(&[2][..]));
}

/// One row a sample, so that no cross terms are dropped; and wherever two vectors are the loss's whole Hessian, rows that repeat too.
#[test]
fn tables_are_exact_where_nothing_is_dropped() {
    let one = Model::builder([1]).embedding(5, 3).loss(Loss::mse()).unwrap();
    let hidden = Model::builder([1]).embedding(5, 3).act(Tanh).dense(4).loss(Loss::mse()).unwrap();
    for model in [one, hidden] {
        let problem = Problem::new(model, 9, 1);
        let error = relative_max_norm(&problem.pass(Mode::HesScale).diagonal, &problem.exact());
        assert!(error < 1e-13, "{error:e}");
    }
    let builder = Model::builder([6]).embedding(3, 2).layer(Conv1d::new(2, 2)).flatten().dense(3);
    let problem = Problem::new(builder.loss(Loss::cross_entropy()).unwrap(), 4, 2);
    let Problem { model, parameters, input, targets } = &problem;
    let ggn = exact_ggn_diagonal(model, parameters, input, targets.view()).unwrap();
    let r2 = problem.pass(Mode::HesScaleR2).diagonal;
    for exact in [ggn, problem.exact()] {
        let error = relative_max_norm(&r2, &exact);
        assert!(error < 1e-12, "{error:e}");
    }
    let dropped = relative_max_norm(&problem.pass(Mode::HesScale).diagonal, &problem.exact());
    assert!(dropped > 1e-2, "{dropped}");
}

#[test]
fn what_selects_no_row_is_told() {
    let model = Model::builder([2]).embedding(3, 2).loss(Loss::mse()).unwrap();
    let table = vec![0.0; model.flat_len()];
    for bad in [3.0, -1.0, 0.5, f64::NAN, f64::INFINITY] {
        let refused = forward(&model, &table, &[0.0, 2.0, bad, -0.0]).unwrap_err();
        assert!(matches!(refused, Error::NoRow { index: 2, rows: 3, .. }), "{refused}");
    }
}
