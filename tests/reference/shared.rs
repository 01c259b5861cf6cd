//! Parameters that several layers use.

use crate::common::{compare, relative_max_norm};
use crate::problem::Problem;
use hesscale::model::{Attention, BatchNorm, Builder, Conv1d, Conv2d, PRelu, Parameter};
use hesscale::reference::{exact_ggn_diagonal, loss_and_signal, predict};
use hesscale::{Activation, Error, Layer, Loss, Mode, Model};

use Activation::Tanh;

/// Networks with shared layers, beside the same ones in which each use has parameters of its own, and of these the layers whose
/// parameters are to be the same.
fn pairs() -> Vec<(Model, Model, &'static [&'static [&'static str]])> {
    let build = |builder: Builder| builder.loss(Loss::cross_entropy()).unwrap();
    let rows = |again: fn(Builder) -> Builder| {
        let m = Model::builder([5]).dense(5).act(Tanh).name("x");
        let m = again(again(m).act(Tanh)).plus("x").dense(4).act(Tanh);
        build(m.dense(3))
    };
    let image = |conv: fn(Builder) -> Builder, slopes: fn(Builder) -> Builder| {
        let m = Model::builder([2, 4, 3]).layer(Conv2d::new(2, 3).same()).layer(PRelu::per_channel());
        let m = slopes(conv(m).layer(Layer::Identity)).residual(|b| conv(b.act(Tanh)));
        build(m.flatten().dense(3))
    };
    let norm = |again: fn(Builder) -> Builder| {
        build(again(Model::builder([6]).dense(6).layer_norm().act(Tanh).dense(6)).act(Tanh).dense(3))
    };
    let blocks = |again: [fn(Builder) -> Builder; 2]| {
        let m = Model::builder([4, 3]).layer(Conv1d::new(12, 1)).layer(Attention::new(2)).act(Tanh);
        build(again[1](again[0](m).layer(Attention::new(2))).flatten().dense(3))
    };
    vec![
        (rows(|m| m.shared("0")), rows(|m| m.dense(5)), &[&["0", "3", "5"]]),
        (
            image(|m| m.shared("0"), |m| m.shared("1")),
            image(|m| m.layer(Conv2d::new(2, 3).same()), |m| m.layer(PRelu::per_channel())),
            &[&["0", "2", "5.body.1"], &["1", "4"]],
        ),
        (norm(|m| m.shared("1")), norm(|m| m.layer_norm()), &[&["1", "4"]]),
        (
            blocks([|m| m.shared("0"), |m| m]),
            blocks([|m| m.layer(Conv1d::new(12, 1)), |m| m]),
            &[&["0", "3"]],
        ),
    ]
}

/// What parameters of the network of copies stand for, by the name of the shared one.
fn copies<'a>(own: &'a Model, alike: &[&[&str]], of: &Parameter) -> Vec<&'a Parameter> {
    let names = alike.iter().find(|names| names[0] == of.path);
    let names = names.map_or(vec![of.path.as_str()], |names| names.to_vec());
    let named = |path: &&str| own.parameter_named(&format!("{path}.{}", of.role.name())).unwrap();
    names.iter().map(named).collect()
}

/// Gradient and diagonal are the sums over all uses, in every mode; outputs and signals are the same.
#[test]
fn a_shared_layer_sums_over_its_uses() {
    for (shared, own, alike) in pairs() {
        let shared = Problem::new(shared, 3, 4);
        let mut apart = Problem::new(own, 3, 4);
        for p in shared.model.parameters() {
            for copy in copies(&apart.model, alike, p) {
                apart.parameters[copy.range()].copy_from_slice(&shared.parameters[p.range()]);
            }
        }
        apart.input.clone_from(&shared.input);
        apart.targets = shared.targets.clone();
        for mode in Mode::ALL {
            let (got, want) = (shared.pass(mode), apart.pass(mode));
            assert_eq!((&got.logits, &got.input_signal), (&want.logits, &want.input_signal));
            let both = [(&got.gradient, &want.gradient), (&got.diagonal, &want.diagonal)];
            for (got, want) in both.into_iter().filter(|(got, _)| !got.is_empty()) {
                for p in shared.model.parameters() {
                    let mut sum = vec![0.0; p.len()];
                    for copy in copies(&apart.model, alike, p) {
                        sum.iter_mut().zip(&want[copy.range()]).for_each(|(sum, x)| *sum += x);
                    }
                    compare(&p.name(), &got[p.range()], &sum, 1e-14).unwrap();
                }
            }
        }
    }
}

