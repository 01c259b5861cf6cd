//! Every golden case in every mode, tensor by tensor, within 1e-5 relative max-norm.

use crate::common::golden::{Case, directory, load};
use crate::common::ledger::Ledger;
use crate::common::to_f64;
use crate::harness::{checked_context, context, run, run_with_signals};
use hesscale::{Context, Mode, Model, PlanOptions};

const BOUND: f64 = 1e-5;

fn cases() -> Vec<(Case, Model)> {
    let read = load(&directory()).unwrap().into_iter().map(|case| case.unwrap());
    read.filter_map(|case| case.model.clone().ok().map(|model| (case, model))).collect()
}

/// Everything the file has of what one mode computes.
fn check(ledger: &mut Ledger, context: &Context, case: &Case, model: &Model, mode: Mode) {
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
    // The same without asking for signals, so that everything is fused that can be.
    let fused =
        run(context, model, PlanOptions::training(mode), &case.parameters, &case.x, case.targets.view());
    let fused = fused.unwrap();
    ledger.check_flat(case, model, "grad", &to_f64(&fused.gradient));
    if mode.has_diagonal() {
        ledger.check_flat(case, model, mode.name(), &to_f64(&fused.diagonal));
    }
}

#[test]
fn all_cases_in_every_mode() {
    let mut ledger = Ledger::new(BOUND);
    let cases = cases();
    assert_eq!(cases.len(), 18);
    for (case, model) in &cases {
        for mode in Mode::ALL {
            check(&mut ledger, &context(), case, model, mode);
        }
    }
    ledger.settle();
}

#[test]
fn all_cases_with_run_time_checks() {
    let mut ledger = Ledger::new(BOUND);
    for (case, model) in &cases() {
        for mode in [Mode::HesScale, Mode::HesScaleR2] {
            check(&mut ledger, &checked_context(), case, model, mode);
        }
    }
    ledger.settle();
}

#[test]
fn zz_dump() {
    for (case, model) in &cases() {
        if !case.name.contains("allcnnc") {
            continue;
        }
        let mode = Mode::HesScale;
        let outcome =
            run_with_signals(&context(), model, mode, &case.parameters, &case.x, case.targets.view())
                .unwrap();
        let p64: Vec<f64> = to_f64(&case.parameters);
        let x64: Vec<f64> = to_f64(&case.x);
        let want = hesscale::reference::pass(model, mode, &p64, &x64, case.targets.view()).unwrap();
        let x: Vec<f32> = case.x.clone();
        let f = hesscale::reference::pass(model, mode, &case.parameters, &x, case.targets.view()).unwrap();
        for (i, (g, d)) in outcome.signals.iter().enumerate() {
            println!(
                "{} {i} g {:.2e} h {:.2e}   f32ref g {:.2e} h {:.2e}",
                case.name,
                crate::common::relative_max_norm(&to_f64(g), &want.signals[i].g),
                crate::common::relative_max_norm(&to_f64(d), &want.signals[i].h),
                crate::common::relative_max_norm(&to_f64(&f.signals[i].g), &want.signals[i].g),
                crate::common::relative_max_norm(&to_f64(&f.signals[i].h), &want.signals[i].h),
            );
        }
        for p in model.parameters() {
            println!(
                "{} grad {:.2e} diag {:.2e} f32 {:.2e} {:.2e}",
                p.name(),
                crate::common::relative_max_norm(
                    &to_f64(&outcome.gradient[p.range()]),
                    &want.gradient[p.range()]
                ),
                crate::common::relative_max_norm(
                    &to_f64(&outcome.diagonal[p.range()]),
                    &want.diagonal[p.range()]
                ),
                crate::common::relative_max_norm(&to_f64(&f.gradient[p.range()]), &want.gradient[p.range()]),
                crate::common::relative_max_norm(&to_f64(&f.diagonal[p.range()]), &want.diagonal[p.range()])
            );
        }
    }
}
