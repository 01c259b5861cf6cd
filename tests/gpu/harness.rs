//! A context shared by all tests, and whole passes with all results read back.

use crate::common::golden::OwnedTargets;
pub(crate) use crate::common::not_run::not_run;
use crate::common::{compare, inputs, tiles, to_f64};
use crate::problem::{sample_weights, targets};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{Group, Groups, Noise, Role, Rule, Targets};
use hesscale::reference::{self, OptimizerState};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::{DeviceClass, Outline, TileTable};
use hesscale::{
    At, Context, Dtype, Mode, Model, Optimizer, Pass, Plan, PlanOptions, Request, Result, State, Tensor,
};
use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;

/// The adapter to test: `HESSCALE_ADAPTER` selects one by part of its name. `HESSCALE_CLASS` names a class of device whose tiles
/// are used on any adapter.
pub(crate) fn request(checked: bool) -> Request {
    let class = std::env::var("HESSCALE_CLASS").ok().map(|class| match class.as_str() {
        "software" => DeviceClass::Software,
        "integrated" => DeviceClass::Integrated,
        "discrete" => DeviceClass::Discrete,
        "apple" => DeviceClass::Apple,
        "mobile" => DeviceClass::Mobile,
        other => panic!("HESSCALE_CLASS is `{other}`, no class of device"),
    });
    let mut request = Request::from_env();
    (request.options.checked, request.options.class) = (checked, class);
    request
}

/// Whether to spare the adapter: software ones spend nine tenths of these tests on compiling shaders. GPUs run everything, and with
/// `HESSCALE_TESTS=all` software does, as `cargo xtask portability` has it.
pub(crate) fn spared() -> bool {
    static SPARED: OnceLock<bool> = OnceLock::new();
    let is_software = || {
        let context = pollster::block_on(Context::request_with(&Request::from_env())).expect("an adapter");
        context.class() == DeviceClass::Software
    };
    let all = || std::env::var_os("HESSCALE_TESTS").is_some_and(|tests| tests == "all");
    *SPARED.get_or_init(|| !all() && is_software())
}

/// All of a list, or on an adapter that is spared every `each`-th.
pub(crate) fn share<I: IntoIterator>(list: I, each: usize) -> impl Iterator<Item = I::Item> {
    share_from(list, each, 0)
}

/// The same, but which ones depends on the turn.
pub(crate) fn share_from<I: IntoIterator>(
    list: I,
    each: usize,
    turn: usize,
) -> impl Iterator<Item = I::Item> {
    let (first, each) = if spared() { (turn % each, each) } else { (0, 1) };
    list.into_iter().skip(first).step_by(each)
}

/// Small tiles where the adapter is spared: it compiles them in a quarter of the time. They are for tests of all else than tiles.
pub(crate) fn small_tiles(class: DeviceClass) -> Option<TileTable> {
    spared().then(|| tiles::small(class))
}

/// The same with [`small_tiles`].
fn small(mut request: Request) -> Request {
    request.options.tiles = small_tiles(request.options.class.unwrap_or(DeviceClass::Software));
    request
}

fn is_checked() -> bool {
    std::env::var_os("HESSCALE_CHECKED").is_some_and(|value| value == "1")
}

/// As users get it, shared. `HESSCALE_CHECKED=1`: with wgpu's run-time checks, in every test.
pub(crate) fn context_with_own_tiles() -> Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    let make = || pollster::block_on(Context::request_with(&request(is_checked()))).expect("an adapter");
    CONTEXT.get_or_init(make).clone()
}

/// With [`small_tiles`]; shared, so that each shader is compiled once.
pub(crate) fn context() -> Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    let make = || {
        let checked = is_checked();
        let context = pollster::block_on(Context::request_with(&small(request(checked))));
        let context =
            context.unwrap_or_else(|e| panic!("the GPU tests need an adapter, a software one at least: {e}"));
        println!("adapter: {}{}", context.describe(), if checked { ", checked" } else { "" });
        context
    };
    CONTEXT.get_or_init(make).clone()
}

/// The same with wgpu's run-time checks.
pub(crate) fn checked_context() -> Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    CONTEXT
        .get_or_init(|| pollster::block_on(Context::request_with(&small(request(true)))).expect("an adapter"))
        .clone()
}

