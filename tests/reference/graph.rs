//! Values with names, and what reads them: sums, products, concatenations.

use crate::common::relative_max_norm;
use crate::problem::{Problem, losses};
use hesscale::model::{Builder, Conv2d, MaxPool2d, Reduction, Upsample2d};
use hesscale::reference::{exact_ggn_diagonal, predict};
use hesscale::{Activation, Layer, Loss, Mode, Model};

use Activation::{LeakyRelu, Relu, Sigmoid, Tanh};

fn bce() -> Loss {
    Loss::BceWithLogits { reduction: Reduction::Mean, pos_weight: None }
}

fn problem(builder: Builder, batch: usize) -> Problem {
    Problem::new(builder.loss(bce()).unwrap(), batch, 7)
}

fn near(got: &[f64], want: &[f64]) -> bool {
    relative_max_norm(got, want) < 1e-13
}

#[test]
fn a_sum_with_a_name_is_a_residual_block() {
    let blocks = Model::builder([4]).dense(5).residual(|body| body.act(Tanh).dense(5)).dense(2);
    let named = Model::builder([4]).dense(5).name("x").act(Tanh).dense(5).plus("x").dense(2);
    let (block, named) = (problem(blocks, 3), problem(named, 3));
    for mode in Mode::ALL {
        let (got, want) = (named.pass(mode), block.pass(mode));
        assert_eq!((got.logits, got.gradient, got.diagonal), (want.logits, want.gradient, want.diagonal));
        assert_eq!(got.input_signal, want.input_signal, "{mode:?}");
    }
}

#[test]
fn values_by_hand() {
    let of = |shape: &[usize], layers: &[Layer], x: &[f64]| {
        predict(&Model::new(shape, layers.to_vec(), Loss::mse()).unwrap(), &[], x).unwrap()
    };
    let name = |name: &str| Layer::Name { name: name.into() };
    let with = || "x".to_owned();
    let bent = [name("x"), Layer::Act(Relu)];
    let behind = |layer: Layer| [&bent[..], &[layer]].concat();
    assert_eq!(of(&[3], &behind(Layer::Add { with: with() }), &[-1.0, 2.0, 3.0]), [-1.0, 4.0, 6.0]);
    assert_eq!(of(&[3], &behind(Layer::Multiply { with: with() }), &[-1.0, 2.0, 3.0]), [0.0, 4.0, 9.0]);
    // Of two samples, each with two channels of one row and two columns.
    let x = [-1.0, 2.0, 3.0, -4.0, 5.0, 6.0, -7.0, 8.0];
    let both = of(&[2, 1, 2], &behind(Layer::Concat { with: with() }), &x);
    let first = [0.0, 2.0, 3.0, 0.0, -1.0, 2.0, 3.0, -4.0];
    assert_eq!(both, [first, [5.0, 6.0, 0.0, 8.0, 5.0, 6.0, -7.0, 8.0]].concat());
    // On from `x` again, and the other way round.
    let layers = [&bent[..], &[name("y"), Layer::From { name: with() }, Layer::Concat { with: "y".into() }]];
    assert_eq!(of(&[2], &layers.concat(), &[-1.0, 2.0]), [-1.0, 2.0, 0.0, 2.0]);
}

