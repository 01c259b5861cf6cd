//! Optimisers on the GPU against the reference's, and the ways of recording steps.

use crate::common::{compare, relative_max_norm, to_f64};
use crate::harness::{Sample, bits, context, submit};
use crate::layers::norm;
use hesscale::model::{Conv2d, MaxPool2d, Reduction, Rule, Targets};
use hesscale::reference::{OptimizerState, pass};
use hesscale::{Activation, Context, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State};

const STEPS: usize = 20;
const BATCH: usize = 12;

fn model(loss: impl Into<Loss>) -> Model {
    Model::builder([5]).dense(9).act(Activation::Tanh).dense(4).loss(loss).unwrap()
}

fn sample() -> Sample {
    Sample::new(model(Loss::cross_entropy()), BATCH, 6)
}

/// The same ends around convolutions, all samples alike to them: no dropout.
fn images(loss: impl Into<Loss>) -> Model {
    let builder = Model::builder([2, 5, 6]).conv2d(5, 3).act(Activation::Tanh).layer(norm(5));
    let builder =
        builder.layer(Conv2d::new(5, 2).groups(5)).act(Activation::Tanh).layer(MaxPool2d::new(2).stride(1));
    builder.flatten().dense(4).loss(loss).unwrap()
}

fn optimizers() -> Vec<Optimizer> {
    // ε not so small that a diagonal near zero decides everything.
    let (beta1, beta2, eps) = (0.9, 0.99, 1e-3);
    vec![
        Optimizer::sgd(0.1),
        Optimizer::sgd(0.1).weight_decay(0.3),
        Rule::Sgd { momentum: 0.9, nesterov: false }.at(0.05),
        Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.05).weight_decay(0.1),
        Rule::Sgd { momentum: 0.0, nesterov: true }.at(0.05),
        Rule::Adam { beta1, beta2, eps }.at(0.02),
        Optimizer::adam(0.01).weight_decay(0.5),
        Rule::Adam { beta1: 0.0, beta2: 0.0, eps }.at(0.02),
        Rule::AdaHesScale { beta1, beta2, eps }.at(0.01),
        Rule::AdaHesScale { beta1, beta2, eps }.at(0.01).weight_decay(0.2),
        Rule::AdaHesScaleGn { beta1, beta2, eps }.at(0.01),
    ]
}

struct Rig {
    context: Context,
    state: State,
    plan: Plan,
}

