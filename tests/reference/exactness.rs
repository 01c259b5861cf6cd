//! Where the recursions are exact, and the exact diagonals themselves.

use crate::common::relative_max_norm;
use crate::problem::{Problem, losses, mlp, policies};
use hesscale::model::{
    AvgPool2d, BatchNorm, Builder, Conv2d, ConvTranspose2d, MaxPool2d, Padding, Role, Upsample2d,
};
use hesscale::reference::{exact_ggn_diagonal, hessian_vector_product, hutchinson_diagonal};
use hesscale::{Activation, Layer, Loss, Mode, Model};

const SMOOTH: [Activation; 11] = [
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::LogSigmoid,
    Activation::Softplus,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Sin { frequency: 1.0 },
    Activation::Mish,
    Activation::Softsign,
    Activation::Square,
];

/// How far the diagonal of `mode` is from the exact one.
fn error(problem: &Problem, mode: Mode) -> f64 {
    relative_max_norm(&problem.pass(mode).diagonal, &problem.exact())
}

fn assert_exact(problem: &Problem, modes: &[Mode]) {
    for mode in modes {
        let error = error(problem, *mode);
        assert!(error < 1e-13, "{mode:?}: {error:e}, {:?}", problem.model);
    }
}

#[test]
fn one_dense_layer_under_any_loss() {
    for (seed, loss) in losses(4).into_iter().enumerate() {
        let problem = Problem::new(mlp(&[5, 4], Activation::Identity, loss), 6, seed as u64);
        assert_exact(&problem, &[Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR1, Mode::HesScaleR2]);
    }
}

#[test]
fn one_dense_layer_under_a_policys_loss() {
    for (seed, loss) in policies().into_iter().enumerate() {
        let problem = Problem::new(mlp(&[5, 4], Activation::Identity, loss), 12, seed as u64);
        assert_exact(&problem, &[Mode::HesScale, Mode::HesScaleGn]);
    }
}

#[test]
fn one_hidden_layer_under_mse_and_bce() {
    use hesscale::model::Reduction::Mean;
    for (seed, activation) in Activation::ALL.into_iter().enumerate() {
        for loss in [Loss::mse(), Loss::BceWithLogits { reduction: Mean, pos_weight: None }] {
            let problem = Problem::new(mlp(&[5, 7, 3], activation, loss), 6, seed as u64);
            assert_exact(&problem, &[Mode::HesScale, Mode::HesScaleR1, Mode::HesScaleR2]);
        }
    }
    // Without f'' it is not exact, so the exactness above is no accident.
    let problem = Problem::new(mlp(&[5, 7, 3], Activation::Tanh, Loss::mse()), 6, 0);
    assert!(error(&problem, Mode::HesScaleGn) > 1e-2);
}

/// Seven layers one unit wide, an activation feeding the loss.
#[test]
fn chains_of_width_one() {
    for (seed, pair) in SMOOTH.windows(2).enumerate() {
        let mut builder = Model::builder([1]);
        for activation in pair.iter().chain(pair) {
            builder = builder.dense(1).act(*activation);
        }
        let model = builder.act(Activation::Sin { frequency: 1.0 }).loss(Loss::mse()).unwrap();
        assert_exact(&Problem::new(model, 3, seed as u64), &[Mode::HesScale, Mode::HesScaleR1]);
    }
}

