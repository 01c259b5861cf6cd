//! Attention: its rule, stage by stage, against explicit derivatives; what heads, positions and the mask mean. Learned positions.

use crate::common::relative_max_norm;
use crate::norm::{explicit, linear_near, near};
use crate::problem::Problem;
use hesscale::model::{Attention, PositionEmbedding};
use hesscale::reference::{Dual, Real, predict};
use hesscale::{Loss, Mode, Model};

fn only(shape: &[usize], layer: Attention) -> Model {
    Model::builder(shape).layer(layer).loss(Loss::mse()).unwrap()
}

fn kinds() -> Vec<Model> {
    vec![
        only(&[6, 3], Attention::new(1)),
        only(&[6, 4], Attention::new(2).causal(true)),
        only(&[12, 1], Attention::new(2)),
        only(&[9, 2, 2], Attention::new(1).causal(true)),
    ]
}

type Second = Dual<Dual<f64>>;

/// p and, by each score, its first and second derivatives.
fn softmax(scores: &[f64]) -> (Vec<f64>, Vec<Vec<[f64; 2]>>) {
    let of = |scores: &[Second]| -> Vec<Second> {
        let e: Vec<Second> = scores.iter().map(|s| s.exp()).collect();
        let sum = e.iter().fold(Second::zero(), |sum, e| sum + *e);
        e.iter().map(|e| *e / sum).collect()
    };
    let constant = |s: &f64| Second::constant(Dual::constant(*s));
    let p = of(&scores.iter().map(constant).collect::<Vec<_>>()).iter().map(|p| p.value.value).collect();
    let by = |j: usize| {
        let mut varied: Vec<Second> = scores.iter().map(constant).collect();
        varied[j] = Dual { value: Dual::variable(scores[j]), slope: Dual::constant(1.0) };
        of(&varied).iter().map(|p| [p.slope.value, p.slope.slope]).collect()
    };
    (p, (0..scores.len()).map(by).collect())
}

/// h at the input of one sample `[3 width, positions]` in one head: the three stages, each with explicit derivatives.
fn by_stages(
    x: &[f64],
    g: &[f64],
    h: &[f64],
    [width, positions]: [usize; 2],
    causal: bool,
    curved: bool,
) -> Vec<f64> {
    let at = |part: usize, c: usize, t: usize| (part * width + c) * positions + t;
    let scale = (width as f64).sqrt().recip();
    let mut to = vec![0.0; x.len()];
    for i in 0..positions {
        let seen = if causal { i + 1 } else { positions };
        let score = |j| scale * (0..width).map(|c| x[at(0, c, i)] * x[at(1, c, j)]).sum::<f64>();
        let (p, derivatives) = softmax(&(0..seen).map(score).collect::<Vec<_>>());
        let arrives = |s: &[f64], power: i32, j: usize| -> f64 {
            (0..width).map(|c| x[at(2, c, j)].powi(power) * s[at(0, c, i)]).sum()
        };
        for (j, by) in derivatives.iter().enumerate() {
            let term = |(k, [first, second]): (usize, &[f64; 2])| {
                let bent = if curved { second * arrives(g, 1, k) } else { 0.0 };
                first * first * arrives(h, 2, k) + bent
            };
            let of_score: f64 = by.iter().enumerate().map(term).sum();
            for c in 0..width {
                to[at(0, c, i)] += (scale * x[at(1, c, j)]).powi(2) * of_score;
                to[at(1, c, j)] += (scale * x[at(0, c, i)]).powi(2) * of_score;
                to[at(2, c, j)] += p[j] * p[j] * h[at(0, c, i)];
            }
        }
    }
    to
}

#[test]
fn the_rule_is_that_of_explicit_derivatives() {
    for (seed, model) in kinds().into_iter().enumerate() {
        let problem = Problem::new(model, 2, seed as u64);
        for mode in Mode::ALL {
            let got = problem.pass(mode).input_signal;
            let (g, _, u) = explicit(&problem, mode);
            linear_near(&problem, mode, &got, &(g, u));
        }
    }
}

