//! Optimiser steps against hand-computed values; all constants are exact in binary.

use hesscale::model::{Noise, Rule, Span, Transition};
use hesscale::reference::OptimizerState;
use hesscale::{Error, Optimizer};

const SGD: Rule = Rule::Sgd { momentum: 0.5, nesterov: false };
const ADAM: Rule = Rule::Adam { beta1: 0.5, beta2: 0.75, eps: 0.25 };
const ADA: Rule = Rule::AdaHesScale { beta1: 0.5, beta2: 0.75, eps: 0.25 };
const ADA_GN: Rule = Rule::AdaHesScaleGn { beta1: 0.5, beta2: 0.75, eps: 0.25 };

/// One parameter, started at `start`, after the steps `(g, h)`; h absent where there is no curvature.
fn after(optimizer: Optimizer, start: f64, steps: &[(f64, Option<f64>)]) -> (f64, OptimizerState<f64>) {
    let (mut state, mut parameter) = (OptimizerState::new(1), [start]);
    for (g, h) in steps {
        let diagonal: Vec<f64> = h.iter().copied().collect();
        state.step(&optimizer, &mut parameter, &[*g], &diagonal).unwrap();
    }
    (parameter[0], state)
}

#[test]
fn sgd() {
    assert_eq!(after(Optimizer::sgd(0.5), 1.0, &[(2.0, None), (4.0, None)]).0, 1.0 - 1.0 - 2.0);
    // b = 2, then ½·2 + 4 = 5
    assert_eq!(after(SGD.at(0.5), 1.0, &[(2.0, None), (4.0, None)]).0, 1.0 - 1.0 - 2.5);
    // g + ½ b = 2 + 1, then 4 + 2.5
    let nesterov = Rule::Sgd { momentum: 0.5, nesterov: true };
    assert_eq!(after(nesterov.at(0.5), 1.0, &[(2.0, None), (4.0, None)]).0, 1.0 - 1.5 - 3.25);
}

#[test]
fn adam() {
    // m = 1, m̂ = 2; v = 1, v̂ = 4: 2 / (2 + ¼)
    let first = 1.0 - 0.5 * 2.0 / 2.25;
    let (parameter, state) = after(ADAM.at(0.5), 1.0, &[(2.0, None)]);
    assert!((parameter - first).abs() < 1e-15);
    assert_eq!((state.m[0], state.v[0], state.step, state.curvature_steps), (1.0, 1.0, 1, 1));
    // m = −½, m̂ = −½ / ¾; v = ¾ + ¼·4 = 1.75, v̂ = 1.75 / (1 − 9⁄16)
    let second = first - 0.5 * (-0.5 / 0.75) / ((1.75_f64 / 0.4375).sqrt() + 0.25);
    assert!((after(ADAM.at(0.5), 1.0, &[(2.0, None), (-2.0, None)]).0 - second).abs() < 1e-15);
    // It ignores the diagonal.
    assert_eq!(after(ADAM.at(0.5), 1.0, &[(2.0, Some(9.0))]), after(ADAM.at(0.5), 1.0, &[(2.0, None)]));
}

#[test]
fn adahesscale_reads_the_diagonal_whatever_its_sign() {
    // m̂ = 2; v = ¼·16 = 4, v̂ = 16: 2 / (4 + ¼)
    for rule in [ADA, ADA_GN] {
        for h in [4.0, -4.0] {
            let parameter = after(rule.at(0.5), 1.0, &[(2.0, Some(h))]).0;
            assert!((parameter - (1.0 - 0.5 * 2.0 / 4.25)).abs() < 1e-15);
        }
    }
}

