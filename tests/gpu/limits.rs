//! Limited steps on the GPU against the reference's: clipping, norms, trust regions, averages and groups, in every class of device,
//! update fused and apart; and the cases that the limits are for.

use crate::common::{compare, relative_max_norm, to_f64};
use crate::harness::{Sample, bits, context, distinct, of_class, share, share_from, submit};
use crate::layers::norm;
use hesscale::model::{Conv2d, Group, Groups, Limits, Noise, Rule, Transition};
use hesscale::reference::{OptimizerState, pass, pass_from_signal};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::{
    Activation, Context, Error, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State, StateBuffers,
};

const STEPS: usize = 5;
const BATCH: usize = 3;

/// Sizes unlike each other, more parameters than a workgroup takes, and gaps behind most of them.
fn dense() -> Model {
    let builder = Model::builder([20]).dense(36).act(Activation::Tanh).dense(28).act(Activation::Tanh);
    builder.dense(5).loss(Loss::cross_entropy()).unwrap()
}

fn images() -> Model {
    let builder = Model::builder([2, 5, 6]).conv2d(5, 3).act(Activation::Tanh).layer(norm(5));
    let builder = builder.layer(Conv2d::new(5, 2).groups(5)).act(Activation::Tanh);
    builder.flatten().dense(12).act(Activation::Tanh).dense(4).loss(Loss::cross_entropy()).unwrap()
}

/// Rules whose step follows from gradient and diagonal alone; ObGD's does not: `transitions`. ε is not so small that a diagonal near
/// zero decides everything.
fn rules() -> Vec<Rule> {
    let (beta1, beta2, eps) = (0.9, 0.99, 0.02);
    vec![
        Rule::Sgd { momentum: 0.9, nesterov: true },
        Rule::Adam { beta1, beta2, eps },
        Rule::AdaHesScale { beta1, beta2, eps },
        Rule::AdaHesScaleGn { beta1, beta2, eps },
        Rule::AdaHesScaleAbs { beta1, beta2, eps, root: false },
        Rule::AdaHesScaleAbs { beta1, beta2, eps, root: true },
        Rule::Sophia { beta1, beta2, gamma: 0.5, eps },
        Rule::RmsProp { beta2, eps, momentum: 0.5 },
        Rule::Lion { beta1, beta2 },
        Rule::Upgd { trace: 0.5, noise: 0.02, seed: 3_000_000_000 },
    ]
}

/// The rule, and the same within limits that all bite.
fn ways(rule: Rule) -> Vec<Optimizer> {
    let optimizer = rule.at(0.01).weight_decay(0.1);
    let clipped = optimizer.clip_gradient(0.02).clip_update(0.4);
    let mut ways = vec![
        optimizer,
        clipped,
        clipped.average(0.7),
        optimizer.clip_gradient_norm(0.05),
        clipped.clip_gradient_norm(0.05),
    ];
    for trusted in [optimizer.trust(1e-5), clipped.clip_gradient_norm(0.05).trust(1e-6).average(0.9)] {
        ways.extend(Some(trusted).filter(|trusted| trusted.validate().is_ok()));
    }
    ways
}

struct Rig {
    context: Context,
    state: State,
    plan: Plan,
}

