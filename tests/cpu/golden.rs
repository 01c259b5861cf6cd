//! Every golden case in every mode, tensor by tensor, within 1e-5 relative max-norm, by one thread and by three.
//!
//! Plain f32 loops also have errors of 9e-6 on these vectors, where the sums of biases cancel. `layers` tests forced splitting of
//! small problems across threads.

use crate::common::golden::{Case, directory, directory_of_losses, load};
use crate::common::ledger::Ledger;
use crate::common::to_f64;
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::Noise;
use hesscale::{At, Mode, Model};

fn check(ledger: &mut Ledger, case: &Case, model: &Model, mode: Mode, options: ExecutorOptions) {
    let mut executor = Executor::new(model, case.batch, options).unwrap();
    let (targets, weights, noise) = (case.targets.view(), case.weights.as_deref(), Noise::default());
    let loss = executor.weighted_pass(mode, &case.parameters, &case.x, targets, weights, noise).unwrap();
    ledger.check(case, "loss", &[loss.into()]);
    ledger.check(case, "logits", &to_f64(executor.logits()));
    ledger.check_flat(case, model, "grad", &to_f64(executor.gradient()));
    if mode.has_diagonal() {
        ledger.check_flat(case, model, mode.name(), &to_f64(executor.diagonal()));
    }
    let signals = (0..model.layers().len()).map(|layer| executor.signal(At::Layer(layer)));
    for (layer, signal) in signals.enumerate().filter(|_| case.tensors.contains_key("delta.0")) {
        let Ok((g, d)) = signal else { continue };
        ledger.check(case, &format!("delta.{layer}"), &to_f64(&g));
        match mode {
            Mode::HesScale => ledger.check(case, &format!("s.{layer}"), &to_f64(&d)),
            Mode::HesScaleGn => ledger.check(case, &format!("s_gn.{layer}"), &to_f64(&d)),
            _ => {}
        }
    }
}

fn every_layer(options: ExecutorOptions, model: &Model) -> ExecutorOptions {
    (0..model.layers().len()).fold(options, |options, layer| options.signal(At::Layer(layer)))
}

#[test]
fn all_cases_in_every_mode() {
    let mut ledger = Ledger::new(1e-5);
    let cases = load(&directory()).unwrap();
    assert_eq!(cases.len(), 24);
    for case in cases.into_iter().map(Result::unwrap) {
        let model = case.model.clone().unwrap();
        for mode in Mode::ALL {
            for threads in [1, 3] {
                let threads = Threads::new(threads).unwrap();
                let options = ExecutorOptions::training(mode).threads(threads);
                check(&mut ledger, &case, &model, mode, options.clone());
                check(&mut ledger, &case, &model, mode, every_layer(options, &model));
            }
        }
        let mut executor = Executor::new(&model, case.batch, ExecutorOptions::inference()).unwrap();
        ledger.check(&case, "logits", &to_f64(executor.predict(&case.parameters, &case.x).unwrap()));
    }
    assert!(["delta", "s", "s_gn", "hesscale_r2"].iter().all(|kind| ledger.worst.contains_key(*kind)));
    ledger.settle();
}

#[test]
fn all_losses() {
    let mut ledger = Ledger::new(1e-5);
    let cases = load(&directory_of_losses()).unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases.into_iter().map(Result::unwrap) {
        let model = case.model.clone().unwrap();
        for (mode, threads) in
            [Mode::None, Mode::HesScale, Mode::HesScaleGn].into_iter().flat_map(|mode| [(mode, 1), (mode, 3)])
        {
            let options = ExecutorOptions::training(mode).threads(Threads::new(threads).unwrap());
            check(&mut ledger, &case, &model, mode, options);
        }
    }
    ledger.settle();
}
