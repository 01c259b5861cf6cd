//! The CPU's losses beside the reference in f64.

use super::{HostLoss, LossSignal};
use crate::model::{Activation, ClassTargets, Loss, Mode, Model, Reduction, Targets, Variance};
use crate::reference::loss_and_signal;
use fastrand::Rng;

#[derive(Debug, Clone, PartialEq)]
enum Owned {
    Classes(Vec<u32>),
    Values(Vec<f32>),
}

impl Owned {
    fn view(&self) -> Targets<'_> {
        match self {
            Owned::Classes(classes) => Targets::Classes(classes),
            Owned::Values(values) => Targets::Values(values),
        }
    }
}

/// A network that is nothing but its loss.
fn only(loss: impl Into<Loss>, output: &[usize]) -> Model {
    Model::builder(output).act(Activation::Identity).loss(loss).unwrap()
}

/// Every loss, with every option that changes its formula.
fn losses(classes: usize, reduction: Reduction) -> Vec<Loss> {
    let weights: Vec<f32> = (0..classes).map(|c| 0.25 + 0.5 * c as f32).collect();
    let cross_entropy = |targets, weighted: bool, label_smoothing, ignore_index| Loss::SoftmaxCrossEntropy {
        targets,
        reduction,
        class_weights: weighted.then(|| weights.clone()),
        label_smoothing,
        ignore_index,
    };
    let mut losses = Vec::new();
    for targets in [ClassTargets::ClassIndex, ClassTargets::Soft] {
        for (weighted, smoothing) in [(false, 0.0), (true, 0.0), (false, 0.1), (true, 0.3), (false, 1.0)] {
            losses.push(cross_entropy(targets, weighted, smoothing, None));
            losses.push(cross_entropy(targets, weighted, smoothing, Some(1)));
        }
    }
    losses.extend([Loss::Mse { reduction }, Loss::BceWithLogits { reduction, pos_weight: None }]);
    losses.extend([Variance::Log, Variance::Softplus].map(|var| Loss::GaussianNll { reduction, var }));
    losses
}

fn targets(loss: &Loss, batch: usize, output: &[usize], random: &mut Rng) -> Owned {
    let len = batch * loss.target_len(output);
    match loss {
        loss if loss.takes_classes() => {
            Owned::Classes((0..len).map(|_| random.u32(0..output[0] as u32)).collect())
        }
        // Masses of either sign.
        Loss::SoftmaxCrossEntropy { .. } => {
            Owned::Values((0..len).map(|_| random.f32() * 1.5 - 0.5).collect())
        }
        _ => Owned::Values((0..len).map(|_| random.f32()).collect()),
    }
}

/// Value and planes by one path: `[value]`, g, h, and the vectors u.
type Results = Vec<Vec<f64>>;

fn host(model: &Model, mode: Mode, logits: &[f32], targets: Targets<'_>) -> Results {
    let plane = |there: bool| vec![f32::MAX; if there { logits.len() } else { 0 }];
    let (mut g, mut h) = (plane(true), plane(mode.has_diagonal()));
    let mut u = [plane(mode.rank() > 0), plane(mode.rank() > 1)];
    let mut host = HostLoss::new(model.loss(), model.output_shape());
    let [u1, u2] = &mut u;
    let signal = LossSignal { g: &mut g, h: &mut h, u: [u1, u2] };
    let value = host.run(mode, logits, targets, weights, Some(signal));
    // The scratch memory is used again, and the value does not depend on whether a signal is wanted.
    let again = host.run(mode, logits, targets, weights, None);
    assert_eq!(value.to_bits(), again.to_bits());
    let [u1, u2] = u;
    let planes = [g, h, u1, u2].into_iter().map(|plane| plane.into_iter().map(f64::from).collect());
    [vec![value]].into_iter().chain(planes).collect()
}

fn reference(model: &Model, mode: Mode, logits: &[f32], targets: Targets<'_>) -> Results {
    let logits: Vec<f64> = logits.iter().map(|z| f64::from(*z)).collect();
    let (value, signal) = loss_and_signal(model, mode, &logits, targets).unwrap();
    let h = signal.diagonal().to_vec();
    let mut results = vec![vec![value], signal.g, h];
    results.extend(signal.u);
    results.resize(5, Vec::new());
    results
}