#[test]
fn lazy_curvature_keeps_v_and_counts_its_own_updates() {
    let steps = [(2.0, Some(4.0)), (2.0, None), (2.0, None)];
    let (parameter, state) = after(ADA.at(0.5), 1.0, &steps);
    // m̂ = 2 throughout, for g is constant; v̂ stays 16, for its correction stays at one update.
    assert!((parameter - (1.0 - 3.0 * 0.5 * 2.0 / 4.25)).abs() < 1e-15);
    assert_eq!((state.step, state.curvature_steps, state.v[0]), (3, 1, 4.0));
    // A second evaluation with the same h leaves v̂ where it was: 7 / (1 − 9⁄16) = 16.
    let (_, state) = after(ADA.at(0.5), 1.0, &[steps[0], steps[1], steps[0]]);
    assert_eq!((state.step, state.curvature_steps, state.v[0]), (3, 2, 7.0));
    // Before the first curvature nothing but decay moves θ; m gathers.
    let (parameter, state) = after(ADA.at(0.5).weight_decay(0.5), 1.0, &[(2.0, None)]);
    assert_eq!((parameter, state.m[0], state.curvature_steps), (0.75, 1.0, 0));
}

#[test]
fn weight_decay_is_decoupled_and_comes_first() {
    // θ ← θ (1 − ½·½) = ¾ θ before each update; the update itself is as without decay.
    let parameter = after(SGD.at(0.5).weight_decay(0.5), 1.0, &[(2.0, None), (4.0, None)]).0;
    assert_eq!(parameter, (0.75 - 1.0) * 0.75 - 2.5);
    let parameter = after(ADA.at(0.5).weight_decay(0.5), 1.0, &[(2.0, Some(4.0))]).0;
    assert!((parameter - (0.75 - 0.5 * 2.0 / 4.25)).abs() < 1e-15);
}

#[test]
fn many_steps_in_f32_keep_their_bias_correction() {
    let (mut state, mut parameter) = (OptimizerState::new(1), [0.0_f32]);
    for _ in 0..1_000 {
        state.step(&Optimizer::adam(1e-3), &mut parameter, &[0.5], &[]).unwrap();
    }
    // A constant gradient moves by η a step.
    assert!((parameter[0] + 1.0).abs() < 1e-4, "{}", parameter[0]);
}

#[test]
fn counts_end_where_they_are() {
    for rule in [SGD, ADAM, ADA] {
        let (mut state, mut parameter) = (OptimizerState::new(1), [0.0_f64]);
        (state.step, state.curvature_steps) = (u64::MAX - 1, u64::MAX - 1);
        for _ in 0..3 {
            state.step(&rule.at(0.5), &mut parameter, &[2.0], &[4.0]).unwrap();
        }
        let curvature_steps = if rule == SGD { u64::MAX - 1 } else { u64::MAX };
        assert_eq!((state.step, state.curvature_steps), (u64::MAX, curvature_steps));
        assert!(parameter[0] < 0.0 && parameter[0].is_finite());
    }
}

#[test]
fn moments_of_another_length_are_refused() {
    let (mut state, mut parameters) = (OptimizerState::new(3), [1.0; 3]);
    state.v.pop();
    let error = state.step(&ADAM.at(0.5), &mut parameters, &[1.0; 3], &[]).unwrap_err();
    assert_eq!(error, Error::Length { tensor: "v".into(), got: 2, needed: 3 });
    assert_eq!((parameters, state.step), ([1.0; 3], 0));
}

const ABS: Rule = Rule::AdaHesScaleAbs { beta1: 0.5, beta2: 0.75, eps: 0.25, root: false };
const ABS_ROOT: Rule = Rule::AdaHesScaleAbs { beta1: 0.5, beta2: 0.75, eps: 0.25, root: true };
const SOPHIA: Rule = Rule::Sophia { beta1: 0.5, beta2: 0.75, gamma: 0.5, eps: 0.25 };
const RMSPROP: Rule = Rule::RmsProp { beta2: 0.75, eps: 0.25, momentum: 0.5 };
const LION: Rule = Rule::Lion { beta1: 0.5, beta2: 0.75 };

