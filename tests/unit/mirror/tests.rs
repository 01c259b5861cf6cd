//! On the GPU and on the CPU it does what the reference does.

use crate::model::{Init, Targets};
use crate::portability::common::tiles;
use crate::reference;
use crate::tuning::DeviceClass;
use crate::{Activation, Context, ContextOptions, Layer, Loss, Mode, Model, Pass, Plan, PlanOptions, State};

/// Between dense layers, behind an activation that its kernel takes in, and first of all.
fn models() -> [Model; 2] {
    let tanh = Activation::Tanh;
    let inner = Model::builder([7]).dense(130).act(tanh).layer(Layer::Mirror).dense(33).act(tanh).dense(5);
    let first = Model::builder([66]).layer(Layer::Mirror).layer(Layer::Mirror).dense(9).act(tanh).dense(3);
    [inner, first].map(|builder| builder.loss(Loss::cross_entropy()).expect("a valid model"))
}

/// max|Δ| / max|right|
fn error(found: &[f32], right: &[f32]) -> f32 {
    assert_eq!(found.len(), right.len());
    let largest = right.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    let off = found.iter().zip(right).fold(0.0, |most: f32, (a, b)| most.max((a - b).abs()));
    if largest > 0.0 { off / largest } else { off }
}

struct Case {
    model: Model,
    parameters: Vec<f32>,
    input: Vec<f32>,
    targets: Vec<u32>,
}

impl Case {
    fn new(model: Model, batch: usize) -> Case {
        let parameters = model.init(Init::Auto, 7).expect("memory");
        let numbers = |i: usize| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0;
        let input = (0..batch * model.inputs()).map(numbers).collect();
        let targets = (0..batch).map(|i| (i % model.outputs()) as u32).collect();
        Case { model, parameters, input, targets }
    }

    fn right(&self, mode: Mode) -> [Vec<f32>; 2] {
        let wide = |values: &[f32]| values.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        let targets = Targets::Classes(&self.targets);
        let pass = reference::pass(&self.model, mode, &wide(&self.parameters), &wide(&self.input), targets);
        let pass = pass.expect("a pass");
        [pass.gradient, pass.diagonal].map(|values| values.into_iter().map(|x| x as f32).collect())
    }

    fn on_gpu(&self, class: DeviceClass, mode: Mode) -> [Vec<f32>; 2] {
        let own = pollster::block_on(Context::request()).expect("an adapter");
        let mut options = ContextOptions::default().class(class);
        options.tiles = Some(tiles::small(class));
        let context = Context::from_device(own.device(), own.queue(), options);
        let state = State::new(&context, &self.model, None).expect("a state");
        state.write_parameters(&self.parameters).expect("written");
        let options = PlanOptions::training(mode);
        let plan = Plan::new(&context, &self.model, &state, self.targets.len(), options).expect("a plan");
        plan.write_input(&self.input).expect("written");
        plan.write_targets(Targets::Classes(&self.targets)).expect("written");
        let mut encoder = context.device().create_command_encoder(&Default::default());
        plan.record_gradient(&mut encoder, Pass::FULL).expect("planned");
        context.queue().submit([encoder.finish()]);
        let read = context.read_blocking(&[state.gradient(), state.diagonal()]).expect("read");
        let flat = self.model.flat_len();
        let [gradient, diagonal] = [&read[0], &read[1]].map(|values| values[..flat].to_vec());
        [gradient, if mode.has_diagonal() { diagonal } else { Vec::new() }]
    }

    #[cfg(feature = "cpu")]
    fn on_cpu(&self, mode: Mode) -> [Vec<f32>; 2] {
        use crate::cpu::{Executor, ExecutorOptions};
        let options = ExecutorOptions::training(mode);
        let mut executor = Executor::new(&self.model, self.targets.len(), options).expect("an executor");
        let targets = Targets::Classes(&self.targets);
        executor.pass(mode, &self.parameters, &self.input, targets, Default::default()).expect("a pass");
        [executor.gradient().to_vec(), executor.diagonal().to_vec()]
    }
}

#[test]
fn it_is_right_in_every_mode_on_gpu_and_cpu() {
    for (model, batch) in models().into_iter().zip([70, 5]) {
        let case = Case::new(model, batch);
        for (turn, mode) in Mode::ALL.into_iter().enumerate() {
            let right = case.right(mode);
            let mut paths: Vec<(String, [Vec<f32>; 2])> = Vec::new();
            // Each mode on one class, one mode on all.
            for (index, class) in DeviceClass::ALL.into_iter().enumerate() {
                if mode == Mode::HesScale || turn % DeviceClass::ALL.len() == index {
                    paths.push((format!("{class:?}"), case.on_gpu(class, mode)));
                }
            }
            #[cfg(feature = "cpu")]
            paths.push(("CPU".into(), case.on_cpu(mode)));
            for (path, found) in paths {
                for (found, right) in found.iter().zip(&right) {
                    let off = error(found, right);
                    assert!(off < 1e-5, "{path}, {mode:?}: {off}");
                }
            }
        }
    }
}

#[test]
fn a_planted_error_is_noticed() {
    let [model, _] = models();
    let right = Case::new(model, 3).right(Mode::HesScale);
    let mut wrong = right.clone();
    let largest = wrong[1].iter().map(|x| x.abs()).fold(0.0, f32::max);
    wrong[1][0] += 1e-4 * largest;
    assert!(error(&right[1], &right[1]) < 1e-5 && error(&wrong[1], &right[1]) > 1e-5);
}
