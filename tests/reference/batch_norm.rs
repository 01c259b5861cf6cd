//! Batch normalisation by the statistics of the batch.

use crate::common::relative_max_norm;
use crate::problem::Problem;
use hesscale::model::{BatchNorm, Conv2d, LayerNorm, Noise};
use hesscale::reference::{exact_ggn_diagonal, hessian_vector_product, predict, running_statistics};
use hesscale::{Activation, Loss, Mode, Model};

/// One channel of a batch is a sample of a layer normalisation.
#[test]
fn a_channel_is_a_group() {
    let eps = 0.1;
    let batch = Model::builder([1, 3, 2]).layer(BatchNorm::of_batch().eps(eps)).act(Activation::Tanh);
    let mut batch = Problem::new(batch.loss(Loss::mse().sum()).unwrap(), 5, 1);
    let layer = Model::builder([30]).layer(LayerNorm::new().eps(eps)).act(Activation::Tanh);
    let mut layer = Problem::new(layer.loss(Loss::mse().sum()).unwrap(), 1, 2);
    layer.input.clone_from(&batch.input);
    layer.targets = batch.targets.clone();
    let [gamma, beta] = [1.7, -0.3];
    let places: Vec<_> = batch.model.parameters().iter().map(|p| p.range()).collect();
    (batch.parameters[places[0].start], batch.parameters[places[1].start]) = (gamma, beta);
    for (p, value) in layer.model.parameters().iter().zip([gamma, beta]) {
        layer.parameters[p.range()].fill(value);
    }
    for mode in [Mode::None, Mode::HesScale, Mode::HesScaleGn] {
        let (of_batch, of_layer) = (batch.pass(mode), layer.pass(mode));
        assert!(relative_max_norm(&of_batch.logits, &of_layer.logits) < 1e-14);
        assert!(relative_max_norm(&of_batch.input_signal.g, &of_layer.input_signal.g) < 1e-13);
        if mode.has_diagonal() {
            assert!(relative_max_norm(&of_batch.input_signal.h, &of_layer.input_signal.h) < 1e-13);
        }
        for (place, p) in places.iter().zip(layer.model.parameters()) {
            let sum: f64 = of_layer.gradient[p.range()].iter().sum();
            assert!((of_batch.gradient[place.start] - sum).abs() < 1e-12);
            if mode.has_diagonal() {
                let sum: f64 = of_layer.diagonal[p.range()].iter().sum();
                assert!((of_batch.diagonal[place.start] - sum).abs() < 1e-12);
            }
        }
    }
}

fn network(batch: usize) -> Problem {
    let builder = Model::builder([2, 3, 4]).layer(Conv2d::new(3, 2).bias(false)).layer(BatchNorm::of_batch());
    let builder = builder.act(Activation::Tanh).flatten().dense(4).layer(BatchNorm::of_batch().eps(0.1));
    let builder = builder.act(Activation::Softplus).dense(3);
    Problem::new(builder.loss(Loss::cross_entropy()).unwrap(), batch, 3)
}

/// The gradient by the loss itself, through the statistics of all samples; and the exact diagonal by columns of the Hessian.
#[test]
fn the_gradient_and_the_exact_diagonal_are_the_losses() {
    let problem = network(4);
    let Problem { model, parameters, input, targets } = &problem;
    let gradient = problem.pass(Mode::None).gradient;
    let exact = problem.exact();
    for k in model.parameters().iter().flat_map(|p| p.range()) {
        let moved = |by: f64| {
            let mut moved = parameters.clone();
            moved[k] += by;
            hesscale::reference::pass(model, Mode::None, &moved, input, targets.view()).unwrap().loss
        };
        let step = 1e-5;
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        assert!((slope - gradient[k]).abs() < 1e-8 * (1.0 + slope.abs()), "{k}: {slope} {}", gradient[k]);
        let mut unit = vec![0.0; model.flat_len()];
        unit[k] = 1.0;
        let column = hessian_vector_product(model, parameters, input, targets.view(), &unit).unwrap();
        assert!((column[k] - exact[k]).abs() < 1e-12 * (1.0 + exact[k].abs()), "{k}");
    }
}