/// What differs by more than rounding to f32, number by number; what is not finite on one path must not be on the other.
/// Where large terms cancel, f64 leaves an error of its own, in proportion to the plane's largest number; of h beside vectors,
/// in proportion to the whole diagonal.
fn difference(got: &Results, want_all: &Results) -> Result<(), String> {
    for (name, (got, want)) in ["value", "g", "h", "u1", "u2"].iter().zip(got.iter().zip(want_all)) {
        if got.len() != want.len() {
            return Err(format!("{name} has {} numbers, not {}", got.len(), want.len()));
        }
        let whole = |i: usize| match *name {
            "h" => want_all[3..].iter().filter_map(|plane| plane.get(i)).fold(0.0, |sum, u| sum + u * u),
            _ => 0.0,
        };
        let largest = want.iter().filter(|w| w.is_finite()).fold(0.0_f64, |most, w| most.max(w.abs()));
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            // Beyond f32 there is infinity.
            let want_finite = want.abs() <= f64::from(f32::MAX) || (*name == "value" && want.is_finite());
            let ok = match want_finite {
                true => (got - want).abs() <= 1e-7 * want.abs() + 1e-13 * (largest + whole(i)) + 1e-44,
                false => !got.is_finite(),
            };
            if !ok {
                return Err(format!("{name}[{i}]: {got:e}, not {want:e}"));
            }
        }
    }
    Ok(())
}

fn check(loss: &Loss, output: &[usize], logits: &[f32], targets: &Owned) {
    let model = only(loss.clone(), output);
    for mode in Mode::ALL {
        if model.check_mode(mode).is_err() {
            continue;
        }
        let got = host(&model, mode, logits, targets.view());
        let want = reference(&model, mode, logits, targets.view());
        difference(&got, &want).unwrap_or_else(|d| panic!("{loss:?} {mode:?} {logits:?} {targets:?}: {d}"));
    }
}

#[test]
fn every_loss_in_every_mode_on_random_logits() {
    let mut random = Rng::with_seed(1);
    for (output, batch) in
        [(vec![4], 1), (vec![4], 7), (vec![2], 3), (vec![10], 33), (vec![3, 2, 2], 5), (vec![130], 2)]
    {
        for reduction in [Reduction::Mean, Reduction::Sum] {
            for loss in losses(output[0], reduction) {
                if output.len() > 1 && matches!(loss, Loss::GaussianNll { .. }) {
                    continue;
                }
                for spread in [0.1, 3.0, 20.0] {
                    let len = batch * output.iter().product::<usize>();
                    let logits: Vec<f32> = (0..len).map(|_| (random.f32() - 0.5) * spread).collect();
                    let targets = targets(&loss, batch, &output, &mut random);
                    check(&loss, &output, &logits, &targets);
                }
            }
        }
    }
}

/// Saturated, equal, and far apart.
#[test]
fn every_loss_in_every_mode_on_extreme_logits() {
    let rows: [[f32; 4]; 16] = [
        [0.0; 4],
        [1e4, -1e4, 0.0, 5.0],
        [-1e4; 4],
        [1e4, 1e4, -1e4, 1e4],
        [-1e4, 1e4, 9_999.0, 9_990.0],
        [30.0, 0.0, -1.0, 12.0],
        [0.0, 60.0, -5.0, 2.0],
        [88.0, 0.0, 87.0, -88.0],
        [0.0, -40.0, -40.000_004, -39.999_996],
        [3.0, 70.0, 1.0, 0.5],
        [1.0, 2.0, 90.0, -200.0],
        [0.25, 0.5, 0.5, 0.0],
        [1e20, -1e20, 1e19, 0.0],
        [f32::MAX, f32::MIN, 0.0, 1.0],
        [1e-40, -1e-40, 0.0, 1e-45],
        [12.0, 12.0, -300.0, -300.0],
    ];
    let mut random = Rng::with_seed(2);
    for reduction in [Reduction::Mean, Reduction::Sum] {
        for loss in losses(4, reduction) {
            for row in rows {
                for _ in 0..4 {
                    let targets = targets(&loss, 1, &[4], &mut random);
                    check(&loss, &[4], &row, &targets);
                }
            }
            let (all, targets) = (rows.concat(), targets(&loss, rows.len(), &[4], &mut random));
            check(&loss, &[4], &all, &targets);
        }
    }
}

#[test]
fn a_single_class() {
    let loss = Loss::cross_entropy().into();
    check(&loss, &[1], &[3.0, -2.0], &Owned::Classes(vec![0, 0]));
}

