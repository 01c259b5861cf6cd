//! Products with matrices of second derivatives on the CPU, and what is estimated from them.

use crate::common::{compare, to_f64};
use crate::matrices::{Case, follows_the_reference, losses_of_products, networks, product};
use crate::problem::{Problem, mlp};
use hesscale::cpu::{ExecutorOptions, Products, Threads};
use hesscale::curvature::{Operator, conjugate_gradients, hutchinson, lanczos, trace};
use hesscale::model::{Conv2d, Init, Matrix, Targets};
use hesscale::{Activation, Error, Layer, Loss, Mode, Model, Result};
use std::ops::Range;

fn options() -> ExecutorOptions {
    let threads = Threads::new(2).unwrap().least_work(1000);
    ExecutorOptions::training(Mode::None).threads(threads)
}

fn on_the_cpu(case: &Case<'_>) -> Vec<f32> {
    // Room for more samples than come, and a product before, of which nothing may be left.
    let mut products = Products::new(case.model, case.batch + 2, case.matrix, options()).unwrap();
    let Case { parameters, input, targets, weights, v, .. } = *case;
    let other: Vec<f32> = v.iter().map(|v| 3.0 - v).collect();
    products.product(&other, input, targets, weights, parameters).unwrap();
    let product = products.product(parameters, input, targets, weights, v).unwrap().to_vec();
    // At one point what does not depend on the direction is computed once; the bits are the same.
    products.product(&other, input, targets, weights, parameters).unwrap();
    let mut at = products.at(parameters, input, targets, weights).unwrap();
    let mut again = vec![0.0; product.len()];
    for direction in [&other, parameters, v] {
        at.apply(direction, &mut again).unwrap();
    }
    assert!(product.iter().zip(&again).all(|(once, again)| once.to_bits() == again.to_bits()));
    product
}

/// Eight products of matrices a layer, or five, in a first product; six, or four, in the next; three and two in the first layer.
#[test]
fn operations_are_counted() {
    let model = mlp(&[6, 9, 7, 3], Activation::Tanh, Loss::mse());
    let (first, others) = (2 * 6 * 9, 2 * (9 * 7 + 7 * 3));
    for (matrix, once, next) in [(Matrix::Hessian, 8, 6), (Matrix::GaussNewton, 5, 4)] {
        let products = Products::new(&model, 4, matrix, options()).unwrap();
        assert_eq!(products.flops(), 4 * (3 * first + once * others));
        assert_eq!(products.flops_behind_the_first(), 4 * (2 * first + next * others));
    }
}

/// A product that fails leaves nothing that the next would take for its own.
#[test]
fn a_product_after_one_that_failed() {
    let model = mlp(&[3, 5, 2], Activation::Tanh, Loss::mse());
    let (parameters, input, targets) = (model.init(Init::Auto, 3).unwrap(), [0.5, -1.0, 0.25], [1.0, 2.0]);
    let mut products = Products::new(&model, 1, Matrix::Hessian, options().checked()).unwrap();
    let v: Vec<f32> = parameters.iter().map(|p| 2.0 * p).collect();
    let targets = Targets::Values(&targets);
    let want = products.product(&parameters, &input, targets, None, &v).unwrap().to_vec();
    let mut at = products.at(&parameters, &input, targets, None).unwrap();
    let mut got = vec![0.0; want.len()];
    at.apply(&parameters, &mut got).unwrap();
    let spoilt: Vec<f32> = v.iter().map(|_| f32::NAN).collect();
    assert!(matches!(at.apply(&spoilt, &mut got), Err(Error::NotFinite { .. })));
    assert!(matches!(at.apply(&v[1..], &mut got), Err(Error::Length { .. })));
    at.apply(&v, &mut got).unwrap();
    assert_eq!(got, want);
}

#[test]
fn every_network_follows_the_reference() {
    for (name, model) in networks() {
        for (batch, weighted) in [(1, false), (5, true), (40, false)] {
            follows_the_reference(name, &model, batch, weighted, &mut on_the_cpu);
        }
    }
}

#[test]
fn every_loss_follows_the_reference() {
    for model in losses_of_products() {
        for weighted in [false, true] {
            follows_the_reference("losses", &model, 6, weighted, &mut on_the_cpu);
        }
    }
}

#[test]
fn every_activation_follows_the_reference() {
    for activation in Activation::ALL {
        let model = mlp(&[6, 9, 7, 3], activation, Loss::mse());
        follows_the_reference(activation.name(), &model, 7, false, &mut on_the_cpu);
    }
}

