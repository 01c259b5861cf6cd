//! Layers that stand at the network's input: by hand, and against exact derivatives.

use crate::common::relative_max_norm;
use crate::norm::explicit;
use crate::problem::Problem;
use hesscale::model::Conv1d;
use hesscale::reference::{exact_ggn_diagonal, forward, pass};
use hesscale::{Activation::Tanh, Error, Layer, Loss, Mode, Model, model::Targets};

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

/// The order of the numbers, by hand.
#[test]
fn encodings_by_hand() {
    let of = |layer, input: &[usize], x: &[f64]| {
        let model = Model::builder(input).layer(layer).loss(Loss::mse()).unwrap();
        forward(&model, &[], x).unwrap().swap_remove(0)
    };
    let near = |got: &[f64], want: &[f64]| assert!(relative_max_norm(got, want) < 1e-15, "{got:?}");
    // sin π/4, cos π/4, sin π/2, cos π/2; and two channels of two positions.
    let half = 0.5_f64.sqrt();
    near(&of(Layer::FrequencyEncoding { octaves: 2 }, &[1], &[0.25]), &[half, half, 1.0, 0.0]);
    let rows = of(Layer::FrequencyEncoding { octaves: 1 }, &[2, 2], &[0.0, 0.5, 0.25, 1.0]);
    near(&rows, &[0.0, 1.0, 1.0, 0.0, half, 0.0, half, -1.0]);
    // The middles of two bins are ¼ and ¾, a bin apart.
    near(&of(Layer::OneBlob { bins: 2 }, &[1], &[0.25]), &[1.0, (-0.5_f64).exp()]);
}

#[test]
fn the_rule_of_encodings_is_that_of_explicit_derivatives() {
    for (seed, layer) in
        [Layer::FrequencyEncoding { octaves: 3 }, Layer::OneBlob { bins: 4 }].into_iter().enumerate()
    {
        let model = Model::builder([2, 3]).layer(layer.clone()).loss(Loss::mse()).unwrap();
        let problem = Problem::new(model, 2, seed as u64);
        for mode in Mode::ALL {
            let got = problem.pass(mode).input_signal;
            let (g, h, u) = explicit(&problem, mode);
            let rest = if mode.rank() > 0 { &got.rest } else { &got.h };
            for (got, want) in [(&got.g, &g), (rest, &h)].into_iter().chain(got.u.iter().zip(&u)) {
                let error = relative_max_norm(got, want);
                assert!(error < 1e-12, "{layer:?} {mode:?}: {error:e}");
            }
        }
        // With three classes two vectors are the whole of the loss's Hessian; what is left is exact f''.
        let chain = Model::builder([1]).dense(1).layer(layer).dense(3).loss(Loss::cross_entropy()).unwrap();
        let problem = Problem::new(chain, 5, 7);
        let error = relative_max_norm(&problem.pass(Mode::HesScaleR2).diagonal, &problem.exact());
        assert!(error < 1e-12, "{error:e}");
    }
}
