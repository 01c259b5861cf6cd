//! Residual blocks: values with two readers.

use crate::common::relative_max_norm;
use crate::problem::Problem;
use hesscale::model::Reduction;
use hesscale::reference::forward;
use hesscale::{Activation, Layer, Loss, Mode, Model};

fn bce() -> Loss {
    Loss::BceWithLogits { reduction: Reduction::Mean, pos_weight: None }
}

fn near(got: &[f64], want: &[f64]) -> bool {
    relative_max_norm(got, want) < 1e-13
}

/// `z = W x + x` against one dense layer of `W + 1`: all that is exact agrees, and h lacks the cross terms.
#[test]
fn a_dense_block_is_a_dense_layer_but_for_cross_terms() {
    let build = |builder: hesscale::model::Builder| Problem::new(builder.loss(bce()).unwrap(), 3, 7);
    let block = build(Model::builder([4]).residual(|body| body.dense(4)));
    let mut plain = build(Model::builder([4]).dense(4));
    let squares: Vec<f64> = plain.parameters[..16].iter().map(|w| w * w).collect();
    (0..4).for_each(|i| plain.parameters[5 * i] += 1.0);
    for mode in Mode::ALL {
        let (got, want) = (block.pass(mode), plain.pass(mode));
        assert!(near(&got.logits, &want.logits) && near(&got.gradient, &want.gradient));
        assert!(near(&got.diagonal, &want.diagonal));
        assert!(near(&got.input_signal.g, &want.input_signal.g));
        assert!(got.input_signal.u.iter().zip(&want.input_signal.u).all(|(got, want)| near(got, want)));
        if mode == Mode::HesScale {
            let at = &got.signals[0].h;
            let through =
                |n: usize, i: usize| (0..4).map(|o| squares[4 * o + i] * at[4 * n + o]).sum::<f64>();
            let h: Vec<f64> = (0..12).map(|k| through(k / 4, k % 4) + at[k]).collect();
            assert!(near(&got.input_signal.h, &h));
        }
    }
}

#[test]
fn an_empty_block_doubles() {
    let block = Layer::Residual { body: Vec::new(), projection: Vec::new() };
    let problem = Problem::new(Model::new([3], vec![block], bce()).unwrap(), 2, 3);
    for mode in [Mode::HesScale, Mode::HesScaleR2] {
        let pass = problem.pass(mode);
        let twice = |s: &[f64]| s.iter().map(|s| 2.0 * s).collect::<Vec<f64>>();
        let (above, below) = (&pass.signals[0], &pass.input_signal);
        assert_eq!((&pass.logits, &below.g), (&twice(&problem.input), &twice(&above.g)));
        if mode == Mode::HesScale {
            assert_eq!(below.h, twice(&above.h));
            continue;
        }
        assert_eq!(below.rest, twice(&above.rest));
        for i in 0..6 {
            let u = |j: usize| (2.0 * above.u[j][i], below.u[j][i]);
            assert!(u(0).0 == u(0).1 && u(1).0 == u(1).1);
            let h = below.rest[i] + u(0).1 * u(0).1 + u(1).1 * u(1).1;
            assert!((below.h[i] - h).abs() < 1e-15);
        }
    }
}

/// Swapping body and projection does not matter.
#[test]
fn a_projection_is_a_branch_like_the_body() {
    let wide = |builder: hesscale::model::Builder| builder.dense(5).act(Activation::Tanh);
    let narrow = |builder: hesscale::model::Builder| builder.dense(5);
    let build = |builder: hesscale::model::Builder| {
        Problem::new(builder.act(Activation::Sin { frequency: 1.0 }).dense(2).loss(bce()).unwrap(), 3, 5)
    };
    let one = build(Model::builder([3]).residual_projected(wide, narrow));
    let mut other = build(Model::builder([3]).residual_projected(narrow, wide));
    let (of_one, of_other) = (one.model.parameters(), other.model.parameters());
    let swapped = [2, 3, 0, 1, 4, 5].map(|i| of_other[i].range());
    assert_eq!(of_one[0].name(), "0.body.0.weight");
    assert_eq!(of_other[2].name(), "0.projection.0.weight");
    for (from, to) in of_one.iter().zip(&swapped) {
        other.parameters[to.clone()].copy_from_slice(&one.parameters[from.range()]);
    }
    for mode in Mode::ALL {
        let (one_pass, other_pass) = (one.pass(mode), other.pass(mode));
        assert!(near(&one_pass.input_signal.g, &other_pass.input_signal.g));
        assert!(near(&one_pass.input_signal.h, &other_pass.input_signal.h));
        for (from, to) in of_one.iter().zip(&swapped) {
            assert!(near(&one_pass.gradient[from.range()], &other_pass.gradient[to.clone()]));
            if mode.has_diagonal() {
                assert!(near(&one_pass.diagonal[from.range()], &other_pass.diagonal[to.clone()]));
            }
        }
    }
}

#[test]
fn layers_of_a_block_stand_behind_its_end() {
    let block =
        |body: hesscale::model::Builder| body.dense(3).residual(|inner| inner.act(Activation::Tanh)).dense(3);
    let model = Model::builder([3])
        .act(Activation::Sin { frequency: 1.0 })
        .residual(block)
        .dense(2)
        .loss(bce())
        .unwrap();
    let problem = Problem::new(model, 2, 1);
    let outputs = forward(&problem.model, &problem.parameters, &problem.input).unwrap();
    let pass = problem.pass(Mode::HesScale);
    let sizes = |lengths: &mut dyn Iterator<Item = usize>| lengths.collect::<Vec<_>>();
    assert_eq!(sizes(&mut outputs.iter().map(Vec::len)), [6, 6, 4]);
    assert_eq!(sizes(&mut pass.signals.iter().map(|s| s.h.len())), [6, 6, 4]);
    assert_eq!(outputs[2], pass.logits);
    // The last layer reads the block's end.
    let weight = &problem.parameters[problem.model.parameters()[4].range()];
    let bias = &problem.parameters[problem.model.parameters()[5].range()];
    let z: Vec<f64> = (0..4)
        .map(|k| bias[k % 2] + (0..3).map(|i| weight[k % 2 * 3 + i] * outputs[1][k / 2 * 3 + i]).sum::<f64>())
        .collect();
    assert!(near(&pass.logits, &z));
}
