//! The CPU's losses beside the reference in f64.

use super::{HostLoss, HostWeights, LossSignal};
use crate::model::{Activation, ClassTargets, Loss, Mode, Model, Noise, Reduction, Targets, Variance};
use crate::reference::weighted_loss_and_signal;
use fastrand::Rng;

const NOISE: Noise = Noise { seed: 3, step: 5 };

fn modes() -> impl Iterator<Item = Mode> {
    Mode::ALL.into_iter().chain([Mode::HesScaleS1, Mode::HesScaleS2])
}

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
    losses.extend([Loss::Huber { reduction, delta: 0.7 }, Loss::L1 { reduction }]);
    losses.push(Loss::RelativeMse { reduction, eps: 0.01 });
    losses.push(Loss::BceWithLogits { reduction, pos_weight: Some(weights) });
    for entropy in [0.0, 0.03] {
        losses.push(Loss::PpoDiscrete { reduction, clip: 0.2, entropy });
        losses.push(Loss::PpoGaussian { reduction, clip: 0.2, entropy });
    }
    losses
}

fn is_policy(loss: &Loss) -> bool {
    matches!(loss, Loss::PpoDiscrete { .. } | Loss::PpoGaussian { .. })
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
        Loss::PpoDiscrete { .. } => {
            let row = |random: &mut Rng| {
                let action = random.u32(0..output[0] as u32) as f32;
                [action, random.f32() * -3.0, random.f32() * 4.0 - 2.0]
            };
            Owned::Values((0..batch).flat_map(|_| row(random)).collect())
        }
        _ => Owned::Values((0..len).map(|_| random.f32()).collect()),
    }
}

/// Value and planes by one path: `[value]`, g, h, and the vectors u.
type Results = Vec<Vec<f64>>;

fn host(model: &Model, mode: Mode, logits: &[f32], targets: Targets<'_>) -> Results {
    weighted_host(model, mode, logits, targets, None)
}

fn weighted_host(
    model: &Model,
    mode: Mode,
    logits: &[f32],
    targets: Targets<'_>,
    weights: Option<&[f32]>,
) -> Results {
    let plane = |there: bool| vec![f32::MAX; if there { logits.len() } else { 0 }];
    let (mut g, mut h) = (plane(true), plane(mode.has_diagonal()));
    let mut u = [plane(mode.rank() > 0), plane(mode.rank() > 1)];
    let mut host = HostLoss::new(model.loss(), model.output_shape());
    let [u1, u2] = &mut u;
    let signal = LossSignal { g: &mut g, h: &mut h, u: [u1, u2] };
    let weights = HostWeights::from(weights);
    let value = host.run((mode, NOISE), logits, targets, weights, Some(signal));
    // The scratch memory is used again, and the value does not depend on whether a signal is wanted.
    let again = host.run((mode, NOISE), logits, targets, weights, None);
    assert_eq!(value.to_bits(), again.to_bits());
    let [u1, u2] = u;
    let planes = [g, h, u1, u2].into_iter().map(|plane| plane.into_iter().map(f64::from).collect());
    [vec![value]].into_iter().chain(planes).collect()
}

fn reference(model: &Model, mode: Mode, logits: &[f32], targets: Targets<'_>) -> Results {
    weighted_reference(model, mode, logits, targets, None)
}

fn weighted_reference(
    model: &Model,
    mode: Mode,
    logits: &[f32],
    targets: Targets<'_>,
    weights: Option<&[f32]>,
) -> Results {
    let logits: Vec<f64> = logits.iter().map(|z| f64::from(*z)).collect();
    let (value, signal) = weighted_loss_and_signal(model, mode, &logits, targets, weights, NOISE).unwrap();
    let h = signal.diagonal().to_vec();
    let mut results = vec![vec![value], signal.g, h];
    results.extend(signal.u);
    results.resize(5, Vec::new());
    results
}

