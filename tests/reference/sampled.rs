//! HesScale-S: right on average, and closer than HesScale-R.

use crate::common::{compare, relative_max_norm};
use crate::problem::{Problem, losses};
use hesscale::model::{Conv2d, Noise, Targets};
use hesscale::reference::{
    Real, Signal, exact_ggn_diagonal, loss_and_signal, pass, pass_with_noise, predict,
    weighted_loss_and_signal,
};
use hesscale::{Activation, Error, Layer, Loss, Mode, Model};

/// Each with that of as many leading directions.
const MODES: [[Mode; 2]; 2] = [[Mode::HesScaleS1, Mode::HesScaleR1], [Mode::HesScaleS2, Mode::HesScaleR2]];

/// Positions and channels that meet in a mean over the image, of inputs that are alike, as images are: what HesScale's diagonal loses
/// most on.
fn convolutional(act: Activation) -> Problem {
    let model = Model::builder([1, 6, 6]).layer(Conv2d::new(5, 3).padding(1)).act(act);
    let model = model.layer(Conv2d::new(6, 3).stride(2)).act(act).layer(Layer::global_avg_pool()).flatten();
    let mut problem = Problem::new(model.dense(5).loss(Loss::cross_entropy()).unwrap(), 16, 3);
    problem.input.iter_mut().for_each(|x| *x = 0.75 + 0.25 * *x);
    for p in problem.model.parameters() {
        let fan_in: usize = p.shape[1..].iter().product();
        problem.parameters[p.range()].iter_mut().for_each(|w| *w *= (3.0 / fan_in as f64).sqrt());
    }
    problem
}

fn diagonal(problem: &Problem, mode: Mode, seed: u32) -> Vec<f64> {
    let Problem { model, parameters, input, targets, .. } = problem;
    pass_with_noise(model, mode, parameters, input, targets.view(), draw(seed)).unwrap().diagonal
}

fn draw(seed: u32) -> Noise {
    Noise { seed, step: 3 }
}

fn start<T: Real>(model: &Model, mode: Mode, logits: &[T], targets: Targets<'_>) -> (T, Signal<T>) {
    weighted_loss_and_signal(model, mode, logits, targets, None, draw(5)).unwrap()
}

fn distance(got: &[f64], want: &[f64]) -> f64 {
    let off: f64 = got.iter().zip(want).map(|(got, want)| (got - want).abs()).sum();
    off / want.iter().map(|want| want.abs()).sum::<f64>()
}

#[test]
fn its_mean_is_the_gauss_newton_diagonal() {
    let problem = convolutional(Activation::Relu);
    let Problem { model, parameters, input, targets, .. } = &problem;
    let want = exact_ggn_diagonal(model, parameters, input, targets.view()).unwrap();
    for [mode, led] in MODES {
        let draws: Vec<Vec<f64>> = (0..1600).map(|seed| diagonal(&problem, mode, seed)).collect();
        let off = |draws: &[Vec<f64>]| {
            let mean = |i: usize| draws.iter().map(|draw| draw[i]).sum::<f64>() / draws.len() as f64;
            distance(&(0..want.len()).map(mean).collect::<Vec<_>>(), &want)
        };
        // Noise falls with the root of the number of draws, to a tenth; a bias would stay.
        let few = draws.chunks(16).map(off).sum::<f64>() / 100.0;
        let many = off(&draws);
        assert!(many < few / 4.0, "{mode:?}: {few} and {many}");
        let without = distance(&pass(model, led, parameters, input, targets.view()).unwrap().diagonal, &want);
        assert!(many < without / 150.0, "{mode:?}: {many}, without {without}");
    }
}

/// One draw, a batch of 16: closer than without, in the mode of as many vectors.
#[test]
fn a_draw_is_closer_than_without() {
    for act in [Activation::Relu, Activation::Tanh] {
        let problem = convolutional(act);
        let Problem { model, parameters, input, targets, .. } = &problem;
        let want = exact_ggn_diagonal(model, parameters, input, targets.view()).unwrap();
        // The network's own second derivatives are HesScale's in both.
        let own = |mode: Mode| pass(model, mode, parameters, input, targets.view()).unwrap().diagonal;
        let pairs = own(Mode::HesScale).into_iter().zip(own(Mode::HesScaleGn));
        let want: Vec<f64> = pairs.zip(&want).map(|((all, gn), ggn)| all - gn + ggn).collect();
        for [mode, led] in MODES {
            let draws: f64 = (0..8).map(|seed| distance(&diagonal(&problem, mode, seed), &want) / 8.0).sum();
            let without = distance(&own(led), &want);
            assert!(draws < without / 4.0, "{act:?} {mode:?}: {draws}, without {without}");
        }
    }
}

