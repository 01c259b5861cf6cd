//! HesScale-S on the CPU: the reference's draws.

use crate::common::{compare, to_f64};
use crate::problem::{Problem, all_losses, mlp, sample_weights};
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::Noise;
use hesscale::reference::weighted_pass;
use hesscale::{Activation, Mode};

#[test]
fn every_loss_follows_the_reference() {
    let noise = Noise { seed: 8, step: 2 };
    for (loss, modes) in all_losses(6) {
        for mode in
            [Mode::HesScaleS1, Mode::HesScaleS2].into_iter().filter(|_| modes.contains(&Mode::HesScaleR1))
        {
            for weighted in [false, true] {
                let model = mlp(&[5, 17, 6], Activation::Tanh, loss.clone());
                let Problem { model, parameters, input, targets } = Problem::new(model, 21, 4);
                let f32s = |numbers: &[f64]| numbers.iter().map(|x| *x as f32).collect::<Vec<_>>();
                let (w, x) = (f32s(&parameters), f32s(&input));
                let weights = weighted.then(|| sample_weights(21, &mut fastrand::Rng::with_seed(5)));
                let want = weighted_pass(
                    &model,
                    mode,
                    &to_f64(&w),
                    &to_f64(&x),
                    targets.view(),
                    weights.as_deref(),
                    noise,
                );
                let want = want.unwrap();
                let threads = Threads::new(2).unwrap().least_work(1000);
                let options = ExecutorOptions::training(mode).threads(threads);
                let mut executor = Executor::new(&model, 30, options).unwrap();
                executor.weighted_pass(mode, &w, &x, targets.view(), weights.as_deref(), noise).unwrap();
                for (name, got, want) in [
                    ("gradient", executor.gradient(), &want.gradient),
                    ("diagonal", executor.diagonal(), &want.diagonal),
                ] {
                    compare(name, &to_f64(got), want, 1e-5)
                        .unwrap_or_else(|e| panic!("{loss:?} {mode:?} {weighted}: {e}"));
                }
            }
        }
    }
}
