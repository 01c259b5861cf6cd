//! Dropout: the fraction dropped, and reproducibility.

use crate::problem::Problem;
use hesscale::model::Noise;
use hesscale::reference::{PassOutput, exact_ggn_diagonal, forward, pass_with_noise, predict};
use hesscale::{Activation, Layer, Loss, Mode, Model};

fn with_noise(problem: &Problem, mode: Mode, noise: Noise) -> PassOutput<f64> {
    let Problem { model, parameters, input, targets } = problem;
    pass_with_noise(model, mode, parameters, input, targets.view(), noise).unwrap()
}

/// A dropout layer after an identity layer.
fn dropping(p: f64) -> Problem {
    let model = Model::builder([5, 4, 10]).layer(Layer::Identity).dropout(p).loss(Loss::mse()).unwrap();
    Problem::new(model, 50, 2)
}

#[test]
fn a_share_of_p_is_zero_and_the_rest_is_scaled() {
    for p in [0.1, 0.5, 0.75] {
        let problem = dropping(p);
        let noise = Noise { seed: 3, step: 9 };
        let pass = with_noise(&problem, Mode::HesScaleR2, noise);
        let mut dropped = 0;
        for (i, x) in problem.input.iter().enumerate() {
            let kept = noise.keeps(1, i as u32, p);
            let scale = if kept { 1.0 / (1.0 - p) } else { 0.0 };
            let (above, below) = (&pass.signals[1], &pass.input_signal);
            assert_eq!(pass.logits[i], scale * x);
            assert_eq!(below.g[i], scale * above.g[i]);
            assert_eq!(below.rest[i], scale * scale * above.rest[i]);
            assert_eq!(below.u[0][i], scale * above.u[0][i]);
            dropped += usize::from(!kept);
        }
        let (count, deviation) =
            (problem.input.len() as f64, (p * (1.0 - p) / problem.input.len() as f64).sqrt());
        assert!((dropped as f64 / count - p).abs() < 4.0 * deviation, "{p}: {dropped} of {count}");
    }
}

#[test]
fn seed_and_step_decide() {
    let problem = dropping(0.5);
    let logits = |seed, step| with_noise(&problem, Mode::None, Noise { seed, step }).logits;
    assert_eq!(logits(1, 2), logits(1, 2));
    assert_eq!(logits(0, 0), problem.pass(Mode::None).logits);
    for (seed, step) in [(1, 3), (2, 2), (2, 1)] {
        let same = logits(1, 2).iter().zip(&logits(seed, step)).filter(|(a, b)| a == b).count();
        // Independent halves agree on one half.
        assert!((4_800..5_200).contains(&same), "{seed} {step}: {same} of 10000");
    }
    // Nor do two layers draw the same numbers.
    let twice = Model::builder([2000]).dropout(0.5).dropout(0.5).loss(Loss::mse()).unwrap();
    let kept = Problem::new(twice, 1, 0).pass(Mode::None).logits.iter().filter(|z| **z != 0.0).count();
    assert!((400..600).contains(&kept), "{kept} of 2000");
}

#[test]
fn inference_drops_nothing() {
    let problem = dropping(0.5);
    assert_eq!(predict(&problem.model, &[], &problem.input).unwrap(), problem.input);
    assert_eq!(forward(&problem.model, &[], &problem.input).unwrap(), vec![problem.input.clone(); 2]);
    assert_ne!(problem.pass(Mode::None).logits, problem.input);
}

#[test]
fn with_p_0_it_is_the_identity() {
    let build = |layer: Layer| {
        let builder = Model::builder([3]).dense(4).layer(layer).act(Activation::Tanh).dense(2);
        Problem::new(builder.loss(Loss::cross_entropy()).unwrap(), 3, 4)
    };
    let (dropping, plain) = (build(Layer::Dropout { p: 0.0 }), build(Layer::Identity));
    for mode in Mode::ALL {
        assert_eq!(dropping.pass(mode), plain.pass(mode));
    }
}

/// The exact diagonals are those of the same thinned network; the GGN, which takes samples one by one, too.
#[test]
fn exact_diagonals_see_what_the_pass_sees() {
    let builder = Model::builder([4]).dense(8).act(Activation::Relu).dropout(0.4).dense(3);
    let problem = Problem::new(builder.loss(Loss::cross_entropy()).unwrap(), 5, 4);
    let Problem { model, parameters, input, targets } = &problem;
    let ggn = exact_ggn_diagonal(model, parameters, input, targets.view()).unwrap();
    let r2 = problem.pass(Mode::HesScaleR2).diagonal;
    for exact in [problem.exact(), ggn] {
        assert!(crate::common::relative_max_norm(&r2, &exact) < 1e-13);
    }
    let other = with_noise(&problem, Mode::HesScaleR2, Noise { seed: 1, step: 0 }).diagonal;
    assert!(crate::common::relative_max_norm(&other, &r2) > 1e-2);
}