impl Rig {
    fn new(
        context: &Context,
        sample: &Sample,
        optimizer: Optimizer,
        groups: &Groups,
        options: PlanOptions,
    ) -> Rig {
        let buffers = StateBuffers::default();
        let state = State::with_groups(context, &sample.model, Some(optimizer), groups, buffers).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan = Plan::new(context, &sample.model, &state, sample.batch, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        if !sample.model.loss().is_external() {
            plan.write_targets(sample.targets.view()).unwrap();
        }
        Rig { context: context.clone(), state, plan }
    }

    fn step(&self, pass: Pass) {
        submit(&self.context, |encoder| self.plan.record_step(encoder, pass).unwrap());
    }

    fn read(&self, tensor: &hesscale::Tensor) -> Vec<f32> {
        let mut read = self.context.read_blocking(&[tensor]).unwrap().remove(0);
        read.truncate(self.plan.model().flat_len());
        read
    }

    fn parameters(&self) -> Vec<f32> {
        self.read(self.state.parameters())
    }
}

/// Curvature on all steps but the third.
fn curved(step: usize) -> bool {
    step != 2
}

/// The reference's training in f64: parameters and memory in the end.
fn reference(sample: &Sample, optimizer: Optimizer, groups: &Groups) -> (Vec<f64>, OptimizerState<f64>) {
    let (x, mut parameters) = (to_f64(&sample.x), to_f64(&sample.parameters));
    let mut state = OptimizerState::new(parameters.len());
    let spans = groups.spans(&sample.model, &optimizer).unwrap();
    for step in 0..STEPS {
        let mode = if curved(step) { optimizer.rule.mode() } else { Mode::None };
        let found = pass(&sample.model, mode, &parameters, &x, sample.targets.view()).unwrap();
        state.step_spans(&optimizer, &spans, &mut parameters, &found.gradient, &found.diagonal).unwrap();
    }
    (parameters, state)
}

fn classes(sample: &Sample, optimizer: Optimizer, options: &[PlanOptions]) -> Vec<Context> {
    let contexts = DeviceClass::ALL.map(of_class);
    distinct(contexts, &sample.model, sample.batch, Some(optimizer), options)
}

/// Trains under `options` and compares with the reference: the distance of the parameters that it went.
fn follows(context: &Context, sample: &Sample, optimizer: Optimizer, groups: &Groups, options: &PlanOptions) {
    let what = format!("{optimizer:?} {groups:?} {}", context.describe());
    let rig = Rig::new(context, sample, optimizer, groups, options.clone());
    (0..STEPS)
        .for_each(|step| rig.step(if curved(step) { Pass::FULL } else { Pass::FULL.without_curvature() }));
    let (parameters, state) = reference(sample, optimizer, groups);
    let near = |name: &str, got: &[f32], want: &[f64]| {
        compare(&format!("{name} {what}"), &to_f64(got), want, 2e-5)
            .unwrap_or_else(|fault| panic!("{fault}"));
    };
    near("parameters", &rig.parameters(), &parameters);
    let (first, second) = rig.state.moments();
    near("m", &rig.read(first.unwrap()), &state.m);
    if let Some(second) = second {
        near("v", &rig.read(second), &state.v);
    }
    match rig.state.average() {
        Some(average) => near("average", &rig.read(average), &state.average),
        None => assert!(optimizer.average.is_none()),
    }
    assert_eq!(rig.state.read_divergence(), Ok(()), "{what}");
}

fn plans(mode: Mode) -> [PlanOptions; 3] {
    let apart = PlanOptions::training(mode).lazy().whole_network(false);
    [apart.clone(), apart.clone().fused_update(), apart.fused_update().fewer_dispatches(true)]
}

#[test]
fn limited_training_follows_the_reference() {
    // Each plan in turn, on each network with another one.
    for (offset, model) in [dense(), images()].into_iter().enumerate() {
        let sample = Sample::new(model, BATCH, 4);
        for (turn, optimizer) in rules().into_iter().flat_map(ways).enumerate() {
            let options = &plans(optimizer.rule.mode())[(turn + offset) % 3];
            follows(&context(), &sample, optimizer, &Groups::default(), options);
        }
    }
}

#[test]
fn classes_and_whole_networks_follow_the_reference() {
    let sample = Sample::new(dense(), BATCH, 4);
    let many = Sample::new(dense(), 70, 4);
    let ada = ways(rules()[2]);
    let optimizers = [ada[1], *ada.last().unwrap(), ways(rules()[9])[1], ways(rules()[6])[2]];
    for (turn, optimizer) in share(optimizers.into_iter().enumerate(), 2) {
        let [apart, fused, joined] = plans(optimizer.rule.mode());
        let whole = apart.clone().whole_network(true);
        for context in share_from(classes(&sample, optimizer, &[fused.clone(), joined.clone()]), 3, 1 + turn)
        {
            follows(&context, &sample, optimizer, &Groups::default(), &fused);
            follows(&context, &sample, optimizer, &Groups::default(), &joined);
        }
        // One workgroup has the whole batch, and several share it.
        for sample in share_from([&sample, &many], 2, turn / 2) {
            for context in share_from(classes(sample, optimizer, std::slice::from_ref(&whole)), 3, turn) {
                follows(&context, sample, optimizer, &Groups::default(), &whole);
            }
        }
    }
}

/// Each limit changes where training goes, far more than the comparisons here allow: without it they fail.
#[test]
fn each_limit_bites() {
    let sample = Sample::new(dense(), BATCH, 4);
    for rule in rules() {
        let all = ways(rule);
        let bare = reference(&sample, all[0], &Groups::default()).0;
        for optimizer in &all[1..] {
            let limited = reference(&sample, *optimizer, &Groups::default()).0;
            let apart = relative_max_norm(&limited, &bare);
            // Of an update that is a sign its gradient's size is no matter.
            let lion = matches!(rule, Rule::Lion { .. }) && optimizer.limits.update.is_none();
            assert!(lion || apart > 1e-3, "{optimizer:?}: {apart:e}");
            let rig = Rig::new(
                &context(),
                &sample,
                *optimizer,
                &Groups::default(),
                PlanOptions::training(rule.mode()),
            );
            (0..STEPS).for_each(|_| rig.step(Pass::FULL));
            assert!(lion || compare("bare", &to_f64(&rig.parameters()), &bare, 2e-5).is_err());
        }
    }
}

/// Numbers change between steps without a new plan; kinds do not.
#[test]
fn limits_change_between_steps() {
    let sample = Sample::new(dense(), BATCH, 4);
    let optimizer = rules()[2].at(0.01).clip_update(0.1).clip_gradient_norm(1e-3).trust(1e-9);
    let mut rig =
        Rig::new(&context(), &sample, optimizer, &Groups::default(), PlanOptions::training(Mode::HesScale));
    let mut parameters = to_f64(&sample.parameters);
    let mut state = OptimizerState::new(parameters.len());
    for step in 0..6 {
        let factor = [1.0, 10.0, 0.5][step % 3];
        let changed =
            optimizer.clip_update(0.1 * factor).clip_gradient_norm(1e-3 * factor).trust(1e-9 * factor);
        rig.state.set_limits(changed.limits).unwrap();
        rig.step(Pass::FULL);
        let (gradient, diagonal) = (rig.read(rig.state.gradient()), rig.read(rig.state.diagonal()));
        state.step(&changed, &mut parameters, &to_f64(&gradient), &to_f64(&diagonal)).unwrap();
        compare(&format!("step {step}"), &to_f64(&rig.parameters()), &parameters, 2e-6).unwrap();
    }
    let before = *rig.state.optimizer().unwrap();
    for refused in
        [Limits::NONE, optimizer.clip_gradient(1.0).limits, optimizer.unlimited().trust(1.0).limits]
    {
        assert!(matches!(rig.state.set_limits(refused), Err(Error::NotPlanned { .. })), "{refused:?}");
    }
    for wrong in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = rig.state.set_limits(optimizer.clip_update(wrong).limits).unwrap_err();
        assert!(matches!(error, Error::Value { name: "clip_update", .. }), "{error:?}");
    }
    assert_eq!(rig.state.optimizer(), Some(&before));
}