#[test]
fn curvature_goes_stage_by_stage() {
    for (positions, causal) in [(1, false), (4, false), (5, true)] {
        let width = 3;
        let problem = Problem::new(only(&[3 * width, positions], Attention::new(1).causal(causal)), 2, 7);
        for mode in [Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR2] {
            let pass = problem.pass(mode);
            let above = &pass.signals[0];
            let own = |s: &hesscale::reference::Signal<f64>| {
                if s.u.is_empty() { s.h.clone() } else { s.rest.clone() }
            };
            let (h, got) = (own(above), own(&pass.input_signal));
            let (len, size) = (3 * width * positions, width * positions);
            let one = |n: usize| {
                let (x, of) = (&problem.input[n * len..][..len], n * size..(n + 1) * size);
                by_stages(
                    x,
                    &above.g[of.clone()],
                    &h[of],
                    [width, positions],
                    causal,
                    mode != Mode::HesScaleGn,
                )
            };
            let want = [one(0), one(1)].concat();
            near(&problem, mode, "h", &got, &want);
        }
    }
}

/// By hand: of two positions with scores s apart, weights are 1 / (1 + e^±s).
#[test]
fn two_positions_by_hand() {
    // q = (2, 1), k = (0.5, −0.5), v = (3, 7), a = 1.
    let x = [2.0, 1.0, 0.5, -0.5, 3.0, 7.0];
    let sigmoid = |s: f64| 1.0 / (1.0 + (-s).exp());
    let mixed = |p: f64| 3.0 * p + 7.0 * (1.0 - p);
    let want = [mixed(sigmoid(2.0)), mixed(sigmoid(1.0))];
    let whole = predict(&only(&[3, 2], Attention::new(1)), &[], &x).unwrap();
    assert!(relative_max_norm(&whole, &want) < 1e-15);
    // The first sees itself alone.
    let causal = predict(&only(&[3, 2], Attention::new(1).causal(true)), &[], &x).unwrap();
    assert!(relative_max_norm(&causal, &[3.0, want[1]]) < 1e-15);
}

/// Scores of any size: nothing overflows.
#[test]
fn large_scores() {
    let got =
        predict(&only(&[3, 2], Attention::new(1)), &[], &[1e200, 1.0, 1e100, -1e100, 3.0, 7.0]).unwrap();
    assert_eq!(got, [3.0, 3.0]);
}

#[test]
fn heads_do_not_meet() {
    let model = only(&[12, 3], Attention::new(2));
    let problem = Problem::new(model, 2, 3);
    let one = only(&[6, 3], Attention::new(1));
    let z = predict(&problem.model, &[], &problem.input).unwrap();
    for (sample, head) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let x = &problem.input[36 * sample..36 * (sample + 1)];
        let own: Vec<f64> = (0..3).flat_map(|part| x[12 * part + 6 * head..][..6].to_vec()).collect();
        assert_eq!(predict(&one, &[], &own).unwrap(), z[12 * sample + 6 * head..][..6]);
    }
}

#[test]
fn learned_positions_are_added() {
    let model = Model::builder([2, 3]).layer(PositionEmbedding::new()).loss(Loss::mse().sum()).unwrap();
    assert_eq!(model.parameters()[0].shape, [2, 3]);
    let problem = Problem::new(model, 2, 3);
    let w = &problem.parameters[..6];
    let want: Vec<f64> = problem.input.iter().zip(w.iter().cycle()).map(|(x, w)| x + w).collect();
    assert_eq!(predict(&problem.model, &problem.parameters, &problem.input).unwrap(), want);
    for mode in Mode::ALL.into_iter().filter(|mode| mode.has_diagonal()) {
        let pass = problem.pass(mode);
        let columns = |s: &[f64]| -> Vec<f64> { (0..6).map(|i| s[i] + s[6 + i]).collect() };
        assert_eq!(pass.gradient[..6], columns(&pass.signals[0].g));
        // The sum of (z − t)² has a curvature of 2 for each sample.
        assert!(relative_max_norm(&pass.diagonal[..6], &[4.0; 6]) < 1e-15);
    }
}
