//! Every case of the golden vectors, tensor by tensor.

use crate::common::golden::{Case, directory, directory_of_losses, load};
use crate::common::ledger::Ledger;
use crate::common::to_f64;
use hesscale::model::Noise;
use hesscale::reference::{Real, exact_ggn_diagonal, exact_hessian_diagonal, pass, weighted_pass};
use hesscale::{Mode, Model};

/// Loss, logits, gradient, the diagonals of all modes, and the signals if the file has them.
fn check_passes<T: Real + Into<f64>>(ledger: &mut Ledger, case: &Case, model: &Model) {
    let number = |x: &f32| T::from_f64(f64::from(*x));
    let parameters: Vec<T> = case.parameters.iter().map(number).collect();
    let input: Vec<T> = case.x.iter().map(number).collect();
    for mode in Mode::ALL {
        let pass = pass(model, mode, &parameters, &input, case.targets.view()).unwrap();
        ledger.check(case, "loss", &[pass.loss.into()]);
        ledger.check(case, "logits", &to_f64(&pass.logits));
        ledger.check_flat(case, model, "grad", &to_f64(&pass.gradient));
        if mode.has_diagonal() {
            ledger.check_flat(case, model, mode.name(), &to_f64(&pass.diagonal));
        }
        // The largest dense case leaves its signals out.
        if case.tensors.contains_key("delta.0") {
            for (i, signal) in pass.signals.iter().enumerate() {
                ledger.check(case, &format!("delta.{i}"), &to_f64(&signal.g));
                match mode {
                    Mode::HesScale => ledger.check(case, &format!("s.{i}"), &to_f64(&signal.h)),
                    Mode::HesScaleGn => ledger.check(case, &format!("s_gn.{i}"), &to_f64(&signal.h)),
                    _ => {}
                }
            }
        }
    }
}

/// The exact Hessian diagonal and the exact GGN diagonal.
fn check_exact(ledger: &mut Ledger, case: &Case, model: &Model) {
    let (parameters, input) = (to_f64(&case.parameters), to_f64(&case.x));
    let hess = exact_hessian_diagonal(model, &parameters, &input, case.targets.view()).unwrap();
    ledger.check_flat(case, model, "hess", &hess);
    let ggn = exact_ggn_diagonal(model, &parameters, &input, case.targets.view()).unwrap();
    ledger.check_flat(case, model, "ggn", &ggn);
}

fn cases() -> Vec<Case> {
    load(&directory()).unwrap().into_iter().map(|case| case.unwrap()).collect()
}

#[test]
fn all_cases_in_f64_to_1e_11() {
    let mut ledger = Ledger::new(1e-11);
    for case in cases() {
        let model = case.model.as_ref().unwrap();
        check_passes::<f64>(&mut ledger, &case, model);
        check_exact(&mut ledger, &case, model);
    }
    ledger.settle();
}

#[test]
fn all_cases_in_f32_to_1e_5() {
    let mut ledger = Ledger::new(1e-5);
    for case in cases() {
        check_passes::<f32>(&mut ledger, &case, case.model.as_ref().unwrap());
    }
    ledger.settle();
}

#[test]
fn no_case_is_passed_over() {
    let cases = cases();
    assert_eq!(cases.len(), 24);
    for case in &cases {
        assert!(case.model.is_ok(), "{}: {:?}", case.name, case.model);
    }
    // The largest dense case leaves its signals out.
    let with_signals = cases.iter().filter(|case| case.tensors.contains_key("delta.0"));
    assert_eq!(with_signals.count(), 23);
}

/// The vectors of further losses: Gauss-Newton and HesScale, with g and h at the outputs.
fn check_losses<T: Real + Into<f64>>(bound: f64) {
    let mut ledger = Ledger::new(bound);
    let cases = load(&directory_of_losses()).unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases.into_iter().map(Result::unwrap) {
        let model = case.model.as_ref().unwrap();
        let number = |x: &f32| T::from_f64(f64::from(*x));
        let parameters: Vec<T> = case.parameters.iter().map(number).collect();
        let input: Vec<T> = case.x.iter().map(number).collect();
        let (targets, weights) = (case.targets.view(), case.weights.as_deref());
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleGn] {
            let pass = weighted_pass(model, mode, &parameters, &input, targets, weights, Noise::default());
            let pass = pass.unwrap();
            ledger.check(&case, "loss", &[pass.loss.into()]);
            ledger.check(&case, "logits", &to_f64(&pass.logits));
            ledger.check(&case, "delta.4", &to_f64(&pass.signals[4].g));
            ledger.check_flat(&case, model, "grad", &to_f64(&pass.gradient));
            if mode.has_diagonal() {
                ledger.check(&case, "s.4", &to_f64(&pass.signals[4].h));
                ledger.check_flat(&case, model, mode.name(), &to_f64(&pass.diagonal));
            }
        }
    }
    ledger.settle();
}

#[test]
fn all_losses_in_f64_to_1e_11() {
    check_losses::<f64>(1e-11);
}

#[test]
fn all_losses_in_f32_to_1e_5() {
    check_losses::<f32>(1e-5);
}