/// What is not finite is told whatever limits it meets, with its step.
#[test]
fn limits_hide_nothing_that_is_not_finite() {
    for (turn, rule) in rules().into_iter().enumerate() {
        for (index, optimizer) in share_from(ways(rule).into_iter().enumerate(), 2, turn) {
            // Each plan, and each value, in turn.
            let options = plans(rule.mode())[(turn + index) % 3].clone();
            let bad = [f32::NAN, f32::INFINITY][(turn + index) % 2];
            let sample = Sample::new(dense(), BATCH, 4);
            let rig = Rig::new(&context(), &sample, optimizer, &Groups::default(), options);
            rig.step(Pass::FULL);
            assert_eq!(rig.state.read_divergence(), Ok(()), "{optimizer:?}");
            // Tanh saturates at an infinity, whose product with the signal is not finite.
            let mut x = sample.x.clone();
            x[7] = bad;
            rig.plan.write_input(&x).unwrap();
            rig.step(Pass::FULL);
            let step = (!matches!(rule, Rule::Sgd { .. })).then_some(2);
            let told = Error::Diverged { what: "a parameter or what the optimiser keeps", step };
            assert_eq!(rig.state.read_divergence(), Err(told), "{optimizer:?} {bad}");
        }
    }
}

/// One sample that the network is as sure of as can be, and wrong: softmax has no curvature there. One step threw weights a
/// hundred thousand far.
#[test]
fn a_confident_wrong_answer_moves_little() {
    let model = Model::builder([2]).dense_no_bias(2).loss(Loss::cross_entropy()).unwrap();
    let mut sample = Sample::new(model, 1, 4);
    sample.x = vec![1.0, 1.0];
    sample.targets = crate::common::golden::OwnedTargets::Classes(vec![0]);
    sample.parameters[..4].copy_from_slice(&[-60.0, -60.0, 60.0, 60.0]);
    let far = |optimizer: Optimizer, options: PlanOptions| {
        let rig = Rig::new(&context(), &sample, optimizer, &Groups::default(), options);
        rig.step(Pass::FULL);
        assert_eq!(rig.state.read_divergence(), Ok(()));
        let moved =
            rig.parameters().into_iter().zip(&sample.parameters).map(|(now, then)| (now - then).abs());
        moved.fold(0.0, f32::max)
    };
    for new in [Optimizer::ada_hesscale, Optimizer::ada_hesscale_gn, Optimizer::ada_hesscale_abs] {
        let optimizer = new(1e-3);
        for options in plans(optimizer.rule.mode()) {
            assert!(far(optimizer.unlimited(), options.clone()) > 5e4);
            assert!(far(optimizer, options) <= 1.01e-2);
        }
    }
}