#[test]
fn adahesscale_by_magnitude() {
    // m̂ = 2; v = ¼·16 = 4, v̂ = 16: 2 / (16 + ¼), or 2 / (4 + ¼)
    for h in [16.0, -16.0] {
        let (parameter, state) = after(ABS.at(0.5), 1.0, &[(2.0, Some(h))]);
        assert!((parameter - (1.0 - 0.5 * 2.0 / 16.25)).abs() < 1e-15);
        assert_eq!(state.v[0], 4.0);
        let parameter = after(ABS_ROOT.at(0.5), 1.0, &[(2.0, Some(h))]).0;
        assert!((parameter - (1.0 - 0.5 * 2.0 / 4.25)).abs() < 1e-15);
    }
}

#[test]
fn sophia() {
    // No bias correction: m = 1, v = ¼·16 = 4; 1 / (½·4)
    assert_eq!(after(SOPHIA.at(0.5), 1.0, &[(2.0, Some(16.0))]).0, 1.0 - 0.5 * 0.5);
    // A negative curvature counts as none: 1 / ε, clipped where that is asked for.
    assert_eq!(after(SOPHIA.at(0.5), 1.0, &[(2.0, Some(-16.0))]).0, 1.0 - 0.5 * 4.0);
    assert_eq!(after(SOPHIA.at(0.5).clip_update(1.0), 1.0, &[(2.0, Some(-16.0))]).0, 1.0 - 0.5);
    // v stays on a step without curvature: m = 1.5, 1.5 / 2
    let parameter = after(SOPHIA.at(0.5), 1.0, &[(2.0, Some(16.0)), (2.0, None)]).0;
    assert_eq!(parameter, 1.0 - 0.25 - 0.5 * 0.75);
    assert_eq!(after(SOPHIA.at(0.5), 1.0, &[(2.0, None)]).0, 1.0);
}

#[test]
fn rmsprop() {
    // v = ¼·4 = 1; b = 2 / 1.25 = 1.6; then v = ¾ + 1 = 1.75, b = 0.8 + 2 / (√1.75 + ¼)
    let first = 1.0 - 0.5 * 1.6;
    assert!((after(RMSPROP.at(0.5), 1.0, &[(2.0, None)]).0 - first).abs() < 1e-15);
    let second = first - 0.5 * (0.8 + 2.0 / (1.75_f64.sqrt() + 0.25));
    assert!((after(RMSPROP.at(0.5), 1.0, &[(2.0, None), (2.0, None)]).0 - second).abs() < 1e-15);
}

#[test]
fn lion() {
    // c = 1, m = ½; c = ½·½ − ½·1 = −¼, m = ⅜ − ¼; c = ½·⅛ = 1/16
    let steps = [(2.0, None), (-1.0, None), (0.0, None)];
    let (parameter, state) = after(LION.at(0.5), 1.0, &steps);
    assert_eq!((parameter, state.m[0]), (1.0 - 0.5 + 0.5 - 0.5, 0.09375));
    assert_eq!(after(LION.at(0.5), 1.0, &[(0.0, None)]).0, 1.0);
    assert_eq!(after(LION.at(0.5).weight_decay(0.5), 1.0, &[(0.0, None)]).0, 0.75);
    assert!(after(LION.at(0.5), 1.0, &[(f64::NAN, None)]).0.is_nan());
}

/// Two parameters over two steps; the second may begin an episode.
fn traced(optimizer: Optimizer, transitions: [Transition; 2]) -> ([f64; 2], OptimizerState<f64>) {
    let (mut state, mut parameters) = (OptimizerState::new(2), [1.0, 1.0]);
    for (transition, gradient) in transitions.into_iter().zip([[2.0, -1.0], [0.5, 1.5]]) {
        state.step(&optimizer.transition(transition), &mut parameters, &gradient, &[]).unwrap();
    }
    (parameters, state)
}

