//! Losses: g and h against dual numbers, the effective target, ignored samples, and logits far out.

use crate::common::golden::OwnedTargets;
use crate::problem::{all_losses, losses, sample_weights, targets};
use hesscale::model::{Noise, Reduction, Targets, Variance};
use hesscale::reference::{Dual, Real, Signal, weighted_loss_and_signal};
use hesscale::{Activation, Loss, Mode, Model};

/// A network that is nothing but its loss.
fn only(loss: impl Into<Loss>, outputs: usize) -> Model {
    Model::builder([outputs]).act(Activation::Identity).loss(loss).unwrap()
}

fn signal<T: Real>(
    loss: &Loss,
    mode: Mode,
    logits: &[T],
    targets: Targets<'_>,
    outputs: usize,
) -> (T, Signal<T>) {
    weighted(loss, mode, logits, (targets, None), outputs)
}

fn weighted<T: Real>(
    loss: &Loss,
    mode: Mode,
    logits: &[T],
    (targets, weights): (Targets<'_>, Option<&[f32]>),
    outputs: usize,
) -> (T, Signal<T>) {
    weighted_loss_and_signal(&only(loss.clone(), outputs), mode, logits, targets, weights, Noise::default())
        .unwrap()
}

#[test]
fn g_and_h_are_the_derivatives_of_the_value() {
    let (batch, outputs) = (5, 4);
    let mut random = fastrand::Rng::with_seed(1);
    let of_losses = losses(outputs).into_iter().map(|loss| (loss, None));
    // With weights of both signs.
    let of_all = all_losses(outputs).map(|(loss, _)| loss);
    let with_weights: Vec<_> = of_all.map(|loss| (loss, Some(sample_weights(batch, &mut random)))).collect();
    for (loss, weights) in of_losses.chain(with_weights) {
        let logits: Vec<f64> = (0..batch * outputs).map(|_| random.f64() * 6.0 - 3.0).collect();
        let targets = targets(&only(loss.clone(), outputs), batch, &mut random);
        let weights = weights.as_deref();
        let (value, at) = weighted(&loss, Mode::HesScale, &logits, (targets.view(), weights), outputs);
        for i in 0..logits.len() {
            let mut along: Vec<Dual<f64>> = logits.iter().map(|z| Dual::constant(*z)).collect();
            along[i].slope = 1.0;
            let (varied, slopes) = weighted(&loss, Mode::None, &along, (targets.view(), weights), outputs);
            assert!((varied.value - value).abs() <= 1e-15 * value.abs());
            assert!((varied.slope - at.g[i]).abs() < 1e-13, "{loss:?} g[{i}]: {} {}", varied.slope, at.g[i]);
            let h = slopes.g[i].slope;
            assert!((h - at.h[i]).abs() < 1e-13 * (1.0 + h.abs()), "{loss:?} h[{i}]: {h} {}", at.h[i]);
        }
    }
}

/// A logit that is not finite makes the loss NaN, and g and the diagonal there, as on the GPU and the CPU; other samples keep
/// theirs.
#[test]
fn a_logit_that_is_not_finite_spoils_what_starts_there() {
    let (batch, outputs) = (3, 4);
    let mut random = fastrand::Rng::with_seed(2);
    let diagonal = |signal: &Signal<f64>| -> Vec<f64> {
        let with = |(i, h): (usize, &f64)| h + signal.u.iter().map(|u| u[i] * u[i]).sum::<f64>();
        signal.h.iter().enumerate().map(with).collect()
    };
    for loss in losses(outputs) {
        let model = only(loss.clone(), outputs);
        let clean: Vec<f64> = (0..batch * outputs).map(|_| random.f64() * 6.0 - 3.0).collect();
        let mut targets = targets(&model, batch, &mut random);
        // Classes that no loss ignores.
        if let OwnedTargets::Classes(classes) = &mut targets {
            *classes = vec![0, 2, 3];
        }
        for mode in Mode::ALL {
            let (_, want) = signal(&loss, mode, &clean, targets.view(), outputs);
            for (place, bad) in (0..outputs)
                .flat_map(|place| [f64::NAN, f64::INFINITY, -f64::INFINITY].map(|bad| (place, bad)))
            {
                let mut logits = clean.clone();
                logits[outputs + place] = bad;
                let (value, got) = signal(&loss, mode, &logits, targets.view(), outputs);
                let what = format!("{loss:?} {mode:?} {bad} at {place}");
                assert!(value.is_nan() && got.g[outputs + place].is_nan(), "{what}");
                assert!(!mode.has_diagonal() || diagonal(&got)[outputs + place].is_nan(), "{what}");
                let others =
                    |of: &[f64]| [&of[..outputs.min(of.len())], &of[(2 * outputs).min(of.len())..]].concat();
                assert_eq!(others(&got.g), others(&want.g), "{what}");
                assert_eq!(others(&diagonal(&got)), others(&diagonal(&want)), "{what}");
            }
        }
    }
}

/// Hand-computed values, so that value, g and h are not merely consistent with one another.
#[test]
fn values_by_hand() {
    let value =
        |loss: &Loss, logits: &[f64], targets| signal(loss, Mode::None, logits, targets, logits.len()).0;
    let near = |got: f64, want: f64| assert!((got - want).abs() < 1e-15, "{got} {want}");
    let ln2 = 2.0_f64.ln();
    near(value(&Loss::cross_entropy().into(), &[3.0, 3.0], Targets::Classes(&[1])), ln2);
    near(value(&Loss::mse(), &[3.0, 1.0], Targets::Values(&[1.0, 2.0])), 2.5);
    let bce = Loss::BceWithLogits { reduction: Reduction::Sum, pos_weight: None };
    near(value(&bce, &[0.0, 3.0_f64.ln()], Targets::Values(&[0.5, 0.0])), 3.0 * ln2);
    let gaussian = |var| Loss::GaussianNll { reduction: Reduction::Mean, var };
    near(value(&gaussian(Variance::Log), &[3.0, ln2], Targets::Values(&[1.0])), 0.5 * (ln2 + 2.0));
    // softplus(0) = log 2
    let want = 0.5 * (ln2.ln() + 4.0 / ln2);
    near(value(&gaussian(Variance::Softplus), &[3.0, 0.0], Targets::Values(&[1.0])), want);
    // Inside δ, at δ, beyond on either side.
    let huber = Loss::huber(0.5).sum();
    near(
        value(&huber, &[1.25, 2.0, -1.0, 3.0], Targets::Values(&[1.0, 1.5, 1.0, 1.0])),
        0.03125 + 0.125 + 0.875 + 0.875,
    );
    near(value(&Loss::l1(), &[1.25, -2.0], Targets::Values(&[1.0, 0.0])), 1.125);
    near(value(&Loss::relative_mse(0.25), &[1.0, 0.0], Targets::Values(&[0.5, 1.0])), 0.5 * (0.2 + 4.0));
    let weighted = Loss::bce_with_pos_weight([3.0, 5.0]).sum();
    near(value(&weighted, &[0.0, 0.0], Targets::Values(&[1.0, 0.5])), (3.0 + 0.5 * 5.0 + 0.5) * ln2);
    // π = ¼ where it was ½, ratio ½: unclipped for a good action, clipped at 0.8 for a bad one; and the entropy of four.
    let ppo = |entropy| Loss::ppo_discrete(0.2, entropy);
    let [good, bad] = [3.0, -3.0].map(|advantage| [2.0, 0.5_f32.ln(), advantage]);
    let ratio = (0.25_f64.ln() - f64::from(0.5_f32.ln())).exp();
    near(value(&ppo(0.0), &[1.0; 4], Targets::Values(&good)), -3.0 * ratio);
    near(value(&ppo(0.0), &[1.0; 4], Targets::Values(&bad)), 2.4);
    near(value(&ppo(0.5), &[1.0; 4], Targets::Values(&bad)), 2.4 - ln2);
    // At its mean with variance 1 an action has the density 1/√(2π).
    let log_pi = -0.5 * (2.0 * std::f64::consts::PI).ln();
    let gaussian = Loss::ppo_gaussian(0.2, 2.0);
    let row = [0.5, log_pi as f32, -2.0];
    let ratio = (log_pi - f64::from(log_pi as f32)).exp();
    near(value(&gaussian, &[0.5, 0.0], Targets::Values(&row)), 2.0 * ratio - (1.0 - 2.0 * log_pi));
}

/// PyTorch's mean of a weighted cross-entropy; 0 where nothing counts.
#[test]
fn a_weighted_mean_divides_by_what_counts() {
    let mean = Loss::cross_entropy().class_weights([1.0, 2.0, 4.0]).ignore_index(0);
    let logits = [0.5, -1.0, 2.0, 0.25, 1.5, -0.5, 3.0, 1.0, 0.0];
    let (classes, weights) = (Targets::Classes(&[1, 0, 2]), [0.5, 9.0, -0.75]);
    let of =
        |loss: Loss, targets| weighted(&loss, Mode::HesScaleR1, &logits[..], (targets, Some(&weights)), 3);
    let (sum, plain) = of(mean.clone().sum().into(), classes);
    let (value, at) = of(mean.clone().weighted_mean().into(), classes);
    // ½·2 − ¾·4
    let divisor = -2.0;
    assert!((value - sum / divisor).abs() < 1e-15);
    for (got, want) in at.g.iter().zip(&plain.g).chain(at.h.iter().zip(&plain.h)) {
        assert!((got - want / divisor).abs() < 1e-15, "{got} {want}");
    }
    // What turned positive has vectors, what turned negative none.
    assert!(plain.u[0][..3].iter().all(|u| *u != 0.0) && plain.u[0][6..].iter().all(|u| *u == 0.0));
    assert!(at.u[0][..3].iter().all(|u| *u == 0.0) && at.u[0][6..].iter().all(|u| *u != 0.0));
    let (value, at) = of(mean.weighted_mean().into(), Targets::Classes(&[0; 3]));
    assert!(value == 0.0 && at.g.iter().chain(&at.h).all(|x| *x == 0.0));
}

/// Weights, smoothing and a mass other than 1 all act through `y_c = w_c ((1−ε) t_c + ε m/C)`.
#[test]
fn cross_entropy_sees_only_the_effective_target() {
    let cross_entropy = |targets, class_weights, label_smoothing| Loss::SoftmaxCrossEntropy {
        targets,
        reduction: Reduction::Sum,
        class_weights,
        label_smoothing,
        ignore_index: None,
    };
    use hesscale::model::ClassTargets::{ClassIndex, Soft};
    let logits = [0.5, -1.0, 2.0, 0.25];
    let all = |loss, targets| signal(&loss, Mode::HesScale, &logits[..], targets, 4);
    let (weights, y) = (vec![1.0, 0.5, 0.0, 2.0], [0.125, 0.0625, 0.0, 1.25]);
    let want = all(cross_entropy(Soft, None, 0.0), Targets::Values(&y));
    assert_eq!(all(cross_entropy(ClassIndex, Some(weights.clone()), 0.5), Targets::Classes(&[3])), want);
    let t = [0.0, 0.0, 0.0, 1.0];
    assert_eq!(all(cross_entropy(Soft, Some(weights), 0.5), Targets::Values(&t)), want);

    // Smoothing spreads the target's own mass: 2 here, so ½·2/4 falls to each class.
    let heavy = all(cross_entropy(Soft, None, 0.5), Targets::Values(&[0.0, 2.0, 0.0, 0.0]));
    assert_eq!(heavy, all(cross_entropy(Soft, None, 0.0), Targets::Values(&[0.25, 1.25, 0.25, 0.25])));

    let p: Vec<f64> = logits.iter().map(|z| z.exp() / logits.iter().map(|z| z.exp()).sum::<f64>()).collect();
    for c in 0..4 {
        let (g, h) = (1.4375 * p[c] - f64::from(y[c]), 1.4375 * (p[c] - p[c] * p[c]));
        assert!((want.1.g[c] - g).abs() < 1e-15 && (want.1.h[c] - h).abs() < 1e-15);
    }
    let bl89 = signal(&cross_entropy(Soft, None, 0.0), Mode::Bl89, &logits[..], Targets::Values(&y), 4).1;
    for c in 0..4 {
        assert!((bl89.h[c] - f64::from(y[c]) * (p[c] - p[c] * p[c])).abs() < 1e-16);
    }
}

#[test]
fn ignored_samples_contribute_exactly_nothing() {
    for ignored in [1, 250] {
        let loss = Loss::SoftmaxCrossEntropy {
            targets: Default::default(),
            reduction: Reduction::Sum,
            class_weights: None,
            label_smoothing: 0.2,
            ignore_index: Some(ignored),
        };
        // An extreme logit in the ignored row must have no effect either.
        let logits = [0.5, -1.0, 2.0, f64::INFINITY, 0.1, f64::NAN];
        for mode in Mode::ALL {
            let (value, both) = signal(&loss, mode, &logits[..], Targets::Classes(&[2, ignored]), 3);
            let (alone, one) = signal(&loss, mode, &logits[..3], Targets::Classes(&[2]), 3);
            assert_eq!(value, alone);
            let check = |both: &[f64], one: &[f64]| {
                assert!(
                    both[..one.len()] == *one && both[one.len()..].iter().all(|x| x.to_bits() == 0),
                    "{mode:?}"
                );
            };
            check(&both.g, &one.g);
            check(&both.h, &one.h);
            both.u.iter().zip(&one.u).for_each(|(both, one)| check(both, one));
        }
    }
}

/// f32 at logits of ±1e4 and where a softmax saturates: nothing overflows, and all of it agrees with f64.
#[test]
fn far_logits_stay_accurate_in_f32() {
    let rows: [[f32; 4]; 7] = [
        [1e4, -1e4, 0.0, 5.0],
        [-1e4, -1e4, -1e4, -1e4],
        [1e4, 1e4, -1e4, 1e4],
        [-1e4, 1e4, 9_999.0, 9_990.0],
        [30.0, 0.0, -1.0, 12.0],
        [0.0, 60.0, -5.0, 2.0],
        [0.25, 0.5, -0.125, 0.0],
    ];
    let mut random = fastrand::Rng::with_seed(5);
    for loss in losses(4) {
        for row in rows {
            // Precision is capped below a variance of e^−80; other losses take any logit.
            if matches!(loss, Loss::GaussianNll { .. }) && row[2..].iter().any(|rho| *rho < -40.0) {
                continue;
            }
            let targets = targets(&only(loss.clone(), 4), 1, &mut random);
            for mode in Mode::ALL {
                let (value, single) = signal(&loss, mode, &row, targets.view(), 4);
                let (exact, double) = signal(&loss, mode, &row.map(f64::from), targets.view(), 4);
                let close = |got: f32, want: f64| (f64::from(got) - want).abs() <= 2e-5 * want.abs() + 1e-35;
                assert!(close(value, exact), "{loss:?} {row:?}: {value} {exact}");
                for (got, want) in single.g.iter().zip(&double.g).chain(single.h.iter().zip(&double.h)) {
                    // Soft targets cancel against p: compared to the row's size, not entry by entry.
                    let scale = double.g.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
                    let near = (f64::from(*got) - want).abs() <= 1e-6 * scale;
                    assert!(close(*got, *want) || near, "{loss:?} {mode:?} {row:?}: {got} {want}");
                }
            }
        }
    }
}

/// A confident correct prediction: 1 − p is a sum of small terms, not a difference of large ones, down to f32's limits.
#[test]
fn confident_answers_keep_their_digits_in_f32() {
    for row in [[0.0_f32, 40.0, -5.0, 2.0], [3.0, 70.0, 1.0, 0.5]] {
        for mode in [Mode::HesScale, Mode::HesScaleR1, Mode::HesScaleR2] {
            let (value, single) =
                signal(&Loss::cross_entropy().into(), mode, &row, Targets::Classes(&[1]), 4);
            let (exact, double) =
                signal(&Loss::cross_entropy().into(), mode, &row.map(f64::from), Targets::Classes(&[1]), 4);
            assert!((f64::from(value) / exact - 1.0).abs() < 1e-5);
            let vectors = single.u.iter().zip(&double.u);
            for (got, want) in [(&single.g, &double.g), (&single.h, &double.h)].into_iter().chain(vectors) {
                for (got, want) in got.iter().zip(want) {
                    assert!((f64::from(*got) / want - 1.0).abs() < 1e-4, "{mode:?} {row:?}: {got} {want}");
                }
            }
        }
    }
    let bce = Loss::BceWithLogits { reduction: Reduction::Sum, pos_weight: None };
    let (value, at) = signal(&bce, Mode::HesScale, &[50.0_f32, -50.0], Targets::Values(&[1.0, 0.0]), 2);
    let e = (-50.0_f64).exp();
    for (got, want) in [(value, 2.0 * e), (at.g[0], -e), (at.g[1], e), (at.h[0], e), (at.h[1], e)] {
        assert!((f64::from(got) / want - 1.0).abs() < 1e-5, "{got} {want}");
    }
}

/// A Gaussian whose variance vanishes or explodes gives finite values, never NaN.
#[test]
fn vanishing_variance_is_finite_in_f32() {
    for var in [Variance::Log, Variance::Softplus] {
        let loss = Loss::GaussianNll { reduction: Reduction::Mean, var };
        for rho in [1e4_f32, 100.0, 0.0, -30.0, -45.0, -100.0, -200.0, -1e4] {
            for residual in [0.0_f32, 0.5, -3.0] {
                let (value, at) =
                    signal(&loss, Mode::HesScaleR2, &[residual, rho], Targets::Values(&[0.0]), 2);
                let all = [value, at.g[0], at.g[1], at.h[0], at.h[1]];
                assert!(all.iter().all(|x| x.is_finite()), "{var:?} ρ {rho} r {residual}: {all:?}");
            }
        }
    }
    // Not yet the exponential: log v differs from ρ by ½ e^ρ.
    let (r, rho) = (1e-5_f64, -22.0_f64);
    let v = rho.exp().ln_1p();
    let loss = Loss::GaussianNll { reduction: Reduction::Sum, var: Variance::Softplus };
    let (value, at) = signal(&loss, Mode::HesScale, &[r, rho], Targets::Values(&[0.0]), 2);
    let (d1, d2) = (1.0 / (1.0 + (-rho).exp()), rho.exp() / (1.0 + rho.exp()).powi(2));
    let (lv, lvv) = (0.5 * (1.0 / v - r * r / (v * v)), 0.5 * (2.0 * r * r / v.powi(3) - 1.0 / (v * v)));
    let want = [0.5 * (v.ln() + r * r / v), r / v, lv * d1, 1.0 / v, lvv * d1 * d1 + lv * d2];
    for (got, want) in [value, at.g[0], at.g[1], at.h[0], at.h[1]].into_iter().zip(want) {
        assert!((got / want - 1.0).abs() < 1e-13, "{got} {want}");
    }
    // One formula on both sides of the place where softplus becomes the exponential.
    let softplus = Loss::GaussianNll { reduction: Reduction::Sum, var: Variance::Softplus };
    let at = |rho: f64| signal(&softplus, Mode::HesScale, &[1e-9, rho], Targets::Values(&[0.0]), 2);
    let ((above, a), (below, b)) = (at(-40.0), at(-40.0 - 1e-13));
    assert!((above / below - 1.0).abs() < 1e-12);
    a.g.iter().zip(&b.g).chain(a.h.iter().zip(&b.h)).for_each(|(a, b)| assert!((a / b - 1.0).abs() < 1e-12));
}

#[test]
fn one_class_and_many_classes() {
    for mode in Mode::ALL {
        let (value, at) = signal(&Loss::cross_entropy().into(), mode, &[3.0_f64], Targets::Classes(&[0]), 1);
        assert!(value == 0.0 && at.g == [0.0] && at.h.iter().all(|h| *h == 0.0), "{mode:?}");
        let logits: Vec<f32> = (0..20_000).map(|c| (c % 97) as f32 / 10.0).collect();
        let targets = OwnedTargets::Classes(vec![1_234]);
        let (value, at) = signal(&Loss::cross_entropy().into(), mode, &logits, targets.view(), logits.len());
        let wide: Vec<f64> = logits.iter().map(|z| f64::from(*z)).collect();
        let (want, exact) = signal(&Loss::cross_entropy().into(), mode, &wide, targets.view(), logits.len());
        assert!((f64::from(value) / want - 1.0).abs() < 1e-5);
        let bound = exact.h.iter().fold(0.0, |m: f64, h| m.max(h.abs())) * 1e-4;
        at.h.iter().zip(&exact.h).for_each(|(h, want)| assert!((f64::from(*h) - want).abs() <= bound));
    }
}