/// Deep and relu: where a unit is off for all samples its weights have no curvature. This went to NaN within eight steps.
#[test]
fn a_deep_relu_network_stays_finite() {
    let layers = (0..4).fold(Model::builder([64]), |layers, _| layers.dense(300).act(Activation::Relu));
    let model = layers.dense(100).loss(Loss::cross_entropy()).unwrap();
    let mut sample = Sample::new(model, 32, 4);
    sample.parameters = sample.model.init(Default::default(), 1).unwrap();
    let train = |optimizer: Optimizer, steps: usize| {
        let options = PlanOptions::training(Mode::HesScale).fused_update();
        let rig = Rig::new(&context(), &sample, optimizer, &Groups::default(), options);
        (0..steps).for_each(|_| rig.step(Pass::FULL));
        (rig.state.read_divergence(), rig.read(rig.plan.loss().unwrap())[0])
    };
    assert!(matches!(train(Optimizer::ada_hesscale(1e-3).unlimited(), 8), (Err(Error::Diverged { .. }), _)));
    let (told, loss) = train(Optimizer::ada_hesscale(1e-3), 20);
    assert!(told.is_ok() && loss < 0.1, "{told:?} {loss}");
}

fn said(error: f32, first: bool) -> Transition {
    Transition { error, first }
}

fn transitions() -> [Transition; 5] {
    [said(-3.0, true), said(0.25, false), said(0.0, false), said(2.0, true), said(9.0, false)]
}

