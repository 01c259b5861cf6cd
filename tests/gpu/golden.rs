//! Every golden case, modes in turn, tensor by tensor, within 1e-5 relative max-norm; in every mode but on a spared adapter.

use crate::common::golden::{Case, directory, load};
use crate::common::ledger::Ledger;
use crate::common::to_f64;
use crate::harness::{checked_context, context, run, run_with_signals, share, share_from};
use hesscale::{Context, Mode, Model, PlanOptions};

const BOUND: f64 = 1e-5;

pub(crate) fn cases() -> Vec<(Case, Model)> {
    let read = load(&directory()).unwrap().into_iter().map(|case| case.unwrap());
    read.filter_map(|case| case.model.clone().ok().map(|model| (case, model))).collect()
}

/// Everything the file has of what one mode computes.
pub(crate) fn check(ledger: &mut Ledger, context: &Context, case: &Case, model: &Model, mode: Mode) {
    let outcome =
        run_with_signals(context, model, mode, &case.parameters, &case.x, case.targets.view()).unwrap();
    ledger.check(case, "loss", &[outcome.loss.into()]);
    ledger.check(case, "logits", &to_f64(&outcome.logits));
    ledger.check_flat(case, model, "grad", &to_f64(&outcome.gradient));
    if mode.has_diagonal() {
        ledger.check_flat(case, model, mode.name(), &to_f64(&outcome.diagonal));
    }
    if case.tensors.contains_key("delta.0") {
        for (i, (g, d)) in outcome.signals.iter().enumerate() {
            ledger.check(case, &format!("delta.{i}"), &to_f64(g));
            match mode {
                Mode::HesScale => ledger.check(case, &format!("s.{i}"), &to_f64(d)),
                Mode::HesScaleGn => ledger.check(case, &format!("s_gn.{i}"), &to_f64(d)),
                _ => {}
            }
        }
    }
    if matches!(mode, Mode::HesScaleR1 | Mode::Bl89) {
        return;
    }
    // The same without requesting signals, so that everything possible is fused.
    let fused =
        run(context, model, PlanOptions::training(mode), &case.parameters, &case.x, case.targets.view());
    let fused = fused.unwrap();
    ledger.check_flat(case, model, "grad", &to_f64(&fused.gradient));
    if mode.has_diagonal() {
        ledger.check_flat(case, model, mode.name(), &to_f64(&fused.diagonal));
    }
}

#[test]
fn all_cases() {
    let mut ledger = Ledger::new(BOUND);
    let cases = cases();
    assert_eq!(cases.len(), 24);
    for (turn, (case, model)) in cases.iter().enumerate() {
        // Of the modes with vectors u one, and of the others two.
        let (carrying, others): (Vec<_>, Vec<_>) = Mode::ALL.into_iter().partition(|mode| mode.rank() > 0);
        let each = carrying.len();
        for mode in share_from(carrying, each, turn).chain(share_from(others, 2, turn)) {
            check(&mut ledger, &context(), case, model, mode);
        }
    }
    ledger.settle();
}

#[test]
fn all_cases_with_run_time_checks() {
    let mut ledger = Ledger::new(BOUND);
    // The mode with the most components has every access to memory. Checks make other shaders of all.
    for (case, model) in share(&cases(), 6) {
        check(&mut ledger, &checked_context(), case, model, Mode::HesScaleR2);
    }
    ledger.settle();
}

/// In the same mode.
#[test]
#[ignore = "for an adapter beside the one that runs all tests"]
fn all_cases_on_a_second_adapter() {
    let mut ledger = Ledger::new(BOUND);
    for (case, model) in &cases() {
        check(&mut ledger, &context(), case, model, Mode::HesScaleR2);
    }
    ledger.settle();
}