#[test]
fn steps_bounded_by_the_size_of_their_trace() {
    let said = |error, first| Transition { error, first };
    let obgd = Optimizer::obgd(0.5).trace(0.5).kappa(2.0);
    // z = (2, −1), η κ |δ| Σ = 0.5 · 2 · 3 · 3 = 9; then z = (1.5, 1), max(|δ|, 1) = 1, 0.5 · 2 · 2.5 = 2.5.
    let (got, state) = traced(obgd, [said(-3.0, true), said(0.25, false)]);
    let first = [1.0 + 0.5 * 3.0 * 2.0 / 9.0, 1.0 - 0.5 * 3.0 / 9.0];
    let step = 0.5 * 0.25 / 2.5;
    let want = [first[0] - step * 1.5, first[1] - step];
    assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-15), "{got:?} {want:?}");
    assert_eq!(state.m, [1.5, 1.0]);
    // A small rate is taken as it is; the first step of an episode forgets the trace.
    let (got, state) = traced(obgd.learning_rate(0.125), [said(0.5, true), said(0.5, true)]);
    assert_eq!(got, [1.0 - 0.0625 * 2.5, 1.0 - 0.0625 * 0.5]);
    assert_eq!(state.m, [0.5, 1.5]);
}

#[test]
fn steps_normalised_and_bounded() {
    let optimizer = Optimizer::adaptive_obgd(0.5).trace(0.5).kappa(2.0).alpha(0.75).eps(1.0);
    let said = |error| Transition { error, first: false };
    // δ z = (4, −2), v = ¼ (16, 4), v̂ = (16, 4): x = (2/√17, −1/√5), δ̄ = 2.
    let mut state = OptimizerState::new(2);
    let mut parameters = [1.0, 1.0];
    state.step(&optimizer.transition(said(2.0)), &mut parameters, &[2.0, -1.0], &[]).unwrap();
    let x = [2.0 / 17_f64.sqrt(), -1.0 / 5_f64.sqrt()];
    let bound = 0.5 * 2.0 * 2.0 * (x[0] - x[1]);
    assert!(bound > 1.0);
    let want = x.map(|x| 1.0 - 0.5 * 2.0 * x / bound);
    assert!(parameters.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-15), "{parameters:?}");
    assert_eq!((state.m, state.v), (vec![2.0, -1.0], vec![4.0, 1.0]));
}

#[test]
fn transitions_of_other_rules_and_errors_that_are_none() {
    let said = |error| Transition { error, first: false };
    assert!(matches!(
        SGD.at(0.5).transition(said(1.0)).validate(),
        Err(Error::Setting { rule: "sgd", setting: "transition", .. })
    ));
    for optimizer in [Optimizer::obgd(1.0), Optimizer::adaptive_obgd(1.0)] {
        assert!(optimizer.validate().is_ok());
        for error in [f32::NAN, f32::INFINITY] {
            let refused = optimizer.transition(said(error)).validate().unwrap_err();
            assert!(matches!(refused, Error::Value { name: "temporal-difference error", .. }), "{refused}");
        }
        assert!(matches!(optimizer.trace(1.0).validate(), Err(Error::Value { name: "trace", .. })));
        assert!(matches!(optimizer.kappa(0.0).validate(), Err(Error::Value { name: "kappa", .. })));
        assert!(matches!(optimizer.trust(1.0).validate(), Err(Error::Setting { setting: "trust", .. })));
    }
}