/// ObGD: what the host says of each step takes no new plan, and bounds it. In a whole network one workgroup has the batch, or several
/// share it.
#[test]
fn transitions_change_between_steps() {
    let sample = Sample::new(images(), BATCH, 4);
    let [few, many] = [BATCH, 70].map(|batch| Sample::new(dense(), batch, 4));
    let (obgd, adaptive) = (Optimizer::obgd(0.1), Optimizer::adaptive_obgd(0.01).eps(0.02));
    let limited = adaptive.clip_gradient_norm(0.05).average(0.9).weight_decay(0.1);
    let [apart, fused, joined] = plans(Mode::None);
    let whole = apart.clone().whole_network(true);
    for (turn, (sample, optimizer, options)) in [
        (&sample, obgd, &apart),
        (&sample, adaptive, &fused),
        (&sample, obgd.learning_rate(1e-4), &joined),
        (&sample, limited, &apart),
        (&few, obgd, &whole),
        (&many, adaptive, &whole),
    ]
    .into_iter()
    .enumerate()
    {
        let groups = if turn % 2 == 0 { Groups::default() } else { groups() };
        let spans = groups.spans(&sample.model, &optimizer).unwrap();
        let context = of_class(DeviceClass::ALL[turn % 3]);
        let mut rig = Rig::new(&context, sample, optimizer, &groups, options.clone());
        let (x, mut parameters) = (to_f64(&sample.x), to_f64(&sample.parameters));
        let mut state = OptimizerState::new(parameters.len());
        for transition in transitions() {
            let before = parameters.clone();
            rig.state.set_transition(transition).unwrap();
            rig.step(Pass::FULL);
            let found = pass(&sample.model, Mode::None, &parameters, &x, sample.targets.view()).unwrap();
            let told = optimizer.transition(transition);
            state.step_spans(&told, &spans, &mut parameters, &found.gradient, &[]).unwrap();
            let what = format!("{optimizer:?} {transition:?}");
            compare(&what, &to_f64(&rig.parameters()), &parameters, 2e-5).unwrap();
            let (first, second) = rig.state.moments();
            compare(&what, &to_f64(&rig.read(first.unwrap())), &state.m, 2e-5).unwrap();
            if let Some(second) = second {
                compare(&what, &to_f64(&rig.read(second)), &state.v, 2e-5).unwrap();
            }
            let decays = optimizer.weight_decay > 0.0 || !groups.is_empty();
            assert!(decays || (before == parameters) == (transition.error == 0.0), "{what}");
        }
        let refused = rig.state.set_transition(said(f32::NAN, false)).unwrap_err();
        assert!(matches!(refused, Error::Value { name: "temporal-difference error", .. }), "{refused}");
        assert_eq!(rig.state.read_divergence(), Ok(()));
    }
    let mut sgd = State::new(&context(), &sample.model, Some(Optimizer::sgd(0.1))).unwrap();
    assert!(matches!(sgd.set_transition(said(1.0, true)), Err(Error::Setting { rule: "sgd", .. })));
}

