//! Losses and activations in the user's own WGSL on the CPU: by closures, or not at all.

use crate::common::own;
use crate::common::{compare, to_f64};
use crate::problem::{Problem, mlp, sample_weights};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{CustomActivation, CustomLoss, Noise};
use hesscale::reference::weighted_pass;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Error, Loss, Mode, Optimizer};

#[test]
fn they_follow_the_reference() {
    for (turn, loss) in own::losses().into_iter().enumerate() {
        let loss = vec![loss.clone(), loss.clone().sum(), loss.weighted_mean()].swap_remove(turn);
        let problem = Problem::new(mlp(&[4, 7, 6], own::softplus(), loss), [40, 1, 9][turn], 2);
        let narrow = |values: &[f64]| values.iter().map(|x| *x as f32).collect::<Vec<_>>();
        let (parameters, input) = (narrow(&problem.parameters), narrow(&problem.input));
        let (wide, far, targets) = (to_f64(&parameters), to_f64(&input), problem.targets.view());
        let weights = sample_weights(input.len() / 4, &mut fastrand::Rng::with_seed(5));
        for mode in Mode::ALL {
            let noise = Noise::default();
            let want =
                weighted_pass(&problem.model, mode, &wide, &far, targets, Some(&weights), noise).unwrap();
            let mut executor =
                Executor::new(&problem.model, weights.len(), ExecutorOptions::training(mode)).unwrap();
            let loss =
                executor.weighted_pass(mode, &parameters, &input, targets, Some(&weights), noise).unwrap();
            compare("loss", &[loss.into()], &[want.loss], 1e-4).unwrap();
            compare("gradient", &to_f64(executor.gradient()), &want.gradient, 1e-5).unwrap();
            compare("diagonal", &to_f64(executor.diagonal()), &want.diagonal, 1e-5).unwrap();
        }
    }
}

#[test]
fn without_a_closure_they_are_refused_at_once() {
    let loss = CustomLoss::elementwise("own_huber", own::HUBER).unwrap();
    let softplus = CustomActivation::new("own_softplus", own::SOFTPLUS).unwrap();
    let no_loss = mlp(&[4, 9, 6], Activation::Tanh, loss);
    let no_activation = mlp(&[4, 9, 6], softplus.into(), Loss::mse());
    let refused = |error: Error, at: &str| {
        let told =
            matches!(&error, Error::Unsupported { layer, kind } if layer == at && kind.contains("on_cpu"));
        assert!(told, "{error}");
    };
    for (model, at) in [(&no_loss, "loss"), (&no_activation, "own_softplus 1")] {
        refused(Executor::new(model, 2, ExecutorOptions::training(Mode::None)).unwrap_err(), at);
        refused(Trainer::on_cpu(model, Optimizer::sgd(0.1), TrainerOptions::default()).unwrap_err(), at);
    }
    assert!(Executor::new(&no_loss, 2, ExecutorOptions::inference()).is_ok());
    refused(Executor::new(&no_activation, 2, ExecutorOptions::inference()).unwrap_err(), "own_softplus 1");
}