/// A context that treats the adapter as that class of device, with [`small_tiles`], and f16 if available. Each test has its own, and
/// few are kept: pipelines on software adapters take megabytes, those of all tests together gigabytes.
pub(crate) fn of_class(class: DeviceClass) -> Context {
    latest_of_class(class, small)
}

/// The same with the tiles that the class has for users.
pub(crate) fn of_class_with_own_tiles(class: DeviceClass) -> Context {
    latest_of_class(class, |request| request)
}

fn latest_of_class(class: DeviceClass, tiles: fn(Request) -> Request) -> Context {
    type Latest = VecDeque<(ThreadId, DeviceClass, bool, Context)>;
    static LATEST: Mutex<Latest> = Mutex::new(VecDeque::new());
    let mut request = request(false).features(hesscale::wgpu::Features::SHADER_F16);
    request.options.class = Some(class);
    let request = tiles(request);
    let (test, small) = (std::thread::current().id(), request.options.tiles.is_some());
    let latest = || LATEST.lock().unwrap_or_else(PoisonError::into_inner);
    let known = |(of, known, tiles, _): &&(_, _, _, _)| (*of, *known, *tiles) == (test, class, small);
    if let Some((.., context)) = latest().iter().find(known) {
        return context.clone();
    }
    let context = pollster::block_on(Context::request_with(&request)).expect("an adapter");
    let mut latest = latest();
    latest.push_back((test, class, small, context.clone()));
    let old = if latest.len() > 2 * DeviceClass::ALL.len() { latest.pop_front() } else { None };
    drop(latest);
    drop(old);
    context
}

/// The contexts of which each would run something of its own in some of these plans: of those with the same kernels in all of them
/// the first. So a test of what the kernels do need not run the same ones once for each class.
pub(crate) fn distinct(
    contexts: impl IntoIterator<Item = Context>,
    model: &Model,
    batch: usize,
    optimizer: Option<Optimizer>,
    plans: &[PlanOptions],
) -> Vec<Context> {
    let mut known: Vec<Vec<Result<Outline>>> = Vec::new();
    let outline = |context: &Context| {
        plans.iter().map(|plan| Outline::on(context, model, batch, optimizer.as_ref(), plan)).collect()
    };
    let is_new = |context: &Context| {
        let outlines = outline(context);
        let new = !known.contains(&outlines);
        known.push(outlines);
        new
    };
    contexts.into_iter().filter(is_new).collect()
}

/// The results of a pass on the GPU.
pub(crate) struct Outcome {
    pub(crate) loss: f32,
    pub(crate) logits: Vec<f32>,
    pub(crate) gradient: Vec<f32>,
    pub(crate) diagonal: Vec<f32>,
    /// At each layer's output: g, and the diagonal if the mode has one.
    pub(crate) signals: Vec<(Vec<f32>, Vec<f32>)>,
    pub(crate) input_signal: (Vec<f32>, Vec<f32>),
}

/// Forward and backward, signals kept at every layer and at the input.
pub(crate) fn run_with_signals(
    context: &Context,
    model: &Model,
    mode: Mode,
    parameters: &[f32],
    x: &[f32],
    targets: Targets<'_>,
) -> Result<Outcome> {
    let mut options = PlanOptions::training(mode).signal(At::Input);
    for i in 0..model.layers().len() {
        options = options.signal(At::Layer(i));
    }
    run(context, model, options, parameters, x, targets)
}

/// Forward and backward under `options`.
pub(crate) fn run(
    context: &Context,
    model: &Model,
    options: PlanOptions,
    parameters: &[f32],
    x: &[f32],
    targets: Targets<'_>,
) -> Result<Outcome> {
    run_weighted(context, model, options, parameters, x, (targets, None))
}