/// The gradient of an estimate, whose error the host has from it: no loss of the plan's own.
#[test]
fn transitions_of_the_hosts_signal() {
    let sample = Sample::new(dense().with_loss(Loss::external()).unwrap(), 1, 4);
    let mut random = fastrand::Rng::with_seed(3);
    for (optimizer, class) in [
        (Optimizer::obgd(0.1), DeviceClass::Software),
        (Optimizer::adaptive_obgd(0.01).eps(0.02), DeviceClass::Discrete),
    ] {
        let options = PlanOptions::training(Mode::None).fused_update();
        let mut rig = Rig::new(&of_class(class), &sample, optimizer, &Groups::default(), options);
        let (x, mut parameters) = (to_f64(&sample.x), to_f64(&sample.parameters));
        let mut state = OptimizerState::new(parameters.len());
        for transition in transitions() {
            let g: Vec<f32> = (0..sample.model.outputs()).map(|_| random.f32() - 0.4).collect();
            rig.plan.write_signal(g[..].into()).unwrap();
            rig.state.set_transition(transition).unwrap();
            submit(&rig.context, |encoder| {
                rig.plan.record_forward(encoder);
                rig.plan.record_backward_step(encoder, Pass::FULL).unwrap();
            });
            let signal = to_f64(&g);
            let signal = signal[..].into();
            let found =
                pass_from_signal(&sample.model, Mode::None, &parameters, &x, signal, Noise::default())
                    .unwrap();
            state.step(&optimizer.transition(transition), &mut parameters, &found.gradient, &[]).unwrap();
            let what = format!("{optimizer:?} {transition:?}");
            compare(&what, &to_f64(&rig.parameters()), &parameters, 2e-5).unwrap();
            compare(&what, &to_f64(&rig.read(rig.state.moments().0.unwrap())), &state.m, 2e-5).unwrap();
        }
        assert_eq!(rig.state.read_divergence(), Ok(()));
    }
}

/// The same steps on a GPU and on the CPU, and from a checkpoint, which says nothing of a transition.
#[test]
fn trainers_with_traces_step_alike() {
    let sample = Sample::new(dense(), BATCH, 4);
    let options = || TrainerOptions::default().seed(3);
    for optimizer in [Optimizer::obgd(0.5), Optimizer::adaptive_obgd(0.01).eps(0.02)] {
        let mut gpu = Trainer::new(&context(), &sample.model, optimizer, options()).unwrap();
        let mut cpu = Trainer::on_cpu(&sample.model, optimizer, options()).unwrap();
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(optimizer.rule.name());
        for (step, error) in [0.5, -4.0, 1.0, 2.0].into_iter().enumerate() {
            for trainer in [&mut gpu, &mut cpu] {
                trainer.set_transition(Transition { error, first: step == 2 }).unwrap();
                trainer.step(&sample.x, sample.targets.view()).unwrap();
            }
            let (got, want) = (gpu.parameters().unwrap(), to_f64(&cpu.parameters().unwrap()));
            compare(&format!("{optimizer:?}, step {step}"), &to_f64(&got), &want, 2e-5).unwrap();
            let (from, to) = if step % 2 == 0 { (&cpu, &mut gpu) } else { (&gpu, &mut cpu) };
            from.save(&path).unwrap();
            to.load(&path).unwrap();
        }
    }
}

fn groups() -> Groups {
    let slow = Group::new().rate(0.25).weight_decay(0.5);
    Groups::new()
        .with("*", slow)
        .with("*.bias", Group::new().weight_decay(0.0))
        .with("2.*", Group::new().frozen())
}

#[test]
fn groups_follow_the_reference() {
    for model in [dense(), images()] {
        let sample = Sample::new(model, BATCH, 4);
        for (turn, rule) in rules().into_iter().enumerate() {
            let all = ways(rule);
            let ways = [all[0], all[2], *all.last().unwrap()].into_iter();
            let ways = ways.flat_map(|o| plans(rule.mode()).map(|p| (o, p)));
            for (optimizer, options) in share_from(ways, 4, turn) {
                follows(&context(), &sample, optimizer, &groups(), &options);
            }
        }
    }
    let sample = Sample::new(dense(), BATCH, 4);
    let whole = PlanOptions::training(Mode::HesScale).lazy().whole_network(true);
    let optimizer = ways(rules()[2])[2];
    // Of each group's numbers none is without effect.
    let all = reference(&sample, optimizer, &groups()).0;
    for other in [Group::new().rate(0.25), Group::new().weight_decay(0.5)].map(|g| groups().with("4.*", g)) {
        assert!(relative_max_norm(&reference(&sample, optimizer, &other).0, &all) > 1e-3, "{other:?}");
    }
    for context in classes(&sample, optimizer, std::slice::from_ref(&whole)) {
        follows(&context, &sample, optimizer, &groups(), &whole);
    }
}