#[test]
fn steps_by_utility() {
    let sigma = |x: f64| 1.0 / (1.0 + (-x).exp());
    let near = |got: &[f64], want: &[f64]| {
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-15), "{got:?} {want:?}");
    };
    let (g, h) = ([2.0, -1.0, 0.5], [4.0, -2.0, 8.0]);
    let upgd = Optimizer::upgd(0.5).trace(0.5).noise(0.0);
    let (mut state, mut theta) = (OptimizerState::new(3), [1.0, 2.0, -1.0]);
    // Nothing moves before there has been curvature.
    state.step(&upgd, &mut theta, &g, &[]).unwrap();
    assert_eq!((theta, &state.m, state.curvature_steps), ([1.0, 2.0, -1.0], &vec![0.0; 3], 0));
    // ½ h θ² − g θ = (0, −2, 4.5), halved.
    state.step(&upgd, &mut theta, &g, &h).unwrap();
    assert_eq!((&state.m, state.step, state.curvature_steps), (&vec![0.0, -1.0, 2.25], 2, 1));
    let share = [1.0 - sigma(0.0), 1.0 - sigma(-1.0 / 2.25), 1.0 - sigma(1.0)];
    let first = [1.0 - 0.5 * 2.0 * share[0], 2.0 + 0.5 * share[1], -1.0 - 0.25 * share[2]];
    near(&theta, &first);
    // Without curvature utilities rest.
    state.step(&upgd, &mut theta, &g, &[]).unwrap();
    assert_eq!(state.m, [0.0, -1.0, 2.25]);
    near(&theta, &[0, 1, 2].map(|i| first[i] - 0.5 * g[i] * share[i]));

    // The noise is the generator's, scaled, of this step and seed; the whole of gradient and noise decays alike.
    let noisy = upgd.noise(0.25).seed(9).weight_decay(0.5);
    let (mut state, mut theta) = (OptimizerState::new(6), [1.0; 6]);
    state.step(&noisy, &mut theta, &[0.5; 6], &[2.0; 6]).unwrap();
    let noise = Noise { seed: 9, step: 1 };
    let drawn = [noise.normals(Noise::PARAMETERS, 0), noise.normals(Noise::PARAMETERS, 1)].concat();
    // All are as useful: σ(1).
    let want: Vec<f64> =
        drawn[..6].iter().map(|xi| 0.75 - 0.5 * (0.5 + 0.25 * xi) * (1.0 - sigma(1.0))).collect();
    near(&theta, &want);
}

/// The largest utility is that of what is trained; where none is positive none counts.
#[test]
fn utilities_of_what_is_trained() {
    let upgd = Optimizer::upgd(0.5).trace(0.0).noise(0.0);
    let share = |utility: f64| 1.0 / (1.0 + utility.exp());
    // U = 1, 50 (in no span), 2
    let (parameters, state) = spans_after(upgd, [1.0, -50.0, 1.0], &[4.0, 0.0, 6.0]);
    assert_eq!(state.m, [1.0, 0.0, 2.0]);
    let want = [1.0 - 0.5 * share(0.5), 1.0, 0.875 - 0.25 * share(1.0)];
    // The second span's weight decay of ½ at half the rate comes first.
    assert!(parameters.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-15), "{parameters:?}");
    let (parameters, state) = spans_after(upgd, [2.0; 3], &[0.0; 3]);
    assert_eq!((state.m, parameters), (vec![-2.0, 0.0, -2.0], [1.0 - 0.5, 1.0, 0.875 - 0.25]));
}

#[test]
fn settings_of_upgd() {
    assert!(Optimizer::upgd(0.1).validate().is_ok() && Optimizer::upgd(0.1).noise(0.0).validate().is_ok());
    for wrong in [-0.1, f32::NAN, f32::INFINITY] {
        let refused = Optimizer::upgd(0.1).noise(wrong).validate();
        assert!(matches!(refused, Err(Error::Value { name: "noise", .. })), "{refused:?}");
        let refused = Optimizer::upgd(0.1).trace(wrong).validate();
        assert!(matches!(refused, Err(Error::Value { name: "trace", .. })), "{refused:?}");
    }
    for (other, setting) in [
        (Optimizer::sgd(0.1).noise(0.1), "noise"),
        (Optimizer::obgd(0.1).seed(1), "seed"),
        (Optimizer::upgd(0.1).trust(1.0), "trust"),
        (Optimizer::upgd(0.1).eps(1.0), "eps"),
    ] {
        let refused = other.validate();
        assert!(matches!(refused, Err(Error::Setting { setting: s, .. }) if s == setting), "{refused:?}");
    }
}