/// The comparison notices a product that lacks a layer's share.
#[test]
#[should_panic(expected = "one layer, Hessian")]
fn the_comparator_notices() {
    let (name, model) = networks().swap_remove(0);
    follows_the_reference(name, &model, 4, false, &mut |case| {
        let mut got = on_the_cpu(case);
        got[1] *= 1.001;
        got
    });
}

#[test]
fn what_has_no_rule_is_refused_by_name() {
    let refused = |model: &Model| Products::new(model, 2, Matrix::Hessian, options()).unwrap_err();
    let tanh = Activation::Tanh;
    let gru = Model::builder([3, 4]).gru(5).last().dense(2).loss(Loss::mse()).unwrap();
    assert_eq!(
        refused(&gru),
        Error::Unsupported { layer: "gru 1".into(), kind: "products with the Hessian".into() }
    );
    let policy = mlp(&[3, 4, 2], tanh, Loss::ppo_discrete(0.2, 0.0));
    assert_eq!(
        refused(&policy),
        Error::Unsupported { layer: "loss".into(), kind: "products with the Hessian of PPO".into() }
    );
    let external = mlp(&[3, 4, 2], tanh, Loss::external());
    assert!(matches!(refused(&external), Error::Unsupported { .. }));
    let beside = Model::builder([3]).name("x").dense(8).act(tanh).concat("x").dense(1);
    assert!(refused(&beside.loss(Loss::mse()).unwrap()).to_string().starts_with("concat 3: "));
    let image = Model::builder([2, 3, 3]).conv2d(4, 1).layer_norm().flatten().dense(1);
    assert!(refused(&image.loss(Loss::mse()).unwrap()).to_string().contains("γ for each number"));
    let first = Model::builder([3]).layer(hesscale::model::PositionEmbedding::new()).dense(1);
    assert!(refused(&first.loss(Loss::mse()).unwrap()).to_string().starts_with("positionembedding 0: "));
    let bare = Model::builder([3]).layer(Layer::Identity).loss(Loss::mse()).unwrap();
    assert!(matches!(refused(&bare), Error::Unsupported { .. }));
    let model = mlp(&[3, 4, 2], tanh, Loss::mse());
    let with = |options| Products::new(&model, 2, Matrix::Hessian, options);
    assert!(matches!(with(ExecutorOptions::training(Mode::HesScale)), Err(Error::Unsupported { .. })));
    assert!(matches!(with(ExecutorOptions::inference()), Err(Error::NotPlanned { .. })));
    let mut products = with(options()).unwrap();
    let (w, x) = (vec![0.0; model.flat_len()], [0.0; 6]);
    let targets = Targets::Values(&[0.0; 4]);
    let short = products.product(&w, &x, targets, None, &w[1..]).unwrap_err();
    assert_eq!(short, Error::Length { tensor: "direction".into(), got: w.len() - 1, needed: w.len() });
    let short = products.product(&w[1..], &x, targets, None, &w).unwrap_err();
    assert_eq!(short, Error::Length { tensor: "parameters".into(), got: w.len() - 1, needed: w.len() });
    assert!(matches!(products.at(&w[1..], &x, targets, None), Err(Error::Length { .. })));
    let mut operator = products.at(&w, &x, targets, None).unwrap();
    assert!(matches!(operator.apply(&w, &mut [0.0; 3]), Err(Error::Length { .. })));
    // What is not finite is told of the direction, where checking is on; and frozen groups count.
    let frozen = hesscale::model::Groups::new().with("0.*", hesscale::model::Group::new().frozen());
    let mut checked = with(options().checked().groups(frozen)).unwrap();
    let mut v = vec![1.0; w.len()];
    assert_eq!(
        checked.product(&w, &x, targets, None, &v).unwrap(),
        with(options()).unwrap().product(&w, &x, targets, None, &v).unwrap()
    );
    v[2] = f32::NAN;
    let spoilt = checked.product(&w, &x, targets, None, &v).map(drop);
    assert!(matches!(spoilt, Err(Error::NotFinite { tensor, index: 2, .. }) if tensor == "direction"));
}

/// A small problem, and its whole Hessian in f64.
struct Known {
    problem: Problem,
    hessian: Vec<Vec<f64>>,
    places: Vec<usize>,
}

