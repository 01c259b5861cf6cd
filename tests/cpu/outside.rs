//! Backward passes from a signal that the caller has, on the CPU.

use crate::common::{compare, to_f64};
use crate::problem::Problem;
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::{Conv2d, MaxPool2d, Noise, OutputSignal, Targets};
use hesscale::reference::{loss_and_signal, pass_from_signal};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, At, Error, Loss, Mode, Model, Optimizer};

const NOISE: Noise = Noise { seed: 2, step: 9 };
const TANH: Activation = Activation::Tanh;

fn models() -> Vec<Model> {
    let dense = Model::builder([7]).dense(12).act(TANH).residual(|body| body.dense(12).act(TANH)).dense(5);
    let image = Model::builder([2, 6, 5]).layer(Conv2d::new(6, 3).same()).act(TANH).layer(MaxPool2d::new(2));
    vec![
        dense.loss(Loss::cross_entropy()).unwrap(),
        image.clone().dropout(0.3).flatten().dense(4).loss(Loss::mse()).unwrap(),
        image.conv2d(3, 2).loss(Loss::mse()).unwrap(),
    ]
}

fn to_f32(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|x| *x as f32).collect()
}

struct Case {
    problem: Problem,
    external: Model,
    parameters: Vec<f32>,
    input: Vec<f32>,
    last: At,
}

impl Case {
    fn new(model: Model, batch: usize) -> Case {
        let problem = Problem::new(model, batch, 4);
        let external = problem.model.clone().with_loss(Loss::external()).unwrap();
        let (parameters, input) = (to_f32(&problem.parameters), to_f32(&problem.input));
        let last = At::Layer(external.layers().len() - 1);
        Case { problem, external, parameters, input, last }
    }

    fn executor(&self, model: &Model, mode: Mode, batch: usize) -> Executor {
        let threads = Threads::new(2).unwrap().least_work(1000);
        let options = ExecutorOptions::training(mode).threads(threads).signal(self.last).signal(At::Input);
        Executor::new(model, batch, options).unwrap()
    }
}

/// Where curvature is diagonal the signal of a pass is known, and gives the pass's bits again.
#[test]
fn the_signal_of_a_pass_gives_its_bits() {
    for (model, batch) in models().into_iter().flat_map(|model| [1, 40].map(|batch| (model.clone(), batch))) {
        let case = Case::new(model, batch);
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleGn, Mode::Bl89] {
            // Room for more than come.
            let mut own = case.executor(&case.problem.model, mode, batch + 3);
            own.pass(mode, &case.parameters, &case.input, case.problem.targets.view(), NOISE).unwrap();
            let (g, h) = own.signal(case.last).unwrap();
            let mut other = case.executor(&case.external, mode, batch + 3);
            let logits = other.forward(&case.parameters, &case.input, NOISE).unwrap();
            assert_eq!(logits, own.logits());
            // Twice, each from its own signal: the first leaves nothing behind.
            let halved: Vec<f32> = g.iter().map(|g| 0.5 * g).collect();
            other.backward(mode, &case.parameters, OutputSignal { g: &halved, h: &h, u: &[] }).unwrap();
            assert_ne!(other.gradient(), own.gradient());
            other.backward(mode, &case.parameters, OutputSignal { g: &g, h: &h, u: &[] }).unwrap();
            assert_eq!((other.gradient(), other.diagonal()), (own.gradient(), own.diagonal()));
            for at in [At::Input, case.last] {
                assert_eq!(other.signal(at), own.signal(at), "{mode:?}");
            }
            // Plain backprop behind the same forward pass.
            other.backward(Mode::None, &case.parameters, OutputSignal::from(&g[..])).unwrap();
            let (got, want) = (to_f64(other.gradient()), to_f64(own.gradient()));
            compare("plain gradient", &got, &want, 1e-6).unwrap();
        }
    }
}