#[test]
fn limits_by_value() {
    assert_eq!(after(SGD.at(0.5).clip_gradient(0.5), 1.0, &[(2.0, None)]).0, 0.75);
    assert_eq!(after(SGD.at(0.5).clip_gradient(0.5), 1.0, &[(-2.0, None)]).0, 1.25);
    assert_eq!(after(SGD.at(0.5).clip_update(1.5), 1.0, &[(2.0, None)]).0, 0.25);
    // The momentum is not clipped: b = 2, then 3.
    let (parameter, state) = after(SGD.at(0.5).clip_update(1.5), 1.0, &[(2.0, None), (2.0, None)]);
    assert_eq!((parameter, state.m[0]), (1.0 - 0.75 - 0.75, 3.0));
    for bad in [f64::NAN, f64::INFINITY] {
        let limited = SGD.at(0.5).clip_gradient(0.5).clip_update(1.5).clip_gradient_norm(1.0);
        assert!(!after(limited, 1.0, &[(bad, None)]).0.is_finite());
    }
}

/// Steps of two parameters in spans of their own, and a third in none.
fn spans_after(
    optimizer: Optimizer,
    gradient: [f64; 3],
    diagonal: &[f64],
) -> ([f64; 3], OptimizerState<f64>) {
    let (mut state, mut parameters) = (OptimizerState::new(3), [1.0, 1.0, 1.0]);
    let mut spans = [Span::new(0..1, &optimizer), Span::new(2..3, &optimizer)];
    (spans[1].rate, spans[1].weight_decay) = (0.5, 0.5);
    state.step_spans(&optimizer, &spans, &mut parameters, &gradient, diagonal).unwrap();
    (parameters, state)
}

#[test]
fn sums_over_what_is_trained() {
    // ‖(3, 4)‖ = 5, halved; what is in no span does not count.
    let (parameters, state) = spans_after(SGD.at(0.5).clip_gradient_norm(2.5), [3.0, 100.0, 4.0], &[]);
    assert_eq!(parameters, [1.0 - 0.5 * 1.5, 1.0, 0.875 - 0.25 * 2.0]);
    assert_eq!(state.m, [1.5, 0.0, 2.0]);
    // Within the norm nothing happens.
    assert_eq!(
        spans_after(SGD.at(0.5).clip_gradient_norm(5.0), [3.0, 9.0, 4.0], &[]),
        spans_after(SGD.at(0.5), [3.0, 9.0, 4.0], &[])
    );
    // u = ½·2/2.25 and ¼·2/2.25, d = 2: T = 2 (u₁² + u₂²)
    let (u, v) = (1.0 / 2.25, 0.5 / 2.25);
    let t: f64 = 2.0 * (u * u + v * v);
    let delta = 0.125;
    let factor = (2.0 * delta / t).sqrt();
    let (parameters, _) = spans_after(ADA.at(0.5).trust(0.125), [2.0; 3], &[2.0; 3]);
    let expected = [1.0 - factor * u, 1.0, 0.875 - factor * v];
    assert!(
        factor < 1.0 && parameters.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15),
        "{parameters:?}"
    );
    // Where the sum overflows, finite parameters stay where they are.
    let (parameters, _) = spans_after(SGD.at(0.5).clip_gradient_norm(1.0), [1e200, 0.0, 1.0], &[]);
    assert_eq!(parameters, [1.0, 1.0, 0.875]);
}

#[test]
fn a_mean_of_the_parameters() {
    let (mut state, mut parameter) = (OptimizerState::new(1), [1.0]);
    let optimizer = Optimizer::sgd(0.5).average(0.75);
    for expected in [1.0 - 0.25 * 0.5, 0.875 - 0.25 * 0.875] {
        state.step(&optimizer, &mut parameter, &[1.0], &[]).unwrap();
        assert_eq!(state.average, [expected]);
    }
    let error = state.step(&optimizer, &mut [1.0, 1.0], &[1.0, 1.0], &[]).unwrap_err();
    assert!(matches!(error, Error::Length { .. }));
    let past = Span::new(0..2, &optimizer);
    let error = state.step_spans(&optimizer, &[past], &mut parameter, &[1.0], &[]).unwrap_err();
    assert_eq!(error, Error::Length { tensor: "spans".into(), got: 2, needed: 1 });
}