/// With three classes two vectors are the whole Hessian of the loss: on a ReLU network of any depth R2 is the exact
/// diagonal; on a smooth one f'' brings what it drops from the third hidden layer on.
#[test]
fn r2_is_exact_with_three_classes() {
    let problem = |activation, widths: &[usize], seed| {
        Problem::new(mlp(widths, activation, Loss::cross_entropy()), 5, seed)
    };
    for seed in 0..5 {
        for piecewise in [Activation::Relu, Activation::LeakyRelu { alpha: 0.1 }] {
            let problem = problem(piecewise, &[4, 6, 5, 6, 3], seed);
            assert_exact(&problem, &[Mode::HesScaleR2]);
            let exact_ggn = exact_ggn_diagonal(
                &problem.model,
                &problem.parameters,
                &problem.input,
                problem.targets.view(),
            );
            assert!(relative_max_norm(&problem.exact(), &exact_ggn.unwrap()) < 1e-13);
            assert!(error(&problem, Mode::HesScaleR1) > 1e-4 && error(&problem, Mode::HesScale) > 1e-3);
        }
    }
    for (seed, smooth) in SMOOTH.into_iter().enumerate() {
        assert_exact(&problem(smooth, &[4, 6, 3], seed as u64), &[Mode::HesScaleR2]);
        assert_exact(&problem(smooth, &[4, 6, 5, 3], seed as u64), &[Mode::HesScaleR2]);
        assert!(error(&problem(smooth, &[4, 6, 5, 6, 3], seed as u64), Mode::HesScaleR2) > 1e-6);
    }
    // Two classes: one vector is enough.
    let two = Problem::new(mlp(&[4, 6, 5, 2], Activation::Tanh, Loss::cross_entropy()), 5, 9);
    assert_exact(&two, &[Mode::HesScaleR1, Mode::HesScaleR2]);
}

#[test]
fn gauss_newton_is_hesscale_where_nothing_curves() {
    for activation in [Activation::Identity, Activation::Relu, Activation::LeakyRelu { alpha: 0.3 }] {
        let problem = Problem::new(mlp(&[4, 8, 8, 3], activation, Loss::cross_entropy()), 5, 2);
        let (full, gn) = (problem.pass(Mode::HesScale), problem.pass(Mode::HesScaleGn));
        assert_eq!(full.diagonal, gn.diagonal);
    }
}

/// Where every weight of a convolution meets one place of a sample only, there are no cross terms to drop.
#[test]
fn convolutions_at_one_place_under_any_loss() {
    for (seed, loss) in losses(4).into_iter().enumerate() {
        let forth = Model::builder([2, 3, 4]).layer(Conv2d::new(4, [3, 4]).groups(2)).flatten();
        let mut back = ConvTranspose2d::new(4, [2, 3]).stride(2).padding([0, 1]).groups(2);
        back.inputs = 6;
        let modes = [Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR1, Mode::HesScaleR2];
        assert_exact(&Problem::new(forth.loss(loss).unwrap(), 5, seed as u64), &modes);
        // One place becomes two rows and one column of two channels that no tap meets twice.
        let back = Model::builder([6, 1, 1]).layer(Layer::ConvTranspose2d(back)).loss(Loss::mse());
        let back = Problem::new(back.unwrap(), 5, seed as u64);
        let weight = back.model.parameters()[0].range();
        for mode in modes {
            let error =
                relative_max_norm(&back.pass(mode).diagonal[weight.clone()], &back.exact()[weight.clone()]);
            assert!(error < 1e-13, "{mode:?}: {error:e}");
        }
    }
    let norm = BatchNorm::new(vec![0.5, -1.0, 0.25], vec![2.0, 0.0, 0.125]);
    let problem = Problem::new(Model::builder([3]).layer(norm).loss(Loss::mse()).unwrap(), 5, 1);
    assert_exact(&problem, &[Mode::HesScale, Mode::HesScaleR2]);
}

/// At several places HesScale drops their cross terms; the dense layer after them is still exact.
#[test]
fn a_convolution_at_many_places_is_not_exact() {
    let builder = Model::builder([1, 4, 4]).conv2d(2, 3).flatten().dense(3);
    let problem = Problem::new(builder.loss(Loss::mse()).unwrap(), 3, 2);
    let (got, want) = (problem.pass(Mode::HesScale).diagonal, problem.exact());
    let error = |layer| {
        let range = problem.model.parameter(layer, Role::Weight).unwrap().range();
        relative_max_norm(&got[range.clone()], &want[range])
    };
    assert!(error(0) > 1e-2 && error(2) < 1e-14, "{} {}", error(0), error(2));
}