/// A dense layer of `(x, x)` is one of x whose weight is the sum of both halves: g and u are exact, h drops their cross terms.
#[test]
fn what_goes_back_to_both_parts() {
    let twice = problem(Model::builder([3]).name("x").concat("x").dense(2), 4);
    let mut once = problem(Model::builder([3]).dense(2), 4);
    let (wide, narrow) = (&twice.model.parameters()[0], once.model.parameters()[0].range());
    let weight = &twice.parameters[wide.range()];
    let halves = |o: usize, i: usize| [weight[6 * o + i], weight[6 * o + 3 + i]];
    for (at, (o, i)) in narrow.zip((0..2).flat_map(|o| (0..3).map(move |i| (o, i)))) {
        once.parameters[at] = halves(o, i).iter().sum();
    }
    let biases = [&twice.model, &once.model].map(|model| model.parameters()[1].range());
    once.parameters[biases[1].clone()].copy_from_slice(&twice.parameters[biases[0].clone()]);
    once.input.clone_from(&twice.input);
    once.targets = crate::common::golden::OwnedTargets::Values(match twice.targets.view() {
        hesscale::model::Targets::Values(values) => values.to_vec(),
        hesscale::model::Targets::Classes(_) => panic!("targets are numbers"),
    });
    for mode in Mode::ALL {
        let (got, want) = (twice.pass(mode), once.pass(mode));
        assert!(near(&got.logits, &want.logits) && near(&got.input_signal.g, &want.input_signal.g));
        assert!(got.input_signal.u.iter().zip(&want.input_signal.u).all(|(got, want)| near(got, want)));
    }
    let pass = twice.pass(Mode::HesScale);
    let top = &pass.signals[2].h;
    let through = |n: usize, i: usize| {
        (0..2).map(|o| halves(o, i).iter().map(|w| w * w).sum::<f64>() * top[2 * n + o]).sum::<f64>()
    };
    let h: Vec<f64> = (0..12).map(|k| through(k / 3, k % 3)).collect();
    assert!(near(&pass.input_signal.h, &h));
}

/// z = x y is linear in each: where no parameter acts through both, nothing is dropped; in front of both the cross term is.
#[test]
fn a_product_is_exact_but_for_what_both_factors_share() {
    for (seed, loss) in losses(4).into_iter().enumerate() {
        let gate = |builder: Builder| {
            let builder = builder.name("x").dense(4).name("a").from("x").dense(4).act(Sigmoid).multiply("a");
            builder.loss(loss.clone()).unwrap()
        };
        let problem = Problem::new(gate(Model::builder([3])), 5, seed as u64);
        // Under a loss without cross terms between outputs: a dense layer's other units do not matter to a unit's weights.
        let exact = problem.exact();
        for mode in [Mode::HesScale, Mode::HesScaleR1, Mode::HesScaleR2] {
            let error = relative_max_norm(&problem.pass(mode).diagonal, &exact);
            assert!(error < 1e-13, "{mode:?}: {error:e}, {loss:?}");
        }
        let behind = Problem::new(gate(Model::builder([3]).dense(3).act(Tanh)), 5, seed as u64);
        let (got, want) = (behind.pass(Mode::HesScale).diagonal, behind.exact());
        let error = |layer: usize| {
            let range = behind.model.parameters()[2 * layer].range();
            relative_max_norm(&got[range.clone()], &want[range])
        };
        assert!(error(1) < 1e-13 && error(2) < 1e-13 && error(0) > 1e-4, "{} {loss:?}", error(0));
    }
}

/// As residual blocks: with three classes two vectors carry all curvature of a network that bends nowhere.
#[test]
fn r2_is_exact_through_a_u_net() {
    let same = |channels| Conv2d::new(channels, 3).same();
    let relu = LeakyRelu { alpha: 0.1 };
    let m = Model::builder([1, 4, 4]).layer(same(2)).act(relu).name("top").layer(MaxPool2d::new(2));
    let m = m.layer(same(3)).act(relu).name("low").conv2d(3, 1).plus("low").layer(Upsample2d::bilinear(2));
    let m = m.concat("top").layer(same(2)).act(relu).flatten().dense(3);
    let problem = Problem::new(m.loss(Loss::cross_entropy()).unwrap(), 3, 3);
    let Problem { model, parameters, input, targets } = &problem;
    let ggn = exact_ggn_diagonal(model, parameters, input, targets.view()).unwrap();
    let r2 = problem.pass(Mode::HesScaleR2).diagonal;
    for exact in [problem.exact(), ggn] {
        let error = relative_max_norm(&r2, &exact);
        assert!(error < 1e-12, "{error:e}");
    }
    assert!(relative_max_norm(&problem.pass(Mode::HesScale).diagonal, &problem.exact()) > 1e-3);
}