/// The exact diagonal by second differences of the loss, the Gauss-Newton matrix's by first differences of the outputs.
#[test]
fn exact_diagonals_vary_all_uses_at_once() {
    for (model, ..) in pairs() {
        let problem = Problem::new(model, 2, 8);
        let exact = problem.exact();
        let Problem { model, parameters, input, targets } = problem;
        let step = 1e-4;
        let moved = |k: usize, by: f64| {
            let mut moved = parameters.clone();
            moved[k] += by;
            predict(&model, &moved, &input).unwrap()
        };
        let loss = |logits: &[f64]| loss_and_signal(&model, Mode::None, logits, targets.view()).unwrap().0;
        let middle = loss(&moved(0, 0.0));
        let second = |k| (loss(&moved(k, step)) - 2.0 * middle + loss(&moved(k, -step))) / (step * step);
        let used: Vec<usize> = model.parameters().iter().flat_map(Parameter::range).collect();
        let want: Vec<f64> = used.iter().map(|k| second(*k)).collect();
        let exact: Vec<f64> = used.iter().map(|k| exact[*k]).collect();
        let error = relative_max_norm(&exact, &want);
        assert!(error < 1e-5, "{error:e}");
        // jᵀ H j along j = dz/dθ is the loss's second derivative along a straight line of outputs.
        let logits = moved(0, 0.0);
        let bent = |k: usize| {
            let slope: Vec<f64> =
                moved(k, step).iter().zip(moved(k, -step)).map(|(a, b)| (a - b) / (2.0 * step)).collect();
            let along =
                |by: f64| -> Vec<f64> { logits.iter().zip(&slope).map(|(z, s)| z + by * s).collect() };
            (loss(&along(step)) - 2.0 * middle + loss(&along(-step))) / (step * step)
        };
        let want: Vec<f64> = used.iter().map(|k| bent(*k)).collect();
        let ggn = exact_ggn_diagonal(&model, &parameters, &input, targets.view()).unwrap();
        let ggn: Vec<f64> = used.iter().map(|k| ggn[*k]).collect();
        let error = relative_max_norm(&ggn, &want);
        assert!(error < 1e-5, "{error:e}");
    }
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let fault = |builder: Builder| builder.loss(Loss::mse()).unwrap_err();
    let known = |unknown: &str, names: &str| Error::Unknown {
        what: "layer with parameters",
        name: unknown.into(),
        known: names.into(),
    };
    let rows = || Model::builder([4]).dense(4).act(Tanh).dense(3);
    assert_eq!(fault(rows().shared("7")), known("7, for shared 3", "0, 2"));
    assert_eq!(fault(rows().shared("3")), known("3, for shared 3", "0, 2"), "itself");
    assert_eq!(fault(rows().shared("1")), known("1, for shared 3", "0, 2"), "an activation");
    assert_eq!(fault(rows().dense(4).shared("0").shared("4")), known("4, for shared 5", "0, 2, 3"));
    let error = fault(rows().shared("0"));
    assert!(matches!(&error, Error::Shape { layer, .. } if layer == "dense 3"), "{error:?}");
    let m = Model::builder([2, 3, 3]).layer(BatchNorm::of_batch()).act(Tanh).shared("0");
    let error = fault(m);
    assert!(matches!(&error, Error::Unsupported { layer, .. } if layer == "shared 2"), "{error:?}");
}
