//! Activations that are kept on the CPU: every layer's, beside the reference.

use crate::common::{compare, to_f64};
use crate::layers::{BOUND, branches, image};
use crate::problem::Problem;
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{MaxPool2d, Noise};
use hesscale::reference::forward;
use hesscale::{Activation, At, Error, Loss, Mode, Model};

fn models() -> Vec<Model> {
    let blocks = image(4).residual(|b| b.conv2d(4, 1).act(Activation::Tanh)).layer(MaxPool2d::new(2));
    let rows = Model::builder([6]).dense(9).act(Activation::Relu).layer_norm().dense(3);
    let branches = branches().into_iter().map(|(_, builder)| builder);
    branches.chain([blocks.flatten().dense(5), rows]).map(|b| b.loss(Loss::mse()).unwrap()).collect()
}

/// Each by itself and all together, in training and in prediction.
#[test]
fn they_are_those_of_the_reference() {
    for model in models() {
        let problem = Problem::new(model, 3, 2);
        let [parameters, x] =
            [&problem.parameters, &problem.input].map(|x| x.iter().map(|x| *x as f32).collect::<Vec<_>>());
        let want = forward(&problem.model, &problem.parameters, &problem.input).unwrap();
        let places: Vec<At> = (0..want.len()).map(At::Layer).chain([At::Input]).collect();
        let ways = places.iter().map(|at| vec![*at]).chain([places.clone()]);
        for (asked, mode) in ways.flat_map(|asked| [(asked.clone(), None), (asked, Some(Mode::HesScale))]) {
            let options = mode.map_or_else(ExecutorOptions::inference, ExecutorOptions::training);
            let options = asked.iter().fold(options, |options, at| options.activation(*at));
            let mut executor = Executor::new(&problem.model, 5, options).unwrap();
            match mode {
                None => drop(executor.predict(&parameters, &x).unwrap().to_vec()),
                Some(mode) => {
                    let (targets, noise) = (problem.targets.view(), Noise::default());
                    executor.pass(mode, &parameters, &x, targets, noise).unwrap();
                }
            }
            for at in asked {
                let want = match at {
                    At::Input => &problem.input,
                    At::Layer(layer) => &want[layer],
                };
                let what = format!("{mode:?} {at:?} of {}", problem.model.to_json());
                compare(&what, &to_f64(&executor.activation(at).unwrap()), want, BOUND).unwrap();
            }
        }
    }
}

#[test]
fn what_was_not_asked_for_is_not_kept() {
    let model = Model::builder([3]).dense(4).dense(2).loss(Loss::mse()).unwrap();
    let executor = Executor::new(&model, 2, ExecutorOptions::inference().activation(At::Layer(0))).unwrap();
    let missing = executor.activation(At::Layer(1)).unwrap_err();
    assert!(matches!(&missing, Error::NotPlanned { .. }) && missing.to_string().contains("activation"));
    let unknown = Executor::new(&model, 2, ExecutorOptions::inference().activation(At::Layer(2)));
    assert!(matches!(unknown, Err(Error::Unknown { .. })));
}