/// At the outputs each draw has the exact diagonal, and over a batch of alike samples, as many as a power of two, all of the Hessian.
#[test]
fn the_hessian_at_the_outputs() {
    let model = Model::builder([6]).act(Activation::Identity).loss(Loss::cross_entropy().sum()).unwrap();
    let row = [0.3, -1.2, 2.0, 0.0, 0.7, -0.4];
    let logits = row.repeat(8);
    let classes = [2, 0, 1, 5, 3, 4, 2, 0];
    let targets = Targets::Classes(&classes);
    let all: f64 = row.iter().map(|z| f64::exp(*z)).sum();
    let p = row.map(|z| z.exp() / all);
    for [mode, _] in MODES {
        let (loss, signal) = start(&model, mode, &logits, targets);
        let (want, exact) = loss_and_signal(&model, Mode::HesScale, &logits, targets).unwrap();
        assert_eq!((loss, &signal.g), (want, &exact.g));
        compare("diagonal", &signal.h, &exact.h, 1e-14).unwrap();
        for (a, b) in (0..6).flat_map(|a| (0..a).map(move |b| (a, b))) {
            let sum: f64 = signal.u.iter().map(|u| u.chunks(6).map(|u| u[a] * u[b]).sum::<f64>()).sum();
            assert!(
                (sum + 8.0 * p[a] * p[b]).abs() < 1e-13,
                "{mode:?} {a} {b}: {sum}, not {}",
                -8.0 * p[a] * p[b]
            );
        }
    }
}

/// Weights, smoothing, soft targets, other losses: the diagonal at the outputs is right in every draw.
#[test]
fn every_loss() {
    for (index, loss) in losses(6).into_iter().enumerate() {
        let model = Model::builder([4]).dense(6).loss(loss.clone()).unwrap();
        let Problem { parameters, input, targets, .. } = Problem::new(model.clone(), 5, index as u64);
        let logits = predict(&model, &parameters, &input).unwrap();
        for [mode, _] in MODES {
            let (_, signal) = start(&model, mode, &logits, targets.view());
            let (_, exact) = loss_and_signal(&model, Mode::HesScale, &logits, targets.view()).unwrap();
            let worst = relative_max_norm(&signal.h, &exact.h);
            assert!(worst < 1e-13, "{loss:?} {mode:?}: {worst}");
            assert_eq!(signal.u.len(), mode.rank());
            assert!(exact.h.iter().all(|h| *h <= 0.0) || signal.u.iter().flatten().any(|u| *u != 0.0));
        }
    }
}

/// As sure as f32 can be, and beyond.
#[test]
fn saturated() {
    let model = Model::builder([3]).act(Activation::Identity).loss(Loss::cross_entropy()).unwrap();
    for size in [20.0_f32, 88.0, 100.0, 1e30] {
        let logits = [size, -size, 0.0, 0.0, 0.0, size];
        for [mode, _] in MODES {
            let (_, signal) = start(&model, mode, &logits, Targets::Classes(&[0, 1]));
            let all = signal.rest.iter().chain(signal.u.iter().flatten());
            assert!(all.clone().all(|x| x.is_finite()), "{size} {mode:?}: {signal:?}");
        }
    }
}

/// Every draw is another one, and each can be had again.
#[test]
fn draws() {
    let problem = convolutional(Activation::Tanh);
    for [mode, _] in MODES {
        let [first, again, other] = [1, 1, 2].map(|seed| diagonal(&problem, mode, seed));
        assert_eq!(first, again);
        assert_ne!(first, other);
    }
}

/// Signs are ±1 alike, independent within a sample, orthogonal over samples.
#[test]
fn signs() {
    let sign = |seed, sample, output| if draw(seed).is_negative(sample, output) { -1.0 } else { 1.0 };
    let products = |a: u32, b: u32| (0..4000).map(|seed| sign(seed, 1, a) * sign(seed, 1, b)).sum::<f64>();
    for output in 0..12 {
        let sum: f64 = (0..4000).map(|seed| sign(seed, 2, output)).sum();
        // Four deviations.
        assert!(sum.abs() < 4.0 * 4000_f64.sqrt(), "{output}: {sum}");
        assert!(products(output, output + 1).abs() < 4.0 * 4000_f64.sqrt());
        for other in 0..output {
            let over_samples: f64 = (0..16).map(|n| sign(7, n, output) * sign(7, n, other)).sum();
            assert_eq!(over_samples, 0.0);
        }
    }
}

/// As HesScale-R's.
#[test]
fn what_has_none_is_refused() {
    for [mode, _] in MODES {
        let refused = |model: &Model, targets| loss_and_signal(model, mode, &[0.0; 8], targets).map(drop);
        let policy = Model::builder([3]).dense(2).loss(Loss::ppo_discrete(0.2, 0.0)).unwrap();
        let kind = format!("{} with PPO", mode.name());
        let error = Err(Error::Unsupported { layer: "loss".into(), kind });
        assert_eq!(refused(&policy, Targets::Values(&[0.0; 12])), error);
        let image = Model::builder([1, 4, 4]).conv2d(2, 3).loss(Loss::cross_entropy()).unwrap();
        let kind = format!("{} with a cross-entropy at each of 4 positions", mode.name());
        let error = Err(Error::Unsupported { layer: "loss".into(), kind });
        assert_eq!(refused(&image, Targets::Classes(&[0; 4])), error);
    }
}