impl Known {
    fn new(matrix: Matrix) -> Known {
        let model =
            Model::builder([2, 5, 4]).layer(Conv2d::new(3, 3)).act(Activation::Tanh).flatten().dense(3);
        let problem = Problem::new(model.loss(Loss::cross_entropy()).unwrap(), 9, 5);
        let places: Vec<usize> = problem.model.parameters().iter().flat_map(|p| p.range()).collect();
        let column = |place: &usize| {
            let mut v = vec![0.0; problem.model.flat_len()];
            v[*place] = 1.0;
            product(&problem, matrix, None, &v)
        };
        let hessian = places.iter().map(column).collect();
        Known { problem, hessian, places }
    }

    fn with<T>(&self, matrix: Matrix, act: impl FnOnce(&mut dyn Operator) -> T) -> T {
        let to_f32 = |numbers: &[f64]| -> Vec<f32> { numbers.iter().map(|x| *x as f32).collect() };
        let Problem { model, parameters, input, targets } = &self.problem;
        let mut products = Products::new(model, 9, matrix, options()).unwrap();
        let (w, x) = (to_f32(parameters), to_f32(input));
        act(&mut products.at(&w, &x, targets.view(), None).unwrap())
    }

    fn diagonal(&self) -> Vec<f64> {
        let mut diagonal = vec![0.0; self.problem.model.flat_len()];
        self.places.iter().zip(&self.hessian).for_each(|(place, column)| diagonal[*place] = column[*place]);
        diagonal
    }
}

/// Within what its own standard errors allow, and they are right: four fifths of the entries within 1.5 of them, and the largest
/// distance is not many.
#[test]
fn estimates_agree_with_the_whole_matrix() {
    let known = Known::new(Matrix::Hessian);
    let exact = known.diagonal();
    let estimate = known.with(Matrix::Hessian, |operator| hutchinson(operator, 400, 3)).unwrap();
    let again = known.with(Matrix::Hessian, |operator| hutchinson(operator, 400, 3)).unwrap();
    assert_eq!(estimate, again);
    let distances = known.places.iter().map(|place| {
        let error = f64::from(estimate.standard_error[*place]);
        assert!(error > 0.0);
        (f64::from(estimate.diagonal[*place]) - exact[*place]).abs() / error
    });
    let distances: Vec<f64> = distances.collect();
    let near = distances.iter().filter(|distance| **distance < 1.5).count();
    let (all, most) = (distances.len(), distances.iter().copied().fold(0.0, f64::max));
    assert!(near * 10 >= all * 8 && near < all && most < 5.0, "{near} of {all}, {most}");
    let gaps = (0..estimate.diagonal.len()).filter(|place| !known.places.contains(place));
    gaps.for_each(|place| assert_eq!((estimate.diagonal[place], estimate.standard_error[place]), (0.0, 0.0)));

    let estimate = known.with(Matrix::Hessian, |operator| trace(operator, 400, 4)).unwrap();
    let distance = (estimate.trace - exact.iter().sum::<f64>()).abs();
    assert!(distance < 4.0 * estimate.standard_error && estimate.standard_error > 0.0, "{estimate:?}");
    let single = known.with(Matrix::Hessian, |operator| trace(operator, 1, 4)).unwrap();
    assert_eq!(single.standard_error, f64::INFINITY);
}