#[test]
fn it_follows_the_reference_in_every_mode() {
    for model in models() {
        let case = Case::new(model, 11);
        for mode in Mode::ALL {
            let mut executor = case.executor(&case.external, mode, 11);
            let logits = executor.forward(&case.parameters, &case.input, NOISE).unwrap();
            let signal =
                loss_and_signal(&case.problem.model, mode, &to_f64(logits), case.problem.targets.view());
            let signal = signal.unwrap().1;
            let h = if signal.u.is_empty() { &signal.h } else { &signal.rest };
            let [g, h] = [&signal.g, h].map(|values| to_f32(values));
            let u: Vec<Vec<f32>> = signal.u.iter().map(|u| to_f32(u)).collect();
            let narrow: Vec<&[f32]> = u.iter().map(|u| &u[..]).collect();
            executor.backward(mode, &case.parameters, OutputSignal { g: &g, h: &h, u: &narrow }).unwrap();
            let u: Vec<Vec<f64>> = u.iter().map(|u| to_f64(u)).collect();
            let u: Vec<&[f64]> = u.iter().map(|u| &u[..]).collect();
            let (g, h) = (to_f64(&g), to_f64(&h));
            let wide = OutputSignal { g: &g, h: &h, u: &u };
            let (parameters, input) = (to_f64(&case.parameters), to_f64(&case.input));
            let want = pass_from_signal(&case.external, mode, &parameters, &input, wide, NOISE).unwrap();
            let near = |what: &str, got: &[f32], want: &[f64]| {
                compare(what, &to_f64(got), want, 3e-5).unwrap_or_else(|fault| panic!("{mode:?}: {fault}"));
            };
            near("gradient", executor.gradient(), &want.gradient);
            near("diagonal", executor.diagonal(), &want.diagonal);
            let (g, d) = executor.signal(At::Input).unwrap();
            near("g at the input", &g, &want.input_signal.g);
            near("d at the input", &d, &want.input_signal.h);
        }
    }
}

/// Behind a forward pass.
fn executor_of(case: &Case, mode: Mode) -> Executor {
    let mut executor = case.executor(&case.external, mode, 4);
    executor.forward(&case.parameters, &case.input, NOISE).unwrap();
    executor
}

/// An executor that checks refuses what is not finite, by its name and place, and is as it was then; another computes with it.
#[test]
fn what_is_not_finite_is_refused_where_it_is_looked_for() {
    let case = Case::new(models().swap_remove(0), 2);
    let own = &case.problem.model;
    let spoilt = |values: &[f32], at: usize, by: f32| -> Vec<f32> {
        let mut values = values.to_vec();
        values[at] = by;
        values
    };
    let options = || ExecutorOptions::training(Mode::HesScaleR1).checked();
    let mut executor = Executor::new(&case.external, 2, options()).unwrap();
    let found = |tensor: &str, index, result: Result<(), Error>| match result {
        Err(Error::NotFinite { tensor: got, index: at, value }) => {
            assert!(got == tensor && at == index && !value.is_finite(), "{got}[{at}]");
        }
        other => panic!("{tensor}: {other:?}"),
    };
    let (bad_input, bad_parameters) =
        (spoilt(&case.input, 3, f32::NAN), spoilt(&case.parameters, 5, f32::INFINITY));
    found("input", 3, executor.forward(&case.parameters, &bad_input, NOISE).map(drop));
    found("parameters", 5, executor.forward(&bad_parameters, &case.input, NOISE).map(drop));
    executor.forward(&case.parameters, &case.input, NOISE).unwrap();
    let ten = [0.25; 10];
    let bad = spoilt(&ten, 7, f32::NAN);
    let mut backward = |g: &[f32], h: &[f32], u: &[f32]| {
        executor.backward(Mode::HesScaleR1, &case.parameters, OutputSignal { g, h, u: &[u] })
    };
    found("g at the outputs", 7, backward(&bad, &ten, &ten));
    found("h at the outputs", 7, backward(&ten, &bad, &ten));
    found("u at the outputs", 7, backward(&ten, &ten, &bad));
    backward(&ten, &ten, &ten).unwrap();
    assert!(executor.gradient().iter().all(|g| g.is_finite()));
    // Targets that are numbers, and outputs of an executor for inference.
    let numbers = own.clone().with_loss(Loss::mse()).unwrap();
    let mut executor = Executor::new(&numbers, 2, options()).unwrap();
    let targets = Targets::Values(&bad);
    let (x, mode) = (&case.input, Mode::HesScaleR1);
    found("targets", 7, executor.pass(mode, &case.parameters, x, targets, NOISE).map(drop));
    let mut inference = Executor::new(&numbers, 2, ExecutorOptions::inference().checked()).unwrap();
    found("input", 3, inference.predict(&case.parameters, &bad_input).map(drop));
    // Without looking, NaN is where it comes to.
    let mut executor = executor_of(&case, Mode::None);
    executor.backward(Mode::None, &case.parameters, OutputSignal::from(&bad[..])).unwrap();
    assert!(executor.gradient().iter().any(|g| g.is_nan()));
}

