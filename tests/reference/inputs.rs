//! Layers that stand at the network's input: by hand, and against exact derivatives.

use crate::common::relative_max_norm;
use crate::norm::explicit;
use crate::problem::Problem;
use hesscale::model::{Conv1d, HashGrid};
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

/// One row a sample, so that no cross terms are dropped; and wherever two vectors are the loss's whole Hessian, rows that repeat
/// too.
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

/// Corners that have rows of their own, in a plane: by hand.
#[test]
fn a_cell_by_hand() {
    let grid = HashGrid::new().levels(1).features(1).log2_table(4).base(2).growth(1.0);
    let model = Model::builder([2]).layer(grid).loss(Loss::mse().sum()).unwrap();
    let mut table = vec![0.0; model.flat_len()];
    // Row y · 3 + x holds 10 y + x.
    (0..9).for_each(|row| table[row] = (row / 3 * 10 + row % 3) as f64);
    let near = |got: &[f64], want: &[f64]| assert!(relative_max_norm(got, want) < 1e-15, "{got:?}");
    let points = [0.25, 0.75, 1.0, 1.0, -7.0, 2.0];
    near(&forward(&model, &table, &points).unwrap()[0], &[0.5 + 15.0, 22.0, 20.0]);
    // Of four corners each has ¼, of two each ½: z is 5.5 and 10, g is 1 at both, h is 2.
    let points = [0.25, 0.25, 0.0, 0.5];
    let got = pass(&model, Mode::HesScale, &table, &points, Targets::Values(&[5.0, 9.5])).unwrap();
    near(&got.gradient[..9], &[0.25, 0.25, 0.0, 1.25, 0.25, 0.0, 0.0, 0.0, 0.0]);
    near(&got.diagonal[..9], &[0.125, 0.125, 0.0, 2.125, 0.125, 0.0, 0.0, 0.0, 0.0]);
    // Two cells along an axis: the slope of x is 2, that of y 20.
    near(&got.input_signal.g, &[2.0, 20.0, 2.0, 20.0]);
    near(&got.input_signal.h, &[8.0, 800.0, 8.0, 800.0]);
}

/// Where corners have no rows of their own: the paper's hash.
#[test]
fn hashed_rows() {
    let grid = HashGrid::new().levels(2).features(1).log2_table(3).base(1).growth(5.0);
    for axes in [2, 3] {
        let model = Model::builder([axes]).layer(grid).loss(Loss::mse()).unwrap();
        // Behind a level of one cell, which fits the table, one of five; at a corner, whose row alone counts.
        let corner = [3_u32, 4, 1];
        let primes = [1_u32, 2_654_435_761, 805_459_861];
        let hash = (0..axes).fold(0, |hash, axis| hash ^ corner[axis].wrapping_mul(primes[axis])) & 7;
        let mut table = vec![0.0; model.flat_len()];
        table[8 + hash as usize] = 1.0;
        let point: Vec<f64> = corner[..axes].iter().map(|q| f64::from(*q) / 5.0).collect();
        let z = forward(&model, &table, &point).unwrap().swap_remove(0);
        assert!(relative_max_norm(&z, &[0.0, 1.0]) < 1e-12, "{z:?}");
    }
}

/// A row that several corners of a cell share counts with the sum of their shares: nothing is dropped.
#[test]
fn grids_are_exact() {
    let grid = HashGrid::new().levels(3).base(2).growth(1.7);
    for (axes, log2_table) in [(2, 1), (2, 5), (3, 2), (3, 6)] {
        let layer = grid.log2_table(log2_table);
        let alone = Model::builder([axes]).layer(layer).loss(Loss::mse()).unwrap();
        let hidden = Model::builder([axes]).layer(layer).act(Tanh).dense(3).loss(Loss::mse()).unwrap();
        let classes = Model::builder([axes]).layer(layer).dense(3).loss(Loss::cross_entropy()).unwrap();
        for (model, mode) in
            [(&alone, Mode::HesScale), (&hidden, Mode::HesScale), (&classes, Mode::HesScaleR2)]
        {
            let problem = Problem::new(model.clone(), 7, 3);
            let error = relative_max_norm(&problem.pass(mode).diagonal, &problem.exact());
            assert!(error < 1e-12, "{axes} {log2_table}: {error:e}");
        }
        // The signal at the points, by explicit derivatives.
        let problem = Problem::new(alone, 3, 5);
        let (g, h, _) = explicit(&problem, Mode::HesScale);
        let got = problem.pass(Mode::HesScale).input_signal;
        assert!(relative_max_norm(&got.g, &g) < 1e-12 && relative_max_norm(&got.h, &h) < 1e-12);
    }
}

/// Bells are 0 far away, with all derivatives.
#[test]
fn one_blob_at_the_ends() {
    let model = Model::builder([2]).layer(Layer::OneBlob { bins: 2 }).loss(Loss::mse()).unwrap();
    for far in [f64::INFINITY, f64::MAX, 1e30] {
        let got = pass(&model, Mode::HesScale, &[], &[far, -far], Targets::Values(&[1.0; 4])).unwrap();
        let signal = &got.input_signal;
        for x in got.logits.iter().chain(&signal.g).chain(&signal.h) {
            assert!(x.abs() < 1e-80, "{x:e}");
        }
    }
}

/// A table that doubles its cells up to the most of them.
#[test]
fn grids_up_to_a_million_cells() {
    let growth = 2.0_f64.powi(20).powf(1.0 / 15.0);
    for (growth, fits) in [(growth, true), (1.0001 * growth, false)] {
        let grid = HashGrid::new().base(1).levels(16).growth(growth);
        assert_eq!(Model::builder([2]).layer(grid).loss(Loss::mse()).is_ok(), fits, "{growth}");
    }
}