/// What differs by more than rounding to f32, number by number; what is not finite on one path must not be on the other.
/// Where large terms cancel, f64 leaves an error of its own, in proportion to the plane's largest number; of h beside vectors,
/// in proportion to the whole diagonal, and of a vector behind another, which may be a difference, to that one.
fn difference(got: &Results, want_all: &Results) -> Result<(), String> {
    for (name, (got, want)) in ["value", "g", "h", "u1", "u2"].iter().zip(got.iter().zip(want_all)) {
        if got.len() != want.len() {
            return Err(format!("{name} has {} numbers, not {}", got.len(), want.len()));
        }
        let vectors = |i: usize| want_all[3..].iter().filter_map(move |plane| plane.get(i));
        let whole = |i: usize| match *name {
            "h" => vectors(i).fold(0.0, |sum, u| sum + u * u),
            "u2" => vectors(i).fold(0.0, |sum, u| sum + u.abs()),
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

/// In every mode, without weights of samples and with some of both signs and 0.
fn check(loss: &Loss, output: &[usize], logits: &[f32], targets: &Owned) {
    let model = only(loss.clone(), output);
    let batch = logits.len() / model.outputs();
    let weights: Vec<f32> = (0..batch).map(|n| [1.5, -0.75, 0.0, 2.5][n % 4]).collect();
    for (mode, weights) in modes().flat_map(|mode| [(mode, None), (mode, Some(&weights[..]))]) {
        if model.check_mode(mode).is_err() {
            continue;
        }
        let got = weighted_host(&model, mode, logits, targets.view(), weights);
        let want = weighted_reference(&model, mode, logits, targets.view(), weights);
        difference(&got, &want)
            .unwrap_or_else(|d| panic!("{loss:?} {mode:?} {weights:?} {logits:?} {targets:?}: {d}"));
    }
}

#[test]
fn every_loss_in_every_mode_on_random_logits() {
    let mut random = Rng::with_seed(1);
    for (output, batch) in
        [(vec![4], 1), (vec![4], 7), (vec![2], 3), (vec![10], 33), (vec![3, 2, 2], 5), (vec![130], 2)]
    {
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::WeightedMean] {
            for loss in losses(output[0], reduction) {
                if output.len() > 1 && (is_policy(&loss) || matches!(loss, Loss::GaussianNll { .. })) {
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
                let modes = || modes().filter(|mode| model.check_mode(*mode).is_ok());
                for mode in modes() {
                    let got = host(&model, mode, &logits, targets.view());
                    assert!(!got[0][0].is_finite(), "{loss:?} {mode:?}");
                    let spoilt = if is_policy(&loss) { 0..4 } else { place..place + 1 };
                    assert!(
                        got[1][spoilt].iter().all(|g| g.is_nan())
                            && got[1][4..].iter().all(|g| g.is_finite())
                    );
                    assert!(!mode.has_diagonal() || got[2][place].is_nan(), "{loss:?} {mode:?}");
                }
                if let Owned::Values(values) = &mut targets {
                    // The advantage of a policy's action, or the first number.
                    let width = values.len() / 2;
                    values[if is_policy(&loss) { width - 1 } else { 0 }] = bad;
                    let logits = [0.5, -1.0, 2.0, 0.25, 1.0, 0.0, -0.5, 3.0];
                    for mode in modes() {
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
        for mode in modes() {
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
        host.run((Mode::None, NOISE), &logits, Targets::Classes(&classes), HostWeights::default(), None)
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

/// A negative weight turns everything round, and takes curvature with it: what was positive has no vectors any more, and what was
/// negative has.
#[test]
fn a_weight_multiplies_before_vectors_are_chosen() {
    let mut random = Rng::with_seed(4);
    for loss in losses(4, Reduction::Sum).into_iter().filter(|loss| !is_policy(loss)) {
        let model = only(loss.clone(), &[4]);
        let targets = targets(&loss, 1, &[4], &mut random);
        let logits = [0.5, -1.0, 2.0, -0.25];
        let of = |mode, weight: f32| weighted_host(&model, mode, &logits, targets.view(), Some(&[weight]));
        let (plain, turned) = (of(Mode::HesScale, 1.0), of(Mode::HesScale, -2.0));
        for (one, other) in plain.iter().flatten().zip(turned.iter().flatten()) {
            assert!((-2.0 * one - other).abs() <= 1e-6 * other.abs(), "{loss:?}: {one} {other}");
        }
        let turned = of(Mode::HesScaleR1, -2.0);
        let whole = |i: usize| turned[2][i] + turned[3][i] * turned[3][i];
        for i in 0..4 {
            let want = -2.0 * plain[2][i];
            assert!((whole(i) - want).abs() <= 1e-6 * want.abs(), "{loss:?}: {} {want}", whole(i));
            assert!(turned[3][i] == 0.0 || want > 0.0, "{loss:?}");
        }
    }
}

/// PyTorch's mean: class weights and sample weights in the divisor, of samples that are not ignored.
#[test]
fn a_weighted_mean_by_hand() {
    let loss = Loss::cross_entropy().class_weights([1.0, 2.0, 4.0]).ignore_index(0).weighted_mean();
    let model = only(loss, &[3]);
    let logits = [0.5, -1.0, 2.0, 0.25, 1.5, -0.5, 3.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let of = |class: u32, row: usize| {
        let one = only(Loss::cross_entropy(), &[3]);
        host(&one, Mode::None, &logits[3 * row..][..3], Targets::Classes(&[class]))[0][0]
    };
    let classes = Targets::Classes(&[1, 0, 2, 1]);
    let got = host(&model, Mode::None, &logits, classes)[0][0];
    let want = (2.0 * of(1, 0) + 4.0 * of(2, 2) + 2.0 * of(1, 3)) / 8.0;
    assert!((got - want).abs() < 1e-12, "{got} {want}");
    let got = weighted_host(&model, Mode::None, &logits, classes, Some(&[0.5, 9.0, 1.0, -1.0]))[0][0];
    let want = (of(1, 0) + 4.0 * of(2, 2) - 2.0 * of(1, 3)) / 3.0;
    assert!((got - want).abs() < 1e-12, "{got} {want}");
    // Nothing that counts, and weights that cancel.
    let none = host(&model, Mode::HesScaleR1, &logits, Targets::Classes(&[0; 4]));
    let cancelling = Some(&[1.0, 1.0, -0.5, 0.0][..]);
    let cancelled = weighted_host(&model, Mode::HesScaleR1, &logits, classes, cancelling);
    assert!(none.iter().chain(&cancelled).flatten().all(|x| *x == 0.0));
}

/// An old log-probability so low that the ratio overflows: held at e^80, finite, and loud if its product is not.
#[test]
fn ratios_that_overflow_are_held() {
    let loss = Loss::ppo_discrete(0.2, 0.0);
    let model = only(loss.clone(), &[3]);
    for (old, advantage) in [(-1e30, -1.0), (-1e30, 1.0), (-90.0, -3.0), (1e30, 1.0), (1e30, -1.0)] {
        let targets = Owned::Values(vec![1.0, old, advantage]);
        for logits in [[100.0, -100.0, 0.0], [0.1, 0.2, 0.3], [-100.0, 100.0, 100.0]] {
            let got = host(&model, Mode::HesScale, &logits, targets.view());
            assert!(got.iter().flatten().all(|x| x.is_finite()), "{old} {advantage} {logits:?}: {got:?}");
            check(&loss, &[3], &logits, &targets);
        }
    }
    let held = host(&model, Mode::None, &[0.0; 3], Targets::Values(&[1.0, -200.0, -1.0]))[0][0];
    assert!((held / 80.0_f64.exp() - 1.0).abs() < 1e-12);
}