/// Bits of parameters and moments, whatever the optimiser; here the values would not survive arithmetic.
#[test]
fn what_is_frozen_keeps_its_bits() {
    let mut sample = Sample::new(dense(), BATCH, 4);
    let frozen = sample.model.parameters()[3].range();
    sample.parameters[frozen.clone()].copy_from_slice(&[-0.0, f32::MIN_POSITIVE / 3.0].repeat(14));
    let groups = Groups::new().with("2.bias", Group::new().frozen());
    for (turn, rule) in rules().into_iter().enumerate() {
        for (index, optimizer) in share_from(ways(rule).into_iter().enumerate(), 2, turn) {
            // Each plan in turn.
            let [apart, fused, joined] = plans(rule.mode());
            let whole = apart.clone().whole_network(true);
            let options = [apart, fused, joined, whole][(turn + index) % 4].clone();
            let rig = Rig::new(&context(), &sample, optimizer, &groups, options);
            (0..3).for_each(|_| rig.step(Pass::FULL));
            let now = rig.parameters();
            assert_eq!(bits(&now[frozen.clone()]), bits(&sample.parameters[frozen.clone()]), "{optimizer:?}");
            assert_ne!(now[..frozen.start], sample.parameters[..frozen.start]);
            let (first, second) = rig.state.moments();
            for moment in [first, second].into_iter().flatten() {
                assert!(rig.read(moment)[frozen.clone()].iter().all(|m| m.to_bits() == 0));
            }
        }
    }
}

/// The kernels of a step by what they do.
fn kernels(model: &Model, groups: &Groups, options: PlanOptions) -> (usize, usize, usize) {
    let sample = Sample::new(model.clone(), BATCH, 4);
    let rig = Rig::new(&context(), &sample, ways(rules()[2])[0], groups, options);
    let labels: Vec<String> = rig.plan.dispatches().map(|(label, _)| label.to_owned()).collect();
    let count =
        |what: &[&str]| labels.iter().filter(|label| what.iter().any(|what| label.contains(what))).count();
    (count(&["parameters", "gemm partial"]), count(&["signal"]), count(&["optimizer adahesscale"]))
}

/// Nothing is computed for a frozen layer that nobody needs: no sums of its parameters, and no signal below the lowest layer that
/// is trained.
#[test]
fn nothing_is_computed_for_what_is_frozen() {
    let options = || PlanOptions::training(Mode::HesScale).whole_network(false);
    let frozen = |patterns: &[&str]| {
        patterns.iter().fold(Groups::new(), |groups, pattern| groups.with(*pattern, Group::new().frozen()))
    };
    let dense = |patterns: &[&str]| kernels(&dense(), &frozen(patterns), options());
    assert_eq!(dense(&[]), (3, 2, 1));
    assert_eq!(dense(&["0.*"]), (2, 1, 1));
    assert_eq!(dense(&["0.*", "2.*"]), (1, 0, 1));
    // The signal must pass.
    assert_eq!(dense(&["2.*"]), (2, 2, 1));
    assert_eq!(dense(&["4.*"]), (2, 2, 1));
    // A bias is summed with its weight.
    assert_eq!(dense(&["*.weight"]), (3, 2, 1));
    assert_eq!(dense(&["*"]), (0, 0, 0));
    let images = |patterns: &[&str]| kernels(&images(), &frozen(patterns), options());
    let (sums, signals, _) = images(&[]);
    let (fewer, below, updates) = images(&["0.*", "2.*"]);
    assert!(fewer == sums - 2 && below < signals && updates == 1, "{fewer} of {sums}, {below} of {signals}");
    assert_eq!(images(&["0.*", "2.*", "3.*", "6.*"]), (1, 0, 1));
    // A network is not taken as a whole to compute what nobody needs.
    let discrete = of_class(DeviceClass::Discrete);
    let of = |groups: &Groups| {
        let sample = Sample::new(self::dense(), BATCH, 4);
        let rig =
            Rig::new(&discrete, &sample, ways(rules()[2])[0], groups, PlanOptions::training(Mode::HesScale));
        rig.plan.dispatches().any(|(label, _)| label.contains("whole"))
    };
    assert!(of(&frozen(&[])) && !of(&frozen(&["0.*"])));
    // Inference computes nothing of it either way.
    let state = |groups: &Groups| {
        State::with_groups(&discrete, &self::dense(), None, groups, StateBuffers::default()).unwrap()
    };
    let inference = |groups: &Groups| {
        Plan::new(&discrete, &self::dense(), &state(groups), BATCH, PlanOptions::inference()).unwrap()
    };
    let count = |groups: &Groups| inference(groups).dispatches().count();
    assert_eq!((count(&frozen(&[])), count(&frozen(&["0.*"]))), (1, 1));
}

