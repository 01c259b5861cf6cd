//! HesScale-R: the vectors carried exactly, at the loss.

use hesscale::model::{Reduction, Targets};
use hesscale::reference::{Signal, loss_and_signal};
use hesscale::{Activation, Loss, Mode, Model};

fn at_loss(loss: &Loss, mode: Mode, logits: &[f64], targets: Targets<'_>, outputs: usize) -> Signal<f64> {
    let model = Model::builder([outputs]).act(Activation::Identity).loss(loss.clone()).unwrap();
    loss_and_signal(&model, mode, logits, targets).unwrap().1
}

/// `diag p − p pᵀ` for one row of logits.
fn hessian(logits: &[f64]) -> Vec<Vec<f64>> {
    let total: f64 = logits.iter().map(|z| z.exp()).sum();
    let p: Vec<f64> = logits.iter().map(|z| z.exp() / total).collect();
    let entry = |j: usize, k: usize| if j == k { p[j] - p[j] * p[j] } else { -p[j] * p[k] };
    (0..p.len()).map(|j| (0..p.len()).map(|k| entry(j, k)).collect()).collect()
}

fn product(h: &[Vec<f64>], v: &[f64]) -> Vec<f64> {
    h.iter().map(|row| row.iter().zip(v).map(|(h, v)| h * v).sum()).collect()
}

/// The Nyström steps by the formula, on an explicit matrix.
fn nystrom(mut h: Vec<Vec<f64>>, logits: &[f64], rank: usize) -> Vec<Vec<f64>> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a])); // stable: of equals the lowest index first
    let mut found = Vec::new();
    for class in &order[..rank] {
        let e: Vec<f64> = (0..logits.len()).map(|c| f64::from(u8::from(c == *class))).collect();
        let a = product(&h, &e);
        let w = product(&h, &a);
        let scale = a.iter().zip(&w).map(|(a, w)| a * w).sum::<f64>().sqrt();
        let u: Vec<f64> = w.iter().map(|w| w / scale).collect();
        for (row, a) in h.iter_mut().zip(&u) {
            row.iter_mut().zip(&u).for_each(|(h, b)| *h -= a * b);
        }
        found.push(u);
    }
    found
}

const LOGITS: [f64; 5] = [0.5, 2.0, -1.0, 1.75, 2.0];

#[test]
fn vectors_are_those_of_the_written_out_matrix() {
    let want = nystrom(hessian(&LOGITS), &LOGITS, 2);
    for (mode, rank) in [(Mode::HesScaleR1, 1), (Mode::HesScaleR2, 2)] {
        // Two samples, mean: u carries the root of the factor.
        let rows: Vec<f64> = LOGITS.iter().chain(&LOGITS).copied().collect();
        let at = at_loss(&Loss::cross_entropy().into(), mode, &rows, Targets::Classes(&[0, 3]), 5);
        assert_eq!(at.u.len(), rank);
        for (got, want) in at.u.iter().zip(&want) {
            for (i, got) in got.iter().enumerate() {
                assert!((got - 0.5_f64.sqrt() * want[i % 5]).abs() < 1e-14);
            }
        }
        let plain =
            at_loss(&Loss::cross_entropy().into(), Mode::HesScale, &rows, Targets::Classes(&[0, 3]), 5);
        for i in 0..rows.len() {
            let square: f64 = at.u.iter().map(|u| u[i] * u[i]).sum();
            assert!((at.rest[i] + square - plain.h[i]).abs() < 1e-15 && at.rest[i] >= 0.0);
            assert!((at.h[i] - (at.rest[i] + square)).abs() < 1e-16);
        }
        assert_eq!(at.g, plain.g);
    }
}

