//! Soft targets whose mass is negative, zero or mixed: every mode, on every path.

use crate::common::golden::OwnedTargets;
use crate::common::{compare, to_f64};
use crate::harness::{Sample, share_from};
use crate::nonfinite::of_classes;
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{Loss, Noise};
use hesscale::reference::{loss_and_signal, pass};
use hesscale::{Activation, Mode, Model, PlanOptions};

fn model(outputs: usize) -> Model {
    let loss = Loss::cross_entropy().soft().label_smoothing(0.1);
    Model::builder([3]).dense(8).act(Activation::Tanh).dense(outputs).loss(loss).unwrap()
}

/// Masses of −1.5, of 0, of both signs in one row, and of 1.
fn sample(outputs: usize) -> Sample {
    let mut sample = Sample::new(model(outputs), 5, 4);
    let mut targets = vec![0.0; 5 * outputs];
    for (row, masses) in
        [[-1.5, 0.0], [1.0, -1.0], [-2.0, 0.75], [2.0, -0.5], [0.25, 0.75]].into_iter().enumerate()
    {
        targets[row * outputs..][..2].copy_from_slice(&masses);
    }
    sample.targets = OwnedTargets::Values(targets);
    sample
}

/// The diagonal at the logits is m (p − p²), whatever the sign of m and however much of it vectors carry.
#[test]
fn the_diagonal_at_the_logits_follows_its_formula() {
    let (sample, outputs) = (sample(4), 4);
    let logits: Vec<f64> = (0..5 * outputs).map(|i| (i * 7 % 5) as f64 / 2.0 - 1.0).collect();
    let OwnedTargets::Values(targets) = &sample.targets else { panic!("masses") };
    for mode in [Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR1, Mode::HesScaleR2] {
        let (_, signal) = loss_and_signal(&sample.model, mode, &logits, sample.targets.view()).unwrap();
        for (row, z) in logits.chunks(outputs).enumerate() {
            let mass: f64 = targets[row * outputs..][..outputs].iter().map(|t| f64::from(*t)).sum();
            let all: f64 = z.iter().map(|z| z.exp()).sum();
            for (c, z) in z.iter().enumerate() {
                let p = z.exp() / all;
                let (got, want) = (signal.h[row * outputs + c], mass * (p - p * p) / 5.0);
                assert!((got - want).abs() < 1e-15, "{mode:?} row {row}, class {c}: {got} {want}");
                assert!(mass > 0.0 || signal.u.iter().all(|u| u[row * outputs + c] == 0.0));
            }
        }
    }
}

#[test]
fn every_path_agrees() {
    // Rows of one invocation each, and rows shared by several.
    for outputs in [4, 96] {
        let sample = sample(outputs);
        let parameters = to_f64(&sample.parameters);
        for mode in share_from(Mode::ALL, 2, outputs / 96) {
            let want =
                pass(&sample.model, mode, &parameters, &to_f64(&sample.x), sample.targets.view()).unwrap();
            let near = |what: &str, got: &[f32], want: &[f64]| {
                compare(&format!("{what} {mode:?} {outputs}"), &to_f64(got), want, 1e-5).unwrap();
            };
            let mut executor = Executor::new(&sample.model, 5, ExecutorOptions::training(mode)).unwrap();
            let loss = executor
                .pass(mode, &sample.parameters, &sample.x, sample.targets.view(), Noise::default())
                .unwrap();
            near("CPU's loss", &[loss], &[want.loss]);
            near("CPU's gradient", executor.gradient(), &want.gradient);
            near("CPU's diagonal", executor.diagonal(), &want.diagonal);
            let wholes = [false, true].into_iter().take(if outputs == 4 { 2 } else { 1 });
            let plans: Vec<_> =
                wholes.map(|whole| PlanOptions::training(mode).whole_network(whole)).collect();
            let contexts = of_classes(&sample.model, sample.batch, None, &plans);
            // In turn.
            let turn = mode.rank() + usize::from(mode.has_diagonal()) + outputs / 96;
            let context = &contexts[turn % contexts.len()];
            for options in plans {
                let got = sample.on(context, options);
                near("GPU's loss", &[got.loss], &[want.loss]);
                near("GPU's gradient", &got.gradient, &want.gradient);
                if mode.has_diagonal() {
                    near("GPU's diagonal", &got.diagonal, &want.diagonal);
                }
            }
        }
    }
}