/// Every kind of layer between a convolution and the classes, a ReLU network: all curvature is the loss's, and with
/// three classes two vectors carry all of that, whatever is shared, pooled, normalised or added up on the way.
#[test]
fn r2_is_exact_through_every_layer() {
    let shortcut =
        |body: Builder| body.conv2d(4, [1, 1]).act(Activation::Relu).layer(Conv2d::new(4, 3).same());
    let mut up = ConvTranspose2d::new(3, 3).stride(2).padding(1).output_padding(1).groups(1);
    up.inputs = 4;
    let layers: [Layer; 15] = [
        MaxPool2d::new(3).stride(1).padding(1).into(),
        AvgPool2d::new(2).stride(1).padding(1).count_include_pad(false).into(),
        Layer::AdaptiveAvgPool2d { output: [3, 2] },
        Layer::ZeroPad2d { padding: [1, 0, 0, 2] },
        Layer::ReflectionPad2d { padding: [1, 0, 0, 2] },
        Layer::ReplicationPad2d { padding: [2, 0, 1, 0] },
        Upsample2d::bilinear([1, 2]).into(),
        Layer::PixelShuffle { factor: 2 },
        MaxPool2d::new(2).ceil_mode(true).into(),
        AvgPool2d::new([2, 3]).stride(2).padding(Padding::SAME).ceil_mode(true).into(),
        BatchNorm::new(vec![0.1, 0.2, 0.3, -0.4], vec![1.0, 0.5, 2.0, 0.25]).into(),
        Layer::Dropout { p: 0.3 },
        Layer::Identity,
        up.into(),
        Conv2d::new(4, [2, 3]).dilation([2, 1]).padding(1).groups(2).into(),
    ];
    for (seed, layer) in layers.into_iter().enumerate() {
        let builder = Model::builder([2, 4, 5]).conv2d(4, [2, 2]).act(Activation::LeakyRelu { alpha: 0.1 });
        let builder = builder.residual(shortcut).layer(layer.clone()).act(Activation::Relu).conv2d(2, [2, 2]);
        let model = builder.flatten().dense(3).loss(Loss::cross_entropy()).unwrap();
        let problem = Problem::new(model, 3, seed as u64);
        let Problem { model, parameters, input, targets } = &problem;
        let (r2, ggn) = (
            problem.pass(Mode::HesScaleR2),
            exact_ggn_diagonal(model, parameters, input, targets.view()).unwrap(),
        );
        for exact in [problem.exact(), ggn] {
            let error = relative_max_norm(&r2.diagonal, &exact);
            assert!(error < 1e-12, "{layer:?}: {error:e}");
        }
        assert!(error(&problem, Mode::HesScale) > 1e-3);
    }
}

/// The gradient does not depend on the mode.
#[test]
fn every_mode_has_the_same_gradient_bit_for_bit() {
    for (seed, loss) in losses(4).into_iter().enumerate() {
        let problem = Problem::new(mlp(&[3, 6, 4], Activation::Silu, loss), 5, seed as u64);
        let plain = problem.pass(Mode::None);
        assert!(plain.diagonal.is_empty() && plain.signals.iter().all(|s| s.h.is_empty() && s.u.is_empty()));
        for mode in Mode::ALL {
            let pass = problem.pass(mode);
            assert_eq!((pass.loss, pass.gradient), (plain.loss, plain.gradient.clone()), "{mode:?}");
            assert_eq!(pass.input_signal.g, plain.input_signal.g);
        }
    }
}

/// A dense layer whose weight is the identity turns the network's input into a parameter: its bias.
#[test]
fn input_signal_is_that_of_a_bias_in_front() {
    let loss = Loss::cross_entropy;
    let behind = Problem::new(mlp(&[4, 6, 3], Activation::Tanh, loss()), 1, 8);
    let builder = Model::builder([4]).dense(4).dense(6).act(Activation::Tanh).dense(3);
    let mut front = Problem::new(builder.loss(loss()).unwrap(), 1, 0);
    for (to, from) in front.model.parameters()[2..].iter().zip(behind.model.parameters()) {
        front.parameters[to.range()].copy_from_slice(&behind.parameters[from.range()]);
    }
    let [weight, bias] =
        [Role::Weight, Role::Bias].map(|role| front.model.parameter(0, role).unwrap().range());
    front.parameters[weight].iter_mut().enumerate().for_each(|(i, w)| *w = f64::from(u8::from(i % 5 == 0)));
    front.parameters[bias.clone()].copy_from_slice(&behind.input);
    front.input.fill(0.0);
    front.targets = crate::common::golden::OwnedTargets::Classes(vec![2]);
    let behind = Problem { targets: crate::common::golden::OwnedTargets::Classes(vec![2]), ..behind };
    for mode in [Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR2] {
        let (input, front) = (behind.pass(mode).input_signal, front.pass(mode));
        assert!(relative_max_norm(&input.g, &front.gradient[bias.clone()]) < 1e-14);
        assert!(relative_max_norm(&input.h, &front.diagonal[bias.clone()]) < 1e-14, "{mode:?}");
    }
}