#[test]
fn as_many_vectors_as_the_rank_are_the_whole_hessian() {
    let cases: [(Mode, &[f64]); 4] = [
        (Mode::HesScaleR1, &[0.3, -1.0]),
        (Mode::HesScaleR2, &[0.3, -1.0, 2.0]),
        (Mode::HesScaleR2, &[12.0, -12.0, 3.0]),
        (Mode::HesScaleR2, &[1.0, 1.0, 1.0]),
    ];
    for (mode, logits) in cases {
        let at = at_loss(&Loss::cross_entropy().into(), mode, logits, Targets::Classes(&[0]), logits.len());
        for (j, row) in hessian(logits).iter().enumerate() {
            for (k, want) in row.iter().enumerate() {
                let got: f64 = at.u.iter().map(|u| u[j] * u[k]).sum();
                assert!((got - want).abs() < 1e-14, "{logits:?} [{j}, {k}]: {got} {want}");
            }
        }
        assert!(at.rest.iter().all(|h| *h < 1e-14));
    }
}

/// Two classes have no second direction: the remainder after the first is rounding error and must not be amplified.
#[test]
fn rounding_is_no_direction() {
    let mut random = fastrand::Rng::with_seed(4);
    let model = Model::builder([2]).act(Activation::Identity).loss(Loss::cross_entropy()).unwrap();
    for _ in 0..1_000 {
        let logits = [random.f32() * 8.0 - 4.0, random.f32() * 8.0 - 4.0];
        let at = loss_and_signal(&model, Mode::HesScaleR2, &logits, Targets::Classes(&[0])).unwrap().1;
        assert_eq!(at.u[1], [0.0, 0.0], "{logits:?}");
        let logits = logits.map(f64::from);
        let at = loss_and_signal(&model, Mode::HesScaleR2, &logits, Targets::Classes(&[0])).unwrap().1;
        assert_eq!(at.u[1], [0.0, 0.0], "{logits:?}");
    }
}

#[test]
fn what_is_left_stays_positive_semi_definite() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..200 {
        let logits: Vec<f64> = (0..6).map(|_| random.f64() * 16.0 - 8.0).collect();
        let at = at_loss(&Loss::cross_entropy().into(), Mode::HesScaleR2, &logits, Targets::Classes(&[0]), 6);
        let v: Vec<f64> = (0..6).map(|_| random.f64() * 2.0 - 1.0).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let whole = dot(&v, &product(&hessian(&logits), &v));
        let carried: f64 = at.u.iter().map(|u| dot(u, &v).powi(2)).sum();
        assert!(whole - carried >= -1e-14 * whole, "{logits:?}: {whole} {carried}");
    }
}

#[test]
fn diagonal_curvature_gives_its_largest_entries() {
    let bce = Loss::BceWithLogits { reduction: Reduction::Sum, pos_weight: None };
    let logits = [3.0, 0.5, -0.25, 0.5, -4.0];
    let targets = Targets::Values(&[0.0; 5]);
    let plain = at_loss(&bce, Mode::HesScale, &logits, targets, 5).h;
    let at = at_loss(&bce, Mode::HesScaleR2, &logits, targets, 5);
    // The largest σσ̄ is that of −0.25; then the first of the two equal ones.
    let expected = |class: usize| (0..5).map(move |i| if i == class { plain[i].sqrt() } else { 0.0 });
    assert!(expected.clone()(2).eq(at.u[0].iter().copied()) && expected(1).eq(at.u[1].iter().copied()));
    assert_eq!((at.rest[1], at.rest[2]), (0.0, 0.0));
    assert!(at.rest[0] > 0.0 && at.rest[3] > 0.0 && at.rest[4] > 0.0);

    // A Gaussian's variance head can curve downwards: never a vector, always part of the rest.
    let var = hesscale::model::Variance::Softplus;
    let gaussian = Loss::GaussianNll { reduction: Reduction::Sum, var };
    let at = at_loss(&gaussian, Mode::HesScaleR2, &[0.0, 0.5], Targets::Values(&[0.0]), 2);
    assert!(at.u[0][0] > 0.0 && at.u[1] == [0.0, 0.0] && at.rest[0] == 0.0 && at.rest[1] < 0.0);
}