/// What stands last is exact in every mode, and of a sample that is the whole batch nothing of u is dropped.
#[test]
fn where_the_rules_are_exact() {
    let last = Model::builder([3, 2]).layer(BatchNorm::of_batch()).loss(Loss::mse()).unwrap();
    let last = Problem::new(last, 5, 4);
    for mode in [Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR2] {
        assert!(relative_max_norm(&last.pass(mode).diagonal, &last.exact()) < 1e-13, "{mode:?}");
    }
    let one =
        Model::builder([2, 3, 4]).layer(Conv2d::new(3, 2)).layer(BatchNorm::of_batch()).act(Activation::Relu);
    let one = Problem::new(one.flatten().dense(3).loss(Loss::cross_entropy()).unwrap(), 1, 5);
    let Problem { model, parameters, input, targets } = &one;
    let ggn = exact_ggn_diagonal(model, parameters, input, targets.view()).unwrap();
    // Without f'' of the normalisation below the last layers: those of γ and behind it.
    let behind = model.parameter_named("1.weight").unwrap().offset..;
    let r2 = one.pass(Mode::HesScaleR2).diagonal;
    assert!(relative_max_norm(&r2[behind.clone()], &ggn[behind]) < 1e-12);
}

/// As PyTorch's: momentum, n − 1; the network predicts by them.
#[test]
fn running_statistics_follow_the_batches() {
    let model = Model::builder([2, 2]).layer(BatchNorm::of_batch().momentum(0.25)).loss(Loss::mse()).unwrap();
    let parameters = [vec![1.0; 64], vec![0.0; 64]].concat();
    let input = [1.0, 3.0, 10.0, 10.0, 5.0, 7.0, 20.0, 20.0];
    let first: Vec<f64> = model.statistics().iter().map(|x| f64::from(*x)).collect();
    let next = running_statistics(&model, &parameters, &input, Noise::default(), &first).unwrap();
    let running = &model.running_statistics()[0];
    // Means 4 and 15; squares about them 20 and 100, of four numbers.
    assert_eq!(next[running.mean()], [1.0, 3.75]);
    assert_eq!(next[running.var()], [0.75 + 0.25 * 20.0 / 3.0, 0.75 + 0.25 * 100.0 / 3.0]);
    let flat: Vec<f32> = next.iter().map(|x| *x as f32).collect();
    let trained = model.with_statistics(&flat).unwrap();
    assert_eq!(trained.statistics(), flat);
    let z = predict(&trained, &parameters, &input).unwrap();
    let want = (1.0 - 1.0) / (f64::from(flat[running.var().start]) + 1e-5).sqrt();
    assert_eq!(z[0], want);
    let wrong = model.with_statistics(&flat[1..]).unwrap_err();
    assert_eq!(wrong, hesscale::Error::Length { tensor: "statistics".into(), got: 127, needed: 128 });
    // A single number is normalised to 0.
    let alone = Model::builder([3]).layer(BatchNorm::of_batch()).loss(Loss::mse()).unwrap();
    let alone = Problem::new(alone, 1, 1);
    let pass = alone.pass(Mode::HesScaleR2);
    assert_eq!(pass.logits[..], alone.parameters[64..67]);
    assert!(pass.input_signal.g.iter().all(|g| *g == 0.0));
}

/// Samples that meet share the weights below: what is dropped there is no small part, while what stands behind is near.
#[test]
fn what_is_dropped() {
    let problem = network(8);
    let exact = problem.exact();
    let of = |name: &str| problem.model.parameter_named(name).unwrap().range();
    let error = |name: &str, mode| {
        let got = problem.pass(mode).diagonal;
        let pairs = || got[of(name)].iter().zip(&exact[of(name)]);
        pairs().map(|(a, b)| (a - b).abs()).sum::<f64>() / pairs().map(|(_, b)| b.abs()).sum::<f64>()
    };
    assert!(error("0.weight", Mode::HesScale) > 0.1);
    assert!(error("7.weight", Mode::HesScale) < 1e-12);
}
