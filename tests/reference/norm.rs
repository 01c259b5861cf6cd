//! Layer, RMS and group normalisation: the rule against explicit derivatives, and what the kinds have in common.

use crate::common::relative_max_norm;
use crate::problem::Problem;
use hesscale::model::{GroupNorm, LayerNorm, RmsNorm};
use hesscale::reference::{Dual, Signal, forward, predict};
use hesscale::{Layer, Loss, Mode, Model};

fn only(shape: &[usize], layer: impl Into<Layer>) -> Model {
    Model::builder(shape).layer(layer).loss(Loss::mse()).unwrap()
}

/// With and without parameters; groups of one number, of a channel, of several, of all.
fn kinds() -> Vec<Model> {
    let group = GroupNorm::new;
    vec![
        only(&[7], LayerNorm::new()),
        only(&[2, 3, 2], LayerNorm::new().affine(false).eps(0.3)),
        only(&[1], LayerNorm::new()),
        only(&[6], RmsNorm::new()),
        only(&[3, 4], RmsNorm::new().affine(false).eps(0.1)),
        only(&[1], RmsNorm::new().eps(0.2)),
        only(&[6, 2, 3], group(3)),
        only(&[4, 5], group(4)),
        only(&[4, 1, 2], group(1).affine(false)),
        only(&[6], group(2)),
        only(&[3], group(3)),
        only(&[4, 3], LayerNorm::of_channels()),
        only(&[5, 2, 3], LayerNorm::of_channels().affine(false).eps(0.2)),
        only(&[4, 3], RmsNorm::of_channels()),
        only(&[1, 4], RmsNorm::of_channels().eps(0.1)),
    ]
}

/// The signal at the input from first and second derivatives of every output by every input.
pub(crate) fn explicit(problem: &Problem, mode: Mode) -> (Vec<f64>, Vec<f64>, Vec<Vec<f64>>) {
    type Second = Dual<Dual<f64>>;
    let at = problem.pass(mode).signals.swap_remove(0);
    let rest = if at.u.is_empty() { &at.h } else { &at.rest };
    let constant = |x: &f64| Second::constant(Dual::constant(*x));
    let parameters: Vec<Second> = problem.parameters.iter().map(constant).collect();
    let (size, outputs, len) = (problem.model.inputs(), problem.model.outputs(), problem.input.len());
    let (mut g, mut h, mut u) =
        (vec![0.0; len], vec![0.0; if rest.is_empty() { 0 } else { len }], vec![vec![0.0; len]; at.u.len()]);
    for i in 0..len {
        let mut x: Vec<Second> = problem.input.iter().map(constant).collect();
        x[i] = Dual { value: Dual::variable(problem.input[i]), slope: Dual::constant(1.0) };
        let z = forward(&problem.model, &parameters, &x).unwrap().remove(0);
        let sample = i / size * outputs..(i / size + 1) * outputs;
        for k in 0..z.len() {
            let (first, second) = (z[k].slope.value, z[k].slope.slope);
            assert!(sample.contains(&k) || (first, second) == (0.0, 0.0), "samples do not meet");
            g[i] += first * at.g[k];
            u.iter_mut().zip(&at.u).for_each(|(to, u)| to[i] += first * u[k]);
            if let Some(h) = h.get_mut(i) {
                *h += first * first * rest[k];
                *h += if mode == Mode::HesScaleGn { 0.0 } else { second * at.g[k] };
            }
        }
    }
    (g, h, u)
}

#[test]
fn the_rule_is_that_of_explicit_derivatives() {
    for (seed, model) in kinds().into_iter().enumerate() {
        let problem = Problem::new(model, 2, seed as u64);
        for mode in Mode::ALL {
            let got = problem.pass(mode).input_signal;
            let (g, h, u) = explicit(&problem, mode);
            let rest = if mode.rank() > 0 { &got.rest } else { &got.h };
            linear_near(&problem, mode, &got, &(g, u));
            near(&problem, mode, "h", rest, &h);
        }
    }
}

pub(crate) fn near(problem: &Problem, mode: Mode, what: &str, got: &[f64], want: &[f64]) {
    let error = relative_max_norm(got, want);
    assert!(error < 1e-13, "{} {mode:?} {what}: {error:e}", problem.model.to_json());
}

/// What goes through the Jacobian as it is: g and u.
pub(crate) fn linear_near(
    problem: &Problem,
    mode: Mode,
    got: &Signal<f64>,
    (g, u): &(Vec<f64>, Vec<Vec<f64>>),
) {
    near(problem, mode, "g", &got.g, g);
    assert_eq!(got.u.len(), mode.rank());
    got.u.iter().zip(u).for_each(|(got, want)| near(problem, mode, "u", got, want));
}

/// Derived by hand: of two numbers d apart the normalised ones are ±d/2 over √(d²/4 + ε).
#[test]
fn two_numbers_by_hand() {
    let (eps, d) = (0.75, 1.0_f64);
    let root = (d * d / 4.0 + eps).sqrt();
    let want = [-d / 2.0 / root, d / 2.0 / root];
    let norm = LayerNorm::new().affine(false).eps(eps);
    assert!(relative_max_norm(&predict(&only(&[2], norm), &[], &[3.0, 4.0]).unwrap(), &want) < 1e-15);
    // √(mean of squares + ε) = √(12.5 + 3.75 − 0.25)
    let norm = RmsNorm::new().affine(false).eps(3.5);
    assert_eq!(predict(&only(&[2], norm), &[], &[3.0, 4.0]), Ok(vec![0.75, 1.0]));
}

#[test]
fn one_group_of_features_is_layer_normalisation() {
    let (layer, group) = (only(&[6], LayerNorm::new()), only(&[6], GroupNorm::new(1)));
    for mode in Mode::ALL {
        assert_eq!(
            Problem::new(layer.clone(), 3, 1).pass(mode),
            Problem::new(group.clone(), 3, 1).pass(mode)
        );
    }
}

/// A position as a sample of its own.
#[test]
fn positions_do_not_meet() {
    let whole = Problem::new(only(&[3, 4], LayerNorm::of_channels()), 2, 3);
    let one = only(&[3], LayerNorm::new());
    let want = predict(&whole.model, &whole.parameters, &whole.input).unwrap();
    for (position, sample) in (0..4).flat_map(|q| [(q, 0), (q, 1)]) {
        let column = |of: &[f64]| [0, 1, 2].map(|c| of[12 * sample + 4 * c + position]);
        let got = predict(&one, &whole.parameters, &column(&whole.input)).unwrap();
        assert!(relative_max_norm(&got, &column(&want)) < 1e-15);
    }
}

/// A group as a sample of its own.
#[test]
fn groups_do_not_meet() {
    let whole = Problem::new(only(&[6, 2, 2], GroupNorm::new(3).affine(false)), 2, 3);
    let parts = only(&[2, 2, 2], LayerNorm::new().affine(false));
    let want: Vec<f64> =
        whole.input.chunks_exact(8).flat_map(|group| predict(&parts, &[], group).unwrap()).collect();
    assert_eq!(predict(&whole.model, &[], &whole.input), Ok(want));
}
