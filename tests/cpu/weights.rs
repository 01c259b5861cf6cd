//! Weights of samples against the reference.

use crate::common::{compare, to_f64};
use crate::problem::{Problem, all_losses, mlp, sample_weights};
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::Noise;
use hesscale::reference::weighted_pass;
use hesscale::{Activation, Error, Loss, Mode};

#[test]
fn every_loss_in_every_mode() {
    for (turn, (loss, modes)) in all_losses(6).enumerate() {
        for batch in [1, 40, 257] {
            let problem = Problem::new(mlp(&[4, 7, 6], Activation::Tanh, loss.clone()), batch, turn as u64);
            let weights = sample_weights(batch, &mut fastrand::Rng::with_seed(turn as u64));
            let narrow = |values: &[f64]| values.iter().map(|x| *x as f32).collect::<Vec<_>>();
            let (parameters, input) = (narrow(&problem.parameters), narrow(&problem.input));
            let (wide, far) = (to_f64(&parameters), to_f64(&input));
            let targets = problem.targets.view();
            for mode in &modes {
                for weights in [None, Some(&weights[..])] {
                    let want =
                        weighted_pass(&problem.model, *mode, &wide, &far, targets, weights, Noise::default());
                    let want = want.unwrap();
                    let options = ExecutorOptions::training(*mode).threads(Threads::new(2).unwrap());
                    let mut executor = Executor::new(&problem.model, batch, options).unwrap();
                    let noise = Noise::default();
                    let loss =
                        executor.weighted_pass(*mode, &parameters, &input, targets, weights, noise).unwrap();
                    let near = |what: &str, got: &[f32], want: &[f64]| {
                        let fault = compare(what, &to_f64(got), want, 1e-5);
                        fault.unwrap_or_else(|e| panic!("{:?} {mode:?} {batch}: {e}", problem.model.loss()));
                    };
                    near("loss", &[loss], &[want.loss]);
                    near("gradient", executor.gradient(), &want.gradient);
                    near("diagonal", executor.diagonal(), &want.diagonal);
                }
            }
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let problem = Problem::new(mlp(&[3, 2], Activation::Tanh, Loss::mse()), 2, 1);
    let mut executor = Executor::new(&problem.model, 2, ExecutorOptions::training(Mode::None)).unwrap();
    let (parameters, input) = (vec![0.0; problem.parameters.len()], [0.0; 6]);
    let mut run = |weights| {
        let targets = problem.targets.view();
        executor.weighted_pass(Mode::None, &parameters, &input, targets, Some(weights), Noise::default())
    };
    let length = Error::Length { tensor: "sample weights".into(), got: 3, needed: 2 };
    assert_eq!(run(&[1.0; 3]), Err(length));
    assert!(matches!(run(&[f32::NAN, 1.0]), Err(Error::Value { place, .. }) if place == "sample 0"));
}