/// The same with a weight for each sample.
pub(crate) fn run_weighted(
    context: &Context,
    model: &Model,
    mut options: PlanOptions,
    parameters: &[f32],
    x: &[f32],
    (targets, weights): (Targets<'_>, Option<&[f32]>),
) -> Result<Outcome> {
    options.sample_weights |= weights.is_some();
    run_after(context, model, options, parameters, (x, targets), |plan| {
        weights.map_or(Ok(()), |weights| plan.write_sample_weights(weights))
    })
}

/// The same after the host has written what else the plan takes.
fn run_after(
    context: &Context,
    model: &Model,
    options: PlanOptions,
    parameters: &[f32],
    (x, targets): (&[f32], Targets<'_>),
    write: impl FnOnce(&Plan) -> Result<()>,
) -> Result<Outcome> {
    let state = State::new(context, model, None)?;
    state.write_parameters(parameters)?;
    let places: Vec<At> = options.signals.clone();
    let with_diagonal = options.mode.has_diagonal();
    let plan = Plan::new(context, model, &state, x.len() / model.inputs(), options)?;
    plan.write_input(x)?;
    plan.write_targets(targets)?;
    write(&plan)?;
    let mut encoder = context.device().create_command_encoder(&Default::default());
    plan.record_gradient(&mut encoder, Pass::FULL)?;
    context.queue().submit([encoder.finish()]);
    let mut tensors = vec![plan.loss()?, plan.logits(), state.gradient(), state.diagonal()];
    for at in &places {
        tensors.push(plan.signal_gradient(*at)?);
        if with_diagonal {
            tensors.push(plan.signal_diagonal(*at)?);
        }
    }
    let mut read = context.read_blocking(&tensors)?.into_iter();
    let mut next = || read.next().expect("as many as were asked for");
    let (loss, logits, mut gradient, mut diagonal) = (next()[0], next(), next(), next());
    gradient.truncate(model.flat_len());
    diagonal.truncate(model.flat_len());
    let (mut signals, mut input_signal) =
        (vec![Default::default(); model.layers().len()], Default::default());
    for at in places {
        let signal = (next(), if with_diagonal { next() } else { Vec::new() });
        match at {
            At::Input => input_signal = signal,
            At::Layer(i) => signals[i] = signal,
        }
    }
    Ok(Outcome { loss, logits, gradient, diagonal, signals, input_signal })
}

/// Records with `record`, submits.
pub(crate) fn submit(context: &Context, record: impl FnOnce(&mut hesscale::wgpu::CommandEncoder)) {
    let mut encoder = context.device().create_command_encoder(&Default::default());
    record(&mut encoder);
    context.queue().submit([encoder.finish()]);
}

/// A host's device, as in a graphics application, with these limits and no features.
pub(crate) fn host_device(limits: hesscale::wgpu::Limits) -> (hesscale::wgpu::Device, hesscale::wgpu::Queue) {
    use hesscale::wgpu;
    pollster::block_on(async {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
        let wanted = request(false).adapter.unwrap_or_default().to_lowercase();
        let mut named =
            adapters.iter().filter(|a| format!("{:?}", a.get_info()).to_lowercase().contains(&wanted));
        let adapter = match (wanted.is_empty(), named.next()) {
            (false, Some(adapter)) => adapter.clone(),
            _ => instance.request_adapter(&Default::default()).await.expect("an adapter"),
        };
        let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
        adapter.request_device(&descriptor).await.expect("a device")
    })
}

/// The classes that have kernels of a family of their own.
pub(crate) const CLASSES: [DeviceClass; 3] =
    [DeviceClass::Software, DeviceClass::Integrated, DeviceClass::Discrete];

/// Networks in five modes, over three classes of device; on a spared adapter in every second of them, one network in other ones than
/// the next.
pub(crate) fn networks_follow(networks: impl IntoIterator<Item = (&'static str, Model)>) {
    for (turn, (name, model)) in networks.into_iter().enumerate() {
        let sample = Sample::new(model, 37, 3);
        let ways = [
            (Mode::HesScaleR2, CLASSES[0]),
            (Mode::None, CLASSES[0]),
            (Mode::HesScale, CLASSES[1]),
            (Mode::HesScaleR1, CLASSES[2]),
            (Mode::HesScaleGn, CLASSES[0]),
        ];
        for (mode, class) in share_from(ways, 2, turn) {
            let kept = if mode == Mode::HesScale { sample.places() } else { Vec::new() };
            let outcome = sample.follows(&of_class(class), mode, &kept);
            outcome.unwrap_or_else(|fault| panic!("{name}, {mode:?}, {class:?}: {fault}"));
        }
    }
}

/// Some steps in each class, on a spared adapter in one, go where they go on the CPU.
pub(crate) fn networks_train(networks: impl IntoIterator<Item = (&'static str, Model)>) {
    for (turn, (_, model)) in networks.into_iter().enumerate() {
        let sample = Sample::new(model, 13, 6);
        share_from(CLASSES, 3, turn).for_each(|class| sample.trains_beside_frozen(&of_class(class), &[]));
    }
}

/// A problem whose values are exact in f32, with weights scaled to their layer's width.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) model: Model,
    pub(crate) batch: usize,
    pub(crate) parameters: Vec<f32>,
    pub(crate) x: Vec<f32>,
    pub(crate) targets: OwnedTargets,
}

impl Sample {
    pub(crate) fn new(model: Model, batch: usize, seed: u64) -> Sample {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut parameters = vec![0.0; model.flat_len()];
        for p in model.parameters() {
            // A normalisation's γ, which has one dimension, is near 1; other weights as their fan-in asks.
            let (middle, reach) = match (p.role, &p.shape[1..]) {
                (Role::Weight, []) => (1.0, 0.5),
                (Role::Weight, fan_in) => (0.0, (3.0 / fan_in.iter().product::<usize>() as f32).sqrt()),
                (Role::Bias, _) => (0.0, 0.5),
            };
            parameters[p.range()].fill_with(|| middle + (random.f32() * 2.0 - 1.0) * reach);
        }
        let x = inputs(&model, batch, || random.f32().into()).into_iter().map(|x| x as f32).collect();
        let targets = targets(&model, batch, &mut random);
        Sample { model, batch, parameters, x, targets }
    }

    pub(crate) fn on(&self, context: &Context, options: PlanOptions) -> Outcome {
        run(context, &self.model, options, &self.parameters, &self.x, self.targets.view()).unwrap()
    }

    pub(crate) fn reference(&self, mode: Mode) -> reference::PassOutput<f64> {
        let (parameters, x) = (to_f64(&self.parameters), to_f64(&self.x));
        reference::pass(&self.model, mode, &parameters, &x, self.targets.view()).unwrap()
    }

    /// All places where a signal can be requested.
    pub(crate) fn places(&self) -> Vec<At> {
        std::iter::once(At::Input).chain((0..self.model.layers().len()).map(At::Layer)).collect()
    }

    /// Runs and checks a pass in `mode` with the signals kept at `places`.
    pub(crate) fn follows(&self, context: &Context, mode: Mode, places: &[At]) -> Judgement {
        self.follows_by(context, PlanOptions::training(mode), places)
    }

    /// The same under `options`.
    pub(crate) fn follows_by(&self, context: &Context, options: PlanOptions, places: &[At]) -> Judgement {
        let mode = options.mode;
        let options = places.iter().fold(options, |options, at| options.signal(*at));
        self.judge(&self.on(context, options), mode, places)
    }

    /// Loss, gradient and diagonal of a pass on the GPU and of one on the CPU, against the reference, each sample with its weight.
    pub(crate) fn follows_weighted(&self, context: &Context, options: PlanOptions, weights: Option<&[f32]>) {
        let Sample { model, batch, parameters, x, targets } = self;
        let (mode, noise, targets) = (options.mode, Noise::default(), targets.view());
        let (wide, far) = (to_f64(parameters), to_f64(x));
        let want = reference::weighted_pass(model, mode, &wide, &far, targets, weights, noise).unwrap();
        let near = |device: &str, loss: f32, gradient: &[f32], diagonal: &[f32]| {
            // Weighted losses have either sign, and may cancel.
            let all = [
                ("loss", &[loss][..], &[want.loss][..], 10.0 * BOUND),
                ("gradient", gradient, &want.gradient, BOUND),
                ("diagonal", diagonal, &want.diagonal, BOUND),
            ];
            for (part, got, want, bound) in &all[..if mode.has_diagonal() { 3 } else { 2 }] {
                compare(part, &to_f64(got), want, *bound).unwrap_or_else(|fault| {
                    let (class, loss) = (context.class(), model.loss());
                    panic!("{device}, {class:?} {mode:?} batch {batch} of {loss:?}: {fault}")
                });
            }
        };
        let got = run_weighted(context, model, options, parameters, x, (targets, weights)).unwrap();
        near("GPU", got.loss, &got.gradient, &got.diagonal);
        let mut executor = Executor::new(model, *batch, ExecutorOptions::training(mode)).unwrap();
        let loss = executor.weighted_pass(mode, parameters, x, targets, weights, noise).unwrap();
        near("CPU", loss, executor.gradient(), executor.diagonal());
    }

    /// Its first samples.
    fn first(&self, count: usize) -> Sample {
        let (inputs, targets) = (count * self.model.inputs(), count * self.model.target_len());
        Sample {
            model: self.model.clone(),
            batch: count,
            parameters: self.parameters.clone(),
            x: self.x[..inputs].to_vec(),
            targets: match &self.targets {
                OwnedTargets::Classes(classes) => OwnedTargets::Classes(classes[..targets].to_vec()),
                OwnedTargets::Values(values) => OwnedTargets::Values(values[..targets].to_vec()),
            },
        }
    }

    /// A pass over the first samples of a plan's batch, all rows behind them spoilt (but for classes: another one).
    pub(crate) fn follows_in_part(&self, context: &Context, options: PlanOptions, count: usize) -> Judgement {
        let (first, mode) = (self.first(count), options.mode);
        let (mut x, mut targets) = (self.x.clone(), self.targets.clone());
        // What a context lets be written.
        x[first.x.len()..].fill(if context.is_checked() { f32::MAX } else { f32::NAN });
        let behind = count * self.model.target_len()..;
        match &mut targets {
            OwnedTargets::Classes(classes) => classes[behind].fill(1),
            OwnedTargets::Values(values) => values[behind].fill(f32::NAN),
        }
        let given = (&x[..], targets.view());
        let write = |plan: &Plan| plan.write_count(count);
        let mut got =
            run_after(context, &self.model, options.partial(), &self.parameters, given, write).unwrap();
        got.logits.truncate(count * self.model.outputs());
        first.judge(&got, mode, &[])
    }

    /// A pass with what is between kernels stored in f16.
    pub(crate) fn follows_in_f16(&self, context: &Context, mode: Mode) -> Judgement {
        let got = self.on(context, PlanOptions::training(mode).storage(Dtype::F16));
        // As in `half`: each layer stores an output and a signal, each off by one unit, in squares by two; the terms of a sum may be
        // four times as large as the sum.
        let bound = 12.0 * (self.model.layers().len() + 1) as f64 / 2048.0;
        self.judge_within(&got, mode, &[], bound)
    }

    /// Four steps with some of the model's layers frozen: their parameters keep their bits, and all others go where they go on the CPU.
    pub(crate) fn trains_beside_frozen(&self, context: &Context, layers: &[&str]) {
        let frozen = |groups: Groups, layer: &&str| groups.with(format!("{layer}.*"), Group::new().frozen());
        let groups = layers.iter().fold(Groups::new(), frozen);
        let options = || {
            let mut options = TrainerOptions::default();
            options.groups.clone_from(&groups);
            options
        };
        let trained = |mut trainer: Trainer| {
            trainer.set_parameters(&self.parameters).unwrap();
            for step in 0..4 {
                let sample = Sample::new(self.model.clone(), self.batch, 100 + step);
                trainer.step(&sample.x, sample.targets.view()).unwrap();
            }
            trainer.parameters().unwrap()
        };
        let gpu = trained(Trainer::new(context, &self.model, brisk(), options()).unwrap());
        let cpu = trained(Trainer::on_cpu(&self.model, brisk(), options()).unwrap());
        for p in self.model.parameters() {
            let (name, before, got, want) =
                (p.name(), &self.parameters[p.range()], &gpu[p.range()], &cpu[p.range()]);
            if layers.contains(&p.path.as_str()) {
                assert_eq!([bits(got), bits(want)], [bits(before), bits(before)], "{name}");
                continue;
            }
            let way = |after: &[f32]| -> Vec<f64> {
                after
                    .iter()
                    .zip(before)
                    .map(|(after, before)| f64::from(*after) - f64::from(*before))
                    .collect()
            };
            let most = way(want).iter().fold(0.0_f64, |most, by| most.max(by.abs()));
            assert!(most > 1e-4, "{name} stands still: {most:e}");
            compare(&name, &way(got), &way(want), 5e-3).unwrap_or_else(|fault| panic!("{fault}"));
        }
    }

    /// The same pass added to itself.
    fn twice_is_double(&self, context: &Context, mode: Mode) {
        let (state, plan) = self.ready(context, None, PlanOptions::training(mode).accumulate(1.0));
        let results = |pass: Pass| {
            submit(context, |encoder| plan.record_gradient(encoder, pass).unwrap());
            context.read_blocking(&[state.gradient(), state.diagonal()]).unwrap()
        };
        let (once, twice) = (results(Pass::FULL), results(Pass::FULL.accumulating()));
        assert!(once[0].iter().any(|g| *g != 0.0));
        // A use of shared parameters adds to what the others have left: the sum rounds in another order.
        let is_shared = self.model.to_json().contains(r#""type":"shared""#);
        for (once, twice) in once.iter().zip(&twice) {
            let double: Vec<f32> = once.iter().map(|x| 2.0 * x).collect();
            if is_shared {
                compare("twice", &to_f64(twice), &to_f64(&double), 1e-6)
                    .unwrap_or_else(|fault| panic!("{fault}"));
            } else {
                assert_eq!(bits(&double), bits(twice), "{mode:?}");
            }
        }
    }

    /// Two steps whose update is fused, and two whose update is recorded by itself, end in the same place.
    fn steps_apart_as_fused(&self, context: &Context) {
        let optimizer = brisk();
        let options = PlanOptions::training(optimizer.rule.mode());
        let [fused, apart] = [options.clone().fused_update(), options].map(|options| {
            let is_fused = options.fused_update;
            let (state, plan) = self.ready(context, Some(optimizer), options);
            for _ in 0..2 {
                submit(context, |encoder| {
                    if is_fused {
                        return plan.record_step(encoder, Pass::FULL).unwrap();
                    }
                    plan.record_gradient(encoder, Pass::FULL).unwrap();
                    plan.record_update(encoder, Pass::FULL).unwrap();
                });
            }
            context.read_blocking(&[state.parameters()]).unwrap().swap_remove(0)
        });
        for p in self.model.parameters() {
            let way = |after: &[f32]| -> Vec<f64> {
                let pairs = after[p.range()].iter().zip(&self.parameters[p.range()]);
                pairs.map(|(after, before)| f64::from(*after) - f64::from(*before)).collect()
            };
            let (fused, apart) = (way(&fused), way(&apart));
            let most = apart.iter().fold(0.0_f64, |most, by| most.max(by.abs()));
            assert!(most > 1e-4, "{} stands still: {most:e}", p.name());
            compare(&p.name(), &fused, &apart, 1e-3).unwrap_or_else(|fault| panic!("{fault}"));
        }
    }

    /// A plan with all that it reads.
    fn ready(&self, context: &Context, optimizer: Option<Optimizer>, options: PlanOptions) -> (State, Plan) {
        let state = State::new(context, &self.model, optimizer).unwrap();
        state.write_parameters(&self.parameters).unwrap();
        let plan = Plan::new(context, &self.model, &state, self.batch, options).unwrap();
        plan.write_input(&self.x).unwrap();
        plan.write_targets(self.targets.view()).unwrap();
        (state, plan)
    }

    /// What else is asked of plans, classes and modes in turn: layers that are frozen, fewer samples than the batch, a weight for each,
    /// sums over two passes, updates apart, activations in f16. On a spared adapter half of that, in the next turn the other half.
    pub(crate) fn follows_in_plans_of_every_kind(&self, turn: usize, frozen: &[&str]) {
        let class = |kind: usize| of_class(CLASSES[(turn + kind) % 3]);
        let mode =
            |kind: usize| [Mode::HesScaleR1, Mode::HesScale, Mode::HesScaleR2, Mode::None][(turn + kind) % 4];
        let soundly =
            |what: &str, judged: Judgement| judged.unwrap_or_else(|fault| panic!("{what}, {turn}: {fault}"));
        let count = self.batch / 2 + 1;
        let (first, second) =
            if spared() { (turn.is_multiple_of(2), !turn.is_multiple_of(2)) } else { (true, true) };
        if first {
            self.trains_beside_frozen(&class(0), frozen);
            soundly("in part", self.follows_in_part(&class(1), PlanOptions::training(mode(1)), count));
            self.twice_is_double(&class(1), mode(1));
        }
        if !second {
            return;
        }
        let weights = sample_weights(self.batch, &mut fastrand::Rng::with_seed(8));
        self.follows_weighted(&class(2), PlanOptions::training(mode(2)), Some(&weights));
        self.steps_apart_as_fused(&class(2));
        if class(0).device().features().contains(hesscale::wgpu::Features::SHADER_F16) {
            soundly("f16", self.follows_in_f16(&class(0), mode(3)));
        } else {
            not_run("the adapter has no f16");
        }
    }

    /// Compares all results of a pass with the reference; returns the worst error.
    pub(crate) fn judge(&self, got: &Outcome, mode: Mode, places: &[At]) -> Judgement {
        self.judge_within(got, mode, places, BOUND)
    }

    fn judge_within(&self, got: &Outcome, mode: Mode, places: &[At], bound: f64) -> Judgement {
        let want = self.reference(mode);
        let mut worst = 0.0_f64;
        let mut near = |name: &str, got: &[f32], want: &[f64]| {
            compare(name, &to_f64(got), want, bound).map(|error| worst = worst.max(error))
        };
        near("loss", &[got.loss], &[want.loss])?;
        near("logits", &got.logits, &want.logits)?;
        for at in places {
            let (got, want) = match *at {
                At::Input => (&got.input_signal, &want.input_signal),
                At::Layer(i) => (&got.signals[i], &want.signals[i]),
            };
            near(&format!("g at {at:?}"), &got.0, &want.g)?;
            near(&format!("h at {at:?}"), &got.1, &want.h)?;
        }
        for p in self.model.parameters() {
            near(&format!("gradient {}", p.name()), &got.gradient[p.range()], &want.gradient[p.range()])?;
            if mode.has_diagonal() {
                near(&format!("diagonal {}", p.name()), &got.diagonal[p.range()], &want.diagonal[p.range()])?;
            }
        }
        Ok(worst)
    }
}

/// The names and operations of a plan's dispatches, after checking its step against the reference, so that only working plans are
/// counted.
pub(crate) fn counted(
    context: &Context,
    model: &Model,
    batch: usize,
    optimizer: Option<Optimizer>,
    options: PlanOptions,
) -> Vec<(String, u64)> {
    let (mode, training) = (options.mode, options.training);
    let sample = Sample::new(model.clone(), batch, 21);
    let state = State::new(context, model, optimizer).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let plan = Plan::new(context, model, &state, batch, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    if training {
        plan.write_targets(sample.targets.view()).unwrap();
    }
    submit(context, |encoder| match (training, optimizer) {
        (false, _) => plan.record_forward(encoder),
        (true, None) => plan.record_gradient(encoder, Pass::FULL).unwrap(),
        (true, Some(_)) => plan.record_step(encoder, Pass::FULL).unwrap(),
    });
    let want = sample.reference(mode);
    let near = |name: &str, tensor: &Tensor, want: &[f64], bound| {
        let got = context.read_blocking(&[tensor]).unwrap().remove(0);
        compare(name, &to_f64(&got[..want.len()]), want, bound).unwrap_or_else(|fault| panic!("{fault}"));
    };
    near("logits", plan.logits(), &want.logits, BOUND);
    if training {
        near("loss", plan.loss().unwrap(), &[want.loss], BOUND);
    }
    match optimizer.filter(|_| training) {
        Some(optimizer) => {
            let mut parameters = to_f64(&sample.parameters);
            let mut memory = OptimizerState::new(parameters.len());
            memory.step(&optimizer, &mut parameters, &want.gradient, &want.diagonal).unwrap();
            assert_ne!(parameters, to_f64(&sample.parameters), "a step moves something");
            near("parameters", state.parameters(), &parameters, BOUND);
        }
        None if training => {
            near("gradient", state.gradient(), &want.gradient, BOUND);
            if mode.has_diagonal() {
                near("diagonal", state.diagonal(), &want.diagonal, BOUND);
            }
        }
        None => {}
    }
    plan.dispatches().map(|(label, flops)| (label.to_owned(), flops)).collect()
}

/// AdaHesScale with an ε that keeps a step within what `f32` can follow.
pub(crate) fn steady() -> Optimizer {
    Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-2 }.at(1e-3)
}

/// The same with steps ten times as long, for a few of them.
fn brisk() -> Optimizer {
    steady().rule.at(1e-2)
}

/// Relative max norm of a tensor's error.
pub(crate) const BOUND: f64 = 1e-5;

/// The worst error, or the problem.
pub(crate) type Judgement = std::result::Result<f64, String>;

/// The bits of values, so that NaN equals itself and 0 differs from −0.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// The whole contents of a buffer, which must have been created with COPY_SRC.
pub(crate) fn read_buffer(context: &Context, buffer: &hesscale::wgpu::Buffer) -> Vec<u32> {
    use hesscale::wgpu;
    let staging = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: buffer.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    submit(context, |encoder| encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size()));
    staging.map_async(wgpu::MapMode::Read, .., |mapped| mapped.unwrap());
    context.wait().unwrap();
    let view = staging.get_mapped_range(..).unwrap();
    view.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}