/// A mean of the parameters begins with them, so they must be known.
#[test]
fn a_mean_of_the_hosts_buffer_is_refused() {
    let context = context();
    let model = dense();
    let buffer = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4 * model.flat_len() as u64,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let buffers = || StateBuffers::default().parameters(&buffer);
    let state = |optimizer| State::with_buffers(&context, &model, Some(optimizer), buffers());
    assert!(state(Optimizer::sgd(0.1)).is_ok());
    let refused = state(Optimizer::sgd(0.1).average(0.9)).unwrap_err();
    assert!(matches!(refused, Error::NotPlanned { .. }), "{refused}");
}

/// Every layer that has parameters: the one behind the first is frozen, and its sums are no longer there.
#[test]
fn layers_of_every_kind_are_frozen() {
    let image = || Model::builder([2, 5, 6]).conv2d(4, 3);
    let kinds = [
        ("dense", Model::builder([6]).dense(5).dense(7)),
        ("convolution", image().conv2d(3, 2).flatten()),
        ("depthwise", image().layer(Conv2d::new(4, 2).groups(4)).flatten()),
        ("batch norm", image().layer(norm(4)).flatten()),
        ("group norm", image().group_norm(2).flatten()),
        ("layer norm", Model::builder([6]).dense(5).layer_norm()),
        ("RMS norm", Model::builder([6]).dense(5).rms_norm()),
    ];
    for (name, builder) in kinds {
        let model = builder.dense(4).loss(Loss::cross_entropy()).unwrap();
        let frozen = Groups::new().with("1.*", Group::new().frozen());
        let sums = |groups: &Groups| {
            let options = PlanOptions::training(Mode::HesScale).whole_network(false);
            let sample = Sample::new(model.clone(), BATCH, 4);
            let rig = Rig::new(&context(), &sample, ways(rules()[2])[0], groups, options);
            rig.plan.dispatches().count()
        };
        let (all, without) = (sums(&Groups::new()), sums(&frozen));
        assert!(without < all, "{name}: {without} dispatches of {all}");
    }
}

#[test]
fn wrong_groups_are_refused() {
    let new = |groups: &Groups| {
        State::with_groups(&context(), &dense(), Some(Optimizer::sgd(0.1)), groups, StateBuffers::default())
            .unwrap_err()
    };
    let error = new(&Groups::new().with("0.*", Group::new()).with("conv1.*", Group::new().frozen()));
    assert!(matches!(&error, Error::Unknown { name, .. } if name == "conv1.*"), "{error}");
    for (group, wrong) in [
        (Group::new().rate(-1.0), "rate"),
        (Group::new().rate(f32::NAN), "rate"),
        (Group::new().weight_decay(-0.1), "weight decay"),
    ] {
        let error = new(&Groups::new().with("*.bias", group));
        assert!(
            matches!(&error, Error::Value { place, name, .. } if place.contains("*.bias") && *name == wrong),
            "{error}"
        );
    }
}
