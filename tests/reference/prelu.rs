//! PReLU: as its formula has it, and exact where the method is.

use crate::common::relative_max_norm;
use crate::problem::Problem;
use hesscale::model::{Conv2d, PRelu};
use hesscale::reference::{exact_ggn_diagonal, hessian_vector_product};
use hesscale::{Activation, Loss, Mode, Model};

/// A batch of one sample, all by hand.
#[test]
fn by_hand() {
    let model = Model::builder([2, 2]).layer(PRelu::per_channel()).loss(Loss::mse().sum()).unwrap();
    let mut problem = Problem::new(model, 1, 1);
    problem.parameters[..2].copy_from_slice(&[0.5, -2.0]);
    problem.input = vec![-1.0, 3.0, 0.0, -0.25];
    problem.targets = crate::common::golden::OwnedTargets::Values(vec![0.0; 4]);
    let pass = problem.pass(Mode::HesScale);
    assert_eq!(pass.logits, [-0.5, 3.0, 0.0, 0.5]);
    // g = 2 z, h = 2 at the outputs; at 0 the slope counts.
    assert_eq!(pass.input_signal.g, [-0.5, 6.0, 0.0, -2.0]);
    assert_eq!(pass.input_signal.h, [0.5, 2.0, 8.0, 8.0]);
    assert_eq!(pass.gradient[..2], [1.0, -0.25]);
    assert_eq!(pass.diagonal[..2], [2.0, 0.125]);
}

/// One slope for all is the sum of a slope for each channel, u before it is squared.
#[test]
fn one_slope_is_shared() {
    let with = |prelu: PRelu| {
        let builder = Model::builder([3, 4, 3]).layer(Conv2d::new(4, 2)).layer(prelu).flatten().dense(3);
        Problem::new(builder.loss(Loss::cross_entropy()).unwrap(), 5, 3)
    };
    let (mut each, mut one) = (with(PRelu::per_channel()), with(PRelu::new()));
    for p in one.model.parameters() {
        let of = each.model.parameter_named(&p.name()).unwrap().range();
        let len = of.len();
        let numbers: Vec<f64> = one.parameters[p.range()].iter().copied().cycle().take(len).collect();
        each.parameters[of].copy_from_slice(&numbers);
    }
    one.input.clone_from(&each.input);
    one.targets = crate::common::golden::OwnedTargets::Classes(vec![0, 1, 2, 1, 0]);
    each.targets = crate::common::golden::OwnedTargets::Classes(vec![0, 1, 2, 1, 0]);
    let place = |problem: &Problem| problem.model.parameter_named("1.weight").unwrap().range();
    for mode in [Mode::None, Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR2] {
        let (of_each, of_one) = (each.pass(mode), one.pass(mode));
        assert_eq!((of_each.loss, &of_each.logits), (of_one.loss, &of_one.logits));
        let sum = |flat: &[f64]| flat[place(&each)].iter().sum::<f64>();
        let got = of_one.gradient[place(&one)][0];
        assert!((got - sum(&of_each.gradient)).abs() < 1e-14);
        if mode == Mode::HesScale {
            assert!((of_one.diagonal[place(&one)][0] - sum(&of_each.diagonal)).abs() < 1e-14);
        }
    }
}

/// f'' is 0, so two vectors carry all curvature of three classes.
#[test]
fn r2_is_exact() {
    for (seed, prelu) in [PRelu::new(), PRelu::per_channel()].into_iter().enumerate() {
        let builder = Model::builder([2, 4, 3])
            .conv2d(4, 2)
            .layer(prelu.clone())
            .residual(|b| b.layer(prelu.clone()).layer(Conv2d::new(4, 3).same()).layer(prelu));
        let model = builder.flatten().dense(7).layer(PRelu::new()).dense(3).loss(Loss::cross_entropy());
        let problem = Problem::new(model.unwrap(), 4, seed as u64);
        let Problem { model, parameters, input, targets } = &problem;
        let r2 = problem.pass(Mode::HesScaleR2).diagonal;
        for exact in [problem.exact(), exact_ggn_diagonal(model, parameters, input, targets.view()).unwrap()]
        {
            assert!(relative_max_norm(&r2, &exact) < 1e-12);
        }
        assert!(relative_max_norm(&problem.pass(Mode::HesScale).diagonal, &r2) > 1e-3);
    }
}

/// The exact diagonal by directions of a layer's output against columns of the Hessian.
#[test]
fn the_exact_diagonal_is_that_of_the_hessian() {
    let builder = Model::builder([3]).dense(5).layer(PRelu::per_channel()).dense(4).act(Activation::Tanh);
    let problem = Problem::new(builder.layer(PRelu::new()).dense(3).loss(Loss::mse()).unwrap(), 4, 7);
    let Problem { model, parameters, input, targets } = &problem;
    let exact = problem.exact();
    for k in model.parameters().iter().flat_map(|p| p.range()) {
        let mut unit = vec![0.0; model.flat_len()];
        unit[k] = 1.0;
        let column = hessian_vector_product(model, parameters, input, targets.view(), &unit).unwrap();
        assert!((column[k] - exact[k]).abs() < 1e-13 * (1.0 + exact[k].abs()), "{k}");
    }
}