impl Rig {
    fn new(sample: &Sample, optimizer: Optimizer, options: PlanOptions) -> Rig {
        let context = context();
        let state = State::new(&context, &sample.model, Some(optimizer)).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan = Plan::new(&context, &sample.model, &state, sample.batch, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        plan.write_targets(sample.targets.view()).unwrap();
        Rig { context, state, plan }
    }

    fn step(&self, pass: Pass) {
        submit(&self.context, |encoder| self.plan.record_step(encoder, pass).unwrap());
    }

    fn read(&self) -> [Vec<f32>; 3] {
        let tensors = [self.state.parameters(), self.state.gradient(), self.state.diagonal()];
        self.context.read_blocking(&tensors).unwrap().try_into().unwrap()
    }
}

/// The reference's training, in f64: parameters after each step. `pass(step)`: whether it has curvature, and its rate.
fn reference(
    sample: &Sample,
    optimizer: Optimizer,
    mode: Mode,
    plan: impl Fn(usize) -> (bool, f32),
) -> Vec<Vec<f64>> {
    let (x, mut parameters) = (to_f64(&sample.x), to_f64(&sample.parameters));
    let mut state = OptimizerState::new(parameters.len());
    let step = |i| {
        let (curvature, learning_rate) = plan(i);
        let mode = if curvature { mode } else { Mode::None };
        let found = pass(&sample.model, mode, &parameters, &x, sample.targets.view()).unwrap();
        let optimizer = optimizer.learning_rate(learning_rate);
        state.step(&optimizer, &mut parameters, &found.gradient, &found.diagonal).unwrap();
        parameters.clone()
    };
    (0..STEPS).map(step).collect()
}

#[test]
fn training_follows_the_reference() {
    let sample = sample();
    let mut worst = 0.0_f64;
    for optimizer in optimizers() {
        let mode = optimizer.rule.mode();
        let rig = Rig::new(&sample, optimizer, PlanOptions::training(mode));
        for (i, want) in
            reference(&sample, optimizer, mode, |_| (true, optimizer.learning_rate)).iter().enumerate()
        {
            rig.step(Pass::FULL);
            let name = format!("{optimizer:?} step {i}");
            worst = worst.max(compare(&name, &to_f64(&rig.read()[0]), want, 2e-5).unwrap());
        }
    }
    println!("worst: {worst:e}");
}

/// The update alone: the reference gets the gradient and diagonal that the GPU found, so nothing else can differ.
#[test]
fn updates_follow_the_reference() {
    let sample = sample();
    let mut worst = 0.0_f64;
    let ada = Optimizer::ada_hesscale(0.003).weight_decay(0.01);
    for optimizer in optimizers().into_iter().chain([ada, Optimizer::ada_hesscale_gn(0.003)]) {
        let mode = optimizer.rule.mode();
        let rig = Rig::new(&sample, optimizer, PlanOptions::training(mode));
        let (mut parameters, mut state) =
            (to_f64(&sample.parameters), OptimizerState::new(sample.parameters.len()));
        for i in 0..STEPS {
            rig.step(Pass::FULL);
            let [got, gradient, diagonal] = rig.read();
            let diagonal = if mode.has_diagonal() { to_f64(&diagonal) } else { Vec::new() };
            state.step(&optimizer, &mut parameters, &to_f64(&gradient), &diagonal).unwrap();
            worst = worst
                .max(compare(&format!("{optimizer:?} step {i}"), &to_f64(&got), &parameters, 2e-6).unwrap());
        }
        let (first, second) = rig.state.moments();
        let read = |tensor| to_f64(&rig.context.read_blocking(&[tensor]).unwrap()[0]);
        compare(&format!("{optimizer:?} m"), &read(first.unwrap()), &state.m, 2e-6).unwrap();
        if let Some(second) = second {
            compare(&format!("{optimizer:?} v"), &read(second), &state.v, 2e-6).unwrap();
        }
    }
    println!("worst: {worst:e}");
}

#[test]
fn steps_of_one_submission_equal_steps_one_by_one() {
    let sample = sample();
    for optimizer in [Optimizer::sgd(0.1), Optimizer::adam(0.01), Optimizer::ada_hesscale(0.01)] {
        let rig = || Rig::new(&sample, optimizer, PlanOptions::training(optimizer.rule.mode()));
        let (one, together) = (rig(), rig());
        for _ in 0..7 {
            one.step(Pass::FULL);
        }
        submit(&together.context, |encoder| {
            for _ in 0..7 {
                together.plan.record_step(encoder, Pass::FULL).unwrap();
            }
        });
        let (one, together) = (one.read(), together.read());
        assert_eq!(one.map(|t| bits(&t)), together.map(|t| bits(&t)), "{optimizer:?}");
    }
}

#[test]
fn gradient_and_update_apart_equal_a_step() {
    let sample = sample();
    let rig = || Rig::new(&sample, Optimizer::ada_hesscale(0.01), PlanOptions::training(Mode::HesScale));
    let (whole, apart) = (rig(), rig());
    whole.step(Pass::FULL);
    submit(&apart.context, |encoder| {
        apart.plan.record_gradient(encoder, Pass::FULL).unwrap();
        apart.plan.record_update(encoder, Pass::FULL).unwrap();
    });
    assert_eq!(whole.read(), apart.read());
}

#[test]
fn the_learning_rate_changes_between_steps() {
    let sample = sample();
    let optimizer = Rule::Sgd { momentum: 0.5, nesterov: false }.at(0.1).weight_decay(0.2);
    let rate = |i: usize| 0.1 / (1.0 + i as f32);
    let mut rig = Rig::new(&sample, optimizer, PlanOptions::training(Mode::None));
    for (i, want) in reference(&sample, optimizer, Mode::None, |i| (true, rate(i))).iter().enumerate() {
        rig.state.set_learning_rate(rate(i)).unwrap();
        rig.step(Pass::FULL);
        compare(&format!("step {i}"), &to_f64(&rig.read()[0]), want, 1e-5).unwrap();
    }
    rig.state.set_learning_rate(0.0).unwrap();
    let before = rig.read();
    rig.step(Pass::FULL);
    assert_eq!(rig.read()[0], before[0]);
}

#[test]
fn lazy_curvature_follows_the_reference() {
    for (optimizer, first, sample) in [
        (Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(0.01), 0, sample()),
        (
            Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(0.01),
            0,
            Sample::new(images(Loss::cross_entropy()), BATCH, 6),
        ),
        // No curvature at all at first: the parameters rest, but for their decay.
        (Rule::AdaHesScaleGn { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(0.01).weight_decay(0.1), 2, sample()),
        (Rule::Adam { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(0.01), 0, sample()),
    ] {
        let mode = if optimizer.rule.mode().has_diagonal() { optimizer.rule.mode() } else { Mode::HesScale };
        let curved = |i: usize| i % 3 == first;
        let rig = Rig::new(&sample, optimizer, PlanOptions::training(mode).lazy());
        let want = reference(&sample, optimizer, mode, |i| (curved(i), optimizer.learning_rate));
        let mut diagonal = bits(&rig.read()[2]);
        for (i, want) in want.iter().enumerate() {
            rig.step(if curved(i) { Pass::FULL } else { Pass::FULL.without_curvature() });
            let read = rig.read();
            compare(&format!("{optimizer:?} step {i}"), &to_f64(&read[0]), want, 2e-5).unwrap();
            // The diagonal moves with curvature, and only then.
            let now = bits(&read[2]);
            assert_eq!(now != diagonal, curved(i), "{optimizer:?} step {i}");
            diagonal = now;
        }
    }
}

/// Accumulated micro-batches of four against the whole batch at once.
#[test]
fn accumulated_micro_batches_equal_the_whole_batch() {
    for (reduction, scale) in [(Reduction::Mean, 1.0 / 3.0), (Reduction::Sum, 1.0)] {
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
            for model in [model, images] {
                let sample =
                    Sample::new(model(Loss::BceWithLogits { reduction, pos_weight: None }), BATCH, 6);
                let inputs = 4 * sample.model.inputs();
                let Targets::Values(targets) = sample.targets.view() else { panic!("numbers") };
                let whole = sample.on(&context(), PlanOptions::training(mode));
                let state = State::new(&context(), &sample.model, None).unwrap();
                state.write_parameters(&sample.parameters).unwrap();
                let options = PlanOptions::training(mode).accumulate(scale);
                let plan = Plan::new(&context(), &sample.model, &state, 4, options).unwrap();
                for round in 0..2 {
                    for part in 0..3 {
                        plan.write_input(&sample.x[part * inputs..(part + 1) * inputs]).unwrap();
                        plan.write_targets(Targets::Values(&targets[part * 16..(part + 1) * 16])).unwrap();
                        // The first replaces what the last round left.
                        let pass = if part == 0 { Pass::FULL } else { Pass::FULL.accumulating() };
                        submit(&context(), |encoder| plan.record_gradient(encoder, pass).unwrap());
                    }
                    let read = context().read_blocking(&[state.gradient(), state.diagonal()]).unwrap();
                    for (name, got, want) in
                        [("gradient", &read[0], &whole.gradient), ("diagonal", &read[1], &whole.diagonal)]
                    {
                        compare(&format!("{name} {mode:?} round {round}"), &to_f64(got), &to_f64(want), 1e-5)
                            .unwrap();
                    }
                }
            }
        }
    }
}

/// Accumulation can add plain passes to passes with curvature, and then leaves the diagonal unchanged.
#[test]
fn plain_passes_accumulate_without_curvature() {
    for sample in [sample(), Sample::new(images(Loss::cross_entropy()), BATCH, 6)] {
        let options = PlanOptions::training(Mode::HesScale).accumulate(0.5).lazy();
        let rig = Rig::new(&sample, Optimizer::ada_hesscale(0.01), options);
        submit(&rig.context, |encoder| {
            rig.plan.record_gradient(encoder, Pass::FULL).unwrap();
            rig.plan.record_gradient(encoder, Pass::FULL.accumulating().without_curvature()).unwrap();
        });
        let whole = sample.on(&context(), PlanOptions::training(Mode::HesScale));
        let [_, gradient, diagonal] = rig.read();
        assert!(relative_max_norm(&to_f64(&gradient), &to_f64(&whole.gradient)) < 1e-6);
        let half: Vec<f32> = whole.diagonal.iter().map(|d| 0.5 * d).collect();
        assert!(relative_max_norm(&to_f64(&diagonal), &to_f64(&half)) < 1e-6);
    }
}