/// The diagonal by units against the Hessian itself, column by column.
#[test]
fn exact_diagonal_is_that_of_the_hessian() {
    for (seed, loss) in losses(4).into_iter().enumerate() {
        let problem = Problem::new(mlp(&[3, 5, 4], Activation::Tanh, loss), 4, seed as u64);
        let hessian = hessian(&problem);
        let diagonal: Vec<f64> = (0..hessian.len()).map(|i| hessian[i][i]).collect();
        assert!(relative_max_norm(&problem.exact(), &diagonal) < 1e-13);
        for (i, row) in hessian.iter().enumerate() {
            row.iter()
                .enumerate()
                .for_each(|(j, h)| assert!((h - hessian[j][i]).abs() < 1e-14 * (1.0 + h.abs())));
        }
    }
}

/// The same where weights are shared, values are read twice, and functions curve.
#[test]
fn exact_diagonal_of_a_convolutional_network_is_that_of_the_hessian() {
    let norm = BatchNorm::new(vec![0.1, -0.2], vec![1.0, 0.5]);
    let body = |body: Builder| body.layer(norm).act(Activation::Tanh).layer(Conv2d::new(2, 3).same());
    for loss in [Loss::cross_entropy().into(), Loss::mse()] {
        let builder = Model::builder([1, 4, 4]).conv2d(2, 2).act(Activation::Silu).residual(body.clone());
        let mut up = ConvTranspose2d::new(1, 2).stride(2);
        up.inputs = 2;
        let builder = builder.layer(MaxPool2d::new(2).stride(1)).layer(up).dropout(0.2);
        let model = builder.act(Activation::Gelu).flatten().dense(3).loss(loss).unwrap();
        let problem = Problem::new(model, 3, 4);
        let hessian = hessian(&problem);
        let diagonal: Vec<f64> = (0..hessian.len()).map(|i| hessian[i][i]).collect();
        assert!(relative_max_norm(&problem.exact(), &diagonal) < 1e-12);
        assert!(error(&problem, Mode::HesScale) > 1e-3);
    }
}

/// All of it, `H e` for each unit vector.
fn hessian(problem: &Problem) -> Vec<Vec<f64>> {
    let Problem { model, parameters, input, targets } = problem;
    let column = |i: usize| {
        let mut e = vec![0.0; parameters.len()];
        e[i] = 1.0;
        hessian_vector_product(model, parameters, input, targets.view(), &e).unwrap()
    };
    (0..parameters.len()).map(column).collect()
}

/// Every entry within five standard deviations, which are known: the variance of `v_i (Hv)_i` is the sum of the squares
/// of the row's other entries.
#[test]
fn hutchinson_converges_as_its_variance_says() {
    let problem = Problem::new(mlp(&[3, 5, 3], Activation::Tanh, Loss::cross_entropy()), 4, 7);
    let (exact, hessian) = (problem.exact(), hessian(&problem));
    let Problem { model, parameters, input, targets } = &problem;
    for samples in [1, 50, 2_000] {
        let estimate = hutchinson_diagonal(model, parameters, input, targets.view(), samples, 11).unwrap();
        let again = hutchinson_diagonal(model, parameters, input, targets.view(), samples, 11).unwrap();
        assert_eq!(estimate, again);
        let mut spread = 0.0;
        for p in model.parameters() {
            for i in p.range() {
                let others = hessian[i].iter().enumerate().filter(|(j, _)| *j != i);
                let deviation = (others.map(|(_, h)| h * h).sum::<f64>() / samples as f64).sqrt();
                let z = (estimate[i] - exact[i]) / deviation;
                assert!(z.abs() < 5.0, "{samples} samples, [{i}]: {z} deviations");
                spread += z * z / model.parameter_count() as f64;
            }
        }
        // Nor implausibly close.
        assert!((0.1..4.0).contains(&spread), "{samples} samples: {spread}");
    }
}