/// Power iteration with a shift is another way to both ends.
#[test]
fn the_spectrums_ends_are_those_of_power_iteration() {
    let known = Known::new(Matrix::Hessian);
    let n = known.places.len();
    let times = |v: &[f64]| -> Vec<f64> {
        let row = |i: usize| known.hessian.iter().zip(v).map(|(column, v)| column[known.places[i]] * v).sum();
        (0..n).map(row).collect()
    };
    let end = |shift: f64| {
        let mut v: Vec<f64> = (0..n).map(|i| 1.0 + 0.01 * i as f64).collect();
        let mut value = 0.0;
        for _ in 0..4000 {
            let next: Vec<f64> = times(&v).iter().zip(&v).map(|(hv, v)| hv + shift * v).collect();
            let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
            value = v.iter().zip(&next).map(|(v, next)| v * next).sum::<f64>();
            v = next.into_iter().map(|x| x / length).collect();
        }
        value - shift
    };
    let bound: f64 =
        known.hessian.iter().map(|column| column.iter().map(|x| x.abs()).sum()).fold(0.0, f64::max);
    let spectrum = known.with(Matrix::Hessian, |operator| lanczos(operator, n + 20, 1)).unwrap();
    let (largest, smallest) = (end(bound), end(-bound));
    let [first, last] = [spectrum.values[0], spectrum.values[spectrum.values.len() - 1]];
    assert!((first - largest).abs() < 1e-4 * bound && (last - smallest).abs() < 1e-4 * bound, "{spectrum:?}");
    assert!(smallest < 0.0, "a Hessian that is not convex");
    assert!((spectrum.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    // The vector is the value's.
    let v: Vec<f64> = known.places.iter().map(|place| f64::from(spectrum.first[*place])).collect();
    let want: Vec<f64> = v.iter().map(|v| first * v).collect();
    compare("A v", &times(&v), &want, 1e-3).unwrap();
    // Few steps: the bound holds.
    let few = known.with(Matrix::Hessian, |operator| lanczos(operator, 12, 1)).unwrap();
    assert!(few.values.len() == 12 && (few.values[0] - largest).abs() <= few.errors[0] + 1e-5 * bound);
}

#[test]
fn conjugate_gradients_solve() {
    let known = Known::new(Matrix::GaussNewton);
    let mut b = vec![0.0_f32; known.problem.model.flat_len()];
    known.places.iter().enumerate().for_each(|(i, place)| b[*place] = (i as f32).sin());
    let solve = |tolerance, most| {
        known.with(Matrix::GaussNewton, |operator| conjugate_gradients(operator, &b, 0.05, tolerance, most))
    };
    let solution = solve(1e-5, 300).unwrap();
    assert!(solution.residual <= 1e-5 && !solution.negative_curvature, "{solution:?}");
    let mut back = vec![0.0; b.len()];
    for (place, column) in known.places.iter().zip(&known.hessian) {
        let x = f64::from(solution.x[*place]);
        back.iter_mut().zip(column).for_each(|(back, h)| *back += h * x);
        back[*place] += 0.05 * x;
    }
    compare("b", &back, &to_f64(&b), 1e-4).unwrap();
    assert_eq!(solve(1e-5, 2).unwrap().steps, 2);
    // To the end of what f32 tells, and no further.
    let exact = solve(0.0, 10_000).unwrap();
    assert!(!exact.negative_curvature && exact.residual < 1e-12 && exact.steps < 10_000, "{exact:?}");
    // The Hessian is not positive definite.
    let indefinite =
        known.with(Matrix::Hessian, |operator| conjugate_gradients(operator, &b, 0.0, 1e-6, 300)).unwrap();
    assert!(indefinite.negative_curvature);
    let nothing = known
        .with(Matrix::GaussNewton, |operator| conjugate_gradients(operator, &vec![0.0; b.len()], 0.0, 0.0, 9))
        .unwrap();
    assert_eq!((nothing.steps, nothing.residual), (0, 0.0));
}

/// Of the user's own: a diagonal matrix, on which a probe is exact.
struct Diagonal(Vec<f32>, [Range<usize>; 2]);

impl Operator for Diagonal {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn ranges(&self) -> &[Range<usize>] {
        &self.1
    }

    fn apply(&mut self, v: &[f32], product: &mut [f32]) -> Result<()> {
        product.iter_mut().zip(v.iter().zip(&self.0)).for_each(|(product, (v, d))| *product = v * d);
        Ok(())
    }
}

#[test]
fn bad_input_is_refused() {
    let mut diagonal = Diagonal(vec![2.0, -1.0, 9.0, 0.5], [0..2, 3..4]);
    let exact = hutchinson(&mut diagonal, 2, 1).unwrap();
    assert_eq!((exact.diagonal, exact.standard_error), (vec![2.0, -1.0, 0.0, 0.5], vec![0.0; 4]));
    let spectrum = lanczos(&mut diagonal, 10, 1).unwrap();
    assert_eq!(spectrum.values.len(), 3);
    for (got, want) in spectrum.values.iter().zip([2.0, 0.5, -1.0]) {
        assert!((got - want).abs() < 1e-6, "{spectrum:?}");
    }
    let zero = |what| Error::ZeroSize { place: "curvature".into(), what };
    assert_eq!(hutchinson(&mut diagonal, 0, 1), Err(zero("the number of probes")));
    assert_eq!(trace(&mut diagonal, 0, 1), Err(zero("the number of probes")));
    assert_eq!(lanczos(&mut diagonal, 0, 1), Err(zero("the number of steps")));
    assert_eq!(lanczos(&mut Diagonal(Vec::new(), [0..0, 0..0]), 3, 1), Err(zero("the number of parameters")));
    let b = [1.0; 4];
    let mut solve =
        |b: &[f32], damping, tolerance| conjugate_gradients(&mut diagonal, b, damping, tolerance, 9);
    assert!(matches!(solve(&b[1..], 0.0, 0.0), Err(Error::Length { .. })));
    assert!(matches!(solve(&b, -1.0, 0.0), Err(Error::Value { name: "the damping", .. })));
    assert!(matches!(solve(&b, f64::NAN, 0.0), Err(Error::Value { name: "the damping", .. })));
    assert!(matches!(solve(&b, 0.0, f64::INFINITY), Err(Error::Value { name: "the tolerance", .. })));
    let spoilt = [1.0, f32::NAN, 0.0, 0.0];
    assert!(matches!(solve(&spoilt, 0.0, 0.0), Err(Error::NotFinite { index: 1, .. })));
    let mut beyond = Diagonal(vec![1.0, 2.0], [0..1, 1..3]);
    assert!(matches!(hutchinson(&mut beyond, 2, 1), Err(Error::Length { got: 2, needed: 3, .. })));
    assert!(matches!(lanczos(&mut beyond, 2, 1), Err(Error::Length { got: 2, needed: 3, .. })));
    let mut spoilt = Diagonal(vec![1.0, f32::INFINITY], [0..1, 1..2]);
    assert!(matches!(hutchinson(&mut spoilt, 2, 1), Err(Error::NotFinite { index: 1, .. })));
    assert!(matches!(lanczos(&mut spoilt, 2, 1), Err(Error::NotFinite { index: 1, .. })));
}

/// Over a data set, batch by batch, as over one batch of it all; with weights, and of a weighted mean.
#[test]
fn a_data_set_batch_by_batch() {
    use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
    let body = || Model::builder([3]).dense(8).act(Activation::Tanh).dense(4);
    let mut random = fastrand::Rng::with_seed(2);
    let inputs: Vec<f32> = (0..3 * 13).map(|_| random.f32() - 0.5).collect();
    let classes: Vec<u32> = (0..13).map(|_| random.u32(0..4)).collect();
    let weights: Vec<f32> = (0..13).map(|_| random.f32() + 0.2).collect();
    for loss in [Loss::cross_entropy().into(), Loss::from(Loss::cross_entropy().weighted_mean())] {
        let model = body().loss(loss).unwrap();
        let data = Dataset::new(inputs.clone(), 3, Labels::Classes(classes.clone())).unwrap();
        let data = data.with_weights(weights.clone()).unwrap();
        let trainer =
            Trainer::on_cpu(&model, hesscale::Optimizer::adam(1e-3), TrainerOptions::default()).unwrap();
        let w = trainer.parameters().unwrap();
        let v: Vec<f32> =
            w.iter().enumerate().map(|(i, w)| w + (i as f32).sin() * f32::from(*w != 0.0)).collect();
        for matrix in [Matrix::Hessian, Matrix::GaussNewton] {
            let mut products = Products::new(&model, 13, matrix, options()).unwrap();
            let want = products.product(&w, &inputs, Targets::Classes(&classes), Some(&weights), &v).unwrap();
            let want = to_f64(want);
            for batch in [1, 5, 13, 100] {
                let mut operator = trainer.matrix_over(matrix, &data, batch).unwrap();
                let mut got = vec![1.0; v.len()];
                operator.apply(&w, &mut got).unwrap();
                operator.apply(&v, &mut got).unwrap();
                compare("product", &to_f64(&got), &want, 1e-5).unwrap_or_else(|e| panic!("{batch}: {e}"));
            }
        }
        assert!(matches!(trainer.matrix_over(Matrix::Hessian, &data, 0), Err(Error::ZeroSize { .. })));
    }
}

/// A loss and an activation of the user's own, by the derivatives that they give: as those that they are written after.
#[test]
fn functions_of_the_users_own() {
    let model = |activation: Activation, loss: Loss| mlp(&[5, 9, 4], activation, loss);
    let own = model(crate::common::own::softplus(), crate::common::own::huber().into());
    let known = model(Activation::Softplus, Loss::huber(0.5));
    let products = [own, known].map(|model| {
        let problem = Problem::new(model, 7, 3);
        let f32s = |numbers: &[f64]| -> Vec<f32> { numbers.iter().map(|x| *x as f32).collect() };
        let (model, w, x) = (&problem.model, f32s(&problem.parameters), f32s(&problem.input));
        let (targets, weights) = (problem.targets.view(), None);
        on_the_cpu(&Case {
            model,
            matrix: Matrix::Hessian,
            batch: 7,
            parameters: &w,
            input: &x,
            targets,
            weights,
            v: &w,
        })
    });
    let [own, known] = products.map(|product| to_f64(&product));
    compare("product", &own, &known, 1e-5).unwrap();
}