/// A logit or target that is not finite spoils the loss, and the signal where it acts, as it does on a GPU.
#[test]
fn what_is_not_finite_is_told() {
    let mut random = Rng::with_seed(3);
    for loss in losses(4, Reduction::Mean) {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in 0..4 {
                let mut logits = vec![0.5, -1.0, 2.0, 0.25, 1.0, 0.0, -0.5, 3.0];
                logits[place] = bad;
                let mut targets = targets(&loss, 2, &[4], &mut random);
                if let Owned::Classes(classes) = &mut targets {
                    *classes = vec![2, 3];
                }
                let model = only(loss.clone(), &[4]);
                for mode in Mode::ALL {
                    let got = host(&model, mode, &logits, targets.view());
                    assert!(!got[0][0].is_finite(), "{loss:?} {mode:?}");
                    assert!(got[1][place].is_nan() && got[1][4..].iter().all(|g| g.is_finite()));
                    assert!(!mode.has_diagonal() || got[2][place].is_nan(), "{loss:?} {mode:?}");
                }
                if let Owned::Values(values) = &mut targets {
                    values[0] = bad;
                    let logits = [0.5, -1.0, 2.0, 0.25, 1.0, 0.0, -0.5, 3.0];
                    for mode in Mode::ALL {
                        let got = host(&model, mode, &logits, targets.view());
                        assert!(!got[0][0].is_finite() && !got[1][0].is_finite(), "{loss:?} {mode:?}");
                    }
                }
            }
        }
    }
}

/// Samples of the ignored class, known or not, add exactly 0, whatever their logits.
#[test]
fn ignored_samples_add_exactly_nothing() {
    for ignored in [1, 250] {
        let loss = Loss::SoftmaxCrossEntropy {
            targets: ClassTargets::ClassIndex,
            reduction: Reduction::Sum,
            class_weights: None,
            label_smoothing: 0.2,
            ignore_index: Some(ignored),
        };
        let model = only(loss, &[3]);
        let logits = [0.5, -1.0, 2.0, f32::INFINITY, 0.1, f32::NAN];
        for mode in Mode::ALL {
            let both = host(&model, mode, &logits, Targets::Classes(&[2, ignored]));
            let one = host(&model, mode, &logits[..3], Targets::Classes(&[2]));
            assert_eq!(both[0], one[0]);
            for (both, one) in both[1..].iter().zip(&one[1..]) {
                assert!(both[..one.len()] == *one && both[one.len()..].iter().all(|x| x.to_bits() == 0));
            }
        }
    }
}

/// The mean over a million samples is that of one.
#[test]
fn long_sums_keep_their_digits() {
    let (model, copies) = (only(Loss::cross_entropy(), &[2]), 1_000_000);
    let value = |copies| {
        let (logits, classes) = ([0.3, -0.4].repeat(copies), vec![1; copies]);
        let mut host = HostLoss::new(model.loss(), model.output_shape());
        host.run(Mode::None, &logits, Targets::Classes(&classes), None, None)
    };
    assert!((value(copies) / value(1) - 1.0).abs() < 1e-9);
}

/// The comparison fails for each number that is off by a few units of the last place, for a missing plane, for NaN.
#[test]
fn the_comparison_finds_planted_errors() {
    let model = only(Loss::cross_entropy(), &[4]);
    let (logits, targets) = ([0.5, -1.0, 2.0, 0.25], Targets::Classes(&[1]));
    let want = reference(&model, Mode::HesScaleR2, &logits, targets);
    assert_eq!(difference(&want, &want), Ok(()));
    for (part, numbers) in want.iter().enumerate() {
        for i in 0..numbers.len() {
            for planted in [numbers[i] * (1.0 + 5e-7) + 1e-12, -numbers[i], f64::NAN] {
                let mut got = want.clone();
                got[part][i] = planted;
                let zero = numbers[i] == 0.0 && planted == 0.0;
                assert!(zero || difference(&got, &want).is_err(), "{part} {i} {planted:e}");
            }
        }
        let mut short = want.clone();
        short[part].pop();
        assert!(difference(&short, &want).is_err());
    }
    // A planted error in the rule: HesScale is not BL89, a mean is no sum.
    let got = host(&model, Mode::Bl89, &logits, targets);
    assert!(difference(&got, &reference(&model, Mode::HesScale, &logits, targets)).is_err());
    let sum = only(Loss::Mse { reduction: Reduction::Sum }, &[4]);
    let values = Targets::Values(&[0.0; 4]);
    let got = host(&sum, Mode::HesScale, &logits, values);
    assert!(difference(&got, &reference(&only(Loss::mse(), &[4]), Mode::HesScale, &logits, values)).is_err());
}