#[test]
fn what_there_is_not_is_refused() {
    let case = Case::new(models().swap_remove(0), 2);
    let not_planned = |what: &str, ask| Err(Error::NotPlanned { what: what.into(), ask });
    let mut executor = case.executor(&case.external, Mode::HesScale, 4);
    let ten = [0.0; 10];
    let signal = OutputSignal { g: &ten, h: &ten, u: &[] };
    let alone = not_planned("a backward pass by itself", "Executor::forward, before it");
    assert_eq!(executor.backward(Mode::HesScale, &case.parameters, signal), alone);
    executor.forward(&case.parameters, &case.input, NOISE).unwrap();
    let early = executor.signal(case.last).map(drop);
    assert_eq!(early, not_planned("a signal behind a forward pass alone", "Executor::backward"));
    let mode = not_planned("a backward pass in mode hesscale_gn", "ExecutorOptions::training");
    assert_eq!(executor.backward(Mode::HesScaleGn, &case.parameters, signal), mode);
    let length = |tensor: &str, got, needed| Err(Error::Length { tensor: tensor.into(), got, needed });
    let short = OutputSignal { g: &ten[1..], ..signal };
    assert_eq!(executor.backward(Mode::HesScale, &case.parameters, short), length("g of the signal", 9, 10));
    let flat = case.external.flat_len();
    assert_eq!(
        executor.backward(Mode::HesScale, &case.parameters[1..], signal),
        length("parameters", flat - 1, flat)
    );
    // Of another mode, in words.
    let kind = |mode, needed: &str, got: &str| {
        Err(Error::SignalKind { mode, needed: needed.into(), got: got.into() })
    };
    let of_one = |u| executor_of(&case, Mode::HesScaleR1).backward(Mode::HesScaleR1, &case.parameters, u);
    assert_eq!(of_one(signal), kind("hesscale_r1", "g, h and 1 u", "g and h"));
    let two = OutputSignal { u: &[&ten, &ten], ..signal };
    assert_eq!(of_one(two), kind("hesscale_r1", "g, h and 1 u", "g, h and 2 u"));
    let one = OutputSignal { u: &[&ten], ..signal };
    assert_eq!(of_one(one), Ok(()));
    assert_eq!(
        executor.backward(Mode::HesScale, &case.parameters, one),
        kind("hesscale", "g and h", "g, h and 1 u")
    );
    let plain = OutputSignal { h: &[], ..signal };
    assert_eq!(
        executor.backward(Mode::HesScale, &case.parameters, plain),
        kind("hesscale", "g and h", "g alone")
    );
    assert_eq!(executor.backward(Mode::None, &case.parameters, signal), kind("none", "g alone", "g and h"));
    executor.backward(Mode::HesScale, &case.parameters, signal).unwrap();
    executor.signal(case.last).unwrap();
    // A pass with a loss of its own ends what a forward pass began; this model has none.
    let pass = executor.pass(Mode::None, &case.parameters, &case.input, Targets::Values(&ten), NOISE);
    assert_eq!(pass.map(drop), Err(Error::TargetKind { needed: "no", got: "numeric" }));
    let mut own = case.executor(&case.problem.model, Mode::HesScale, 4);
    own.pass(Mode::None, &case.parameters, &case.input, case.problem.targets.view(), NOISE).unwrap();
    assert_eq!(own.backward(Mode::HesScale, &case.parameters, signal), alone);
    let mut inference = Executor::new(&case.external, 4, ExecutorOptions::inference()).unwrap();
    let forward = inference.forward(&case.parameters, &case.input, NOISE).map(drop);
    assert_eq!(forward, not_planned("training", "ExecutorOptions::training"));
    assert_eq!(inference.predict(&case.parameters, &case.input).unwrap().len(), 10);
    let trainer = Trainer::on_cpu(&case.external, Optimizer::sgd(0.1), TrainerOptions::default());
    assert!(matches!(trainer.unwrap_err(), Error::Unsupported { layer, .. } if layer == "trainer"));
}
