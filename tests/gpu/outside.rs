//! A signal from the host at the outputs does what a loss's own would.

use crate::common::{compare, to_f64};
use crate::harness::{
    BOUND, Sample, bits, checked_context, context, distinct, not_run, of_class, steady, submit,
};
use crate::layers::norm;
use hesscale::model::{Conv2d, MaxPool2d, Noise, OutputSignal, Targets};
use hesscale::reference::{self, OptimizerState, loss_and_signal};
use hesscale::tuning::DeviceClass;
use hesscale::{
    Activation, At, Context, Dtype, Error, Layer, Loss, Mode, Model, Optimizer, Pass, Pieces, Plan,
    PlanOptions, State, wgpu,
};

const TANH: Activation = Activation::Tanh;

/// The same networks with a loss, with batches on both sides of a tile's and a workgroup's rows.
fn networks() -> Vec<(&'static str, Model, usize)> {
    let classes = || Loss::cross_entropy().label_smoothing(0.1);
    let dense = || Model::builder([9]).dense(33).act(TANH).dense(16).act(Activation::Relu).dense(6);
    let image = || Model::builder([2, 6, 5]).layer(Conv2d::new(5, 3).same()).act(TANH);
    let residual = |m: hesscale::model::Builder| m.residual(|body| body.dense(7).act(TANH).dense(7));
    vec![
        ("dense, cross-entropy, one sample", dense().loss(classes()).unwrap(), 1),
        ("dense, cross-entropy", dense().loss(classes()).unwrap(), 40),
        ("dense, mse", dense().loss(Loss::mse()).unwrap(), 257),
        ("an activation at the end", dense().act(TANH).loss(Loss::mse().sum()).unwrap(), 40),
        ("a sum at the end", residual(Model::builder([9]).dense(7)).loss(Loss::mse()).unwrap(), 40),
        (
            "convolutions",
            {
                let body = image().layer(MaxPool2d::new(2)).layer(norm(5)).dropout(0.3).flatten();
                body.dense(4).loss(Loss::cross_entropy()).unwrap()
            },
            40,
        ),
        (
            "images out",
            image().residual(|body| body.layer(Conv2d::new(5, 3).same())).loss(Loss::mse()).unwrap(),
            3,
        ),
    ]
}

fn external(model: &Model) -> Model {
    model.clone().with_loss(Loss::external()).unwrap()
}

/// A signal with its parts owned.
#[derive(Debug, Clone, Default, PartialEq)]
struct Owned {
    g: Vec<f32>,
    h: Vec<f32>,
    u: Vec<Vec<f32>>,
}

impl Owned {
    /// The planes of a signal within a plan.
    fn of_planes(planes: &[f32], mode: Mode, len: usize) -> Owned {
        let stride = planes.len()
            / (1 + usize::from(mode.has_diagonal()) + mode.rank() + usize::from(mode.rank() > 0));
        let plane = |index: usize| planes[index * stride..][..len].to_vec();
        let h = if mode.rank() > 0 { 2 } else { 1 };
        Owned {
            g: plane(0),
            h: if mode.has_diagonal() { plane(h) } else { Vec::new() },
            u: (0..mode.rank()).map(|vector| plane(3 + vector)).collect(),
        }
    }

    fn of_loss(model: &Model, mode: Mode, logits: &[f32], targets: Targets<'_>) -> Owned {
        Owned::of(loss_and_signal(model, mode, &to_f64(logits), targets).unwrap().1)
    }

    fn of(signal: reference::Signal<f64>) -> Owned {
        let narrow = |values: &[f64]| values.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let h = if signal.u.is_empty() { &signal.h } else { &signal.rest };
        Owned { g: narrow(&signal.g), h: narrow(h), u: signal.u.iter().map(|u| narrow(u)).collect() }
    }

    fn with<R>(&self, work: impl FnOnce(OutputSignal<'_>) -> R) -> R {
        let u: Vec<&[f32]> = self.u.iter().map(|u| &u[..]).collect();
        work(OutputSignal { g: &self.g, h: &self.h, u: &u })
    }

    fn write(&self, plan: &Plan) {
        self.with(|signal| plan.write_signal(signal)).unwrap();
    }
}

/// What a pass leaves, by name; only the model's own of what is flat.
type Results = Vec<(String, Vec<f32>)>;

struct Rig {
    context: Context,
    state: State,
    plan: Plan,
}

impl Rig {
    fn new(context: &Context, sample: &Sample, model: &Model, options: PlanOptions) -> Rig {
        Rig::training(context, sample, model, None, options)
    }

    fn training(
        context: &Context,
        sample: &Sample,
        model: &Model,
        optimizer: Option<Optimizer>,
        options: PlanOptions,
    ) -> Rig {
        let state = State::new(context, model, optimizer).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        state.set_noise(Noise { seed: 3, step: 5 }).unwrap();
        let plan = Plan::new(context, model, &state, sample.batch, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        if !model.loss().is_external() {
            plan.write_targets(sample.targets.view()).unwrap();
        }
        Rig { context: context.clone(), state, plan }
    }

    fn submit(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
        submit(&self.context, record);
    }

    fn results(&self, places: &[At]) -> Results {
        let (state, plan) = (&self.state, &self.plan);
        let mut named = vec![("logits".to_owned(), plan.logits().clone())];
        for p in plan.model().parameters() {
            for flat in [state.parameters(), state.gradient(), state.diagonal()] {
                named.push((format!("{} of {}", flat.name(), p.name()), state.part(flat, p).unwrap()));
            }
            for moment in [state.moments().0, state.moments().1].into_iter().flatten() {
                named.push((format!("{} of {}", moment.name(), p.name()), state.part(moment, p).unwrap()));
            }
        }
        named.push(("noise".into(), state.noise_words().clone()));
        for at in places {
            named.push((format!("g at {at:?}"), plan.signal_gradient(*at).unwrap().clone()));
            if plan.mode().has_diagonal() {
                named.push((format!("d at {at:?}"), plan.signal_diagonal(*at).unwrap().clone()));
            }
        }
        let tensors: Vec<_> = named.iter().map(|(_, tensor)| tensor).collect();
        let read = self.context.read_blocking(&tensors).unwrap();
        named.into_iter().map(|(name, _)| name).zip(read).collect()
    }
}

/// The same bits; of HesScale-R's diagonal the same number to a few units of the last place, for there a loss may know the sum of
/// its parts better than the parts.
fn same(what: &str, mode: Mode, got: &Results, want: &Results) {
    assert_eq!(got.len(), want.len());
    for ((name, got), (_, want)) in got.iter().zip(want) {
        let curved = name.starts_with('d') && mode.rank() > 0;
        if curved {
            compare(name, &to_f64(got), &to_f64(want), 2e-6)
                .unwrap_or_else(|fault| panic!("{what}: {fault}"));
        } else {
            assert_eq!(bits(got), bits(want), "{what}: {name}");
        }
    }
}

fn at_last(model: &Model) -> At {
    At::Layer(model.layers().len() - 1)
}

/// The signal that a plan with the model's own loss has at the outputs, and all its results.
fn of_a_loss(context: &Context, sample: &Sample, options: PlanOptions) -> (Owned, Rig) {
    let (mode, last) = (options.mode, at_last(&sample.model));
    let rig = Rig::new(context, sample, &sample.model, options.signal(last));
    rig.submit(|encoder| rig.plan.record_gradient(encoder, Pass::FULL).unwrap());
    let planes = context.read_blocking(&[rig.plan.signal_planes(last).unwrap()]).unwrap().remove(0);
    (Owned::of_planes(&planes, mode, sample.batch * sample.model.outputs()), rig)
}

fn from_the_host(context: &Context, sample: &Sample, signal: &Owned, options: PlanOptions) -> Rig {
    let rig = Rig::new(context, sample, &external(&sample.model), options);
    signal.write(&rig.plan);
    rig.submit(|encoder| {
        rig.plan.record_forward(encoder);
        rig.plan.record_backward(encoder, Pass::FULL).unwrap();
    });
    rig
}

fn equals_a_loss(name: &str, context: &Context, sample: &Sample, mode: Mode) {
    let what = format!("{name}, {mode:?}, {:?}", context.class());
    let options = || PlanOptions::training(mode);
    let (signal, loss) = of_a_loss(context, sample, options());
    for at in [None, Some(at_last(&sample.model))] {
        let wanted = at.into_iter().fold(options(), PlanOptions::signal);
        let places = wanted.signals.clone();
        let rig = from_the_host(context, sample, &signal, wanted);
        same(&what, mode, &rig.results(&places), &loss.results(&places));
    }
}

#[test]
fn it_equals_the_signal_of_a_loss() {
    for (name, model, batch) in networks() {
        let sample = Sample::new(model, batch, 11);
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
            equals_a_loss(name, &context(), &sample, mode);
        }
    }
}

/// What is compared follows each part of the signal: g and h changed by a thousandth are seen.
#[test]
fn another_signal_gives_another_result() {
    let (_, model, _) = networks().swap_remove(1);
    let sample = Sample::new(model, 5, 12);
    let mode = Mode::HesScaleR2;
    let (signal, _) = of_a_loss(&context(), &sample, PlanOptions::training(mode));
    let results =
        |signal: &Owned| from_the_host(&context(), &sample, signal, PlanOptions::training(mode)).results(&[]);
    let want = results(&signal);
    let more = |values: &[f32]| values.iter().map(|x| 1.001 * x).collect::<Vec<f32>>();
    let others = [
        Owned { g: more(&signal.g), ..signal.clone() },
        Owned { h: signal.h.iter().map(|h| h + 1e-3).collect(), ..signal.clone() },
        Owned { u: vec![more(&signal.u[0]), signal.u[1].clone()], ..signal.clone() },
        Owned { u: vec![signal.u[0].clone(), more(&signal.u[1])], ..signal.clone() },
    ];
    for other in others {
        let got = results(&other);
        let seen = std::panic::catch_unwind(|| same("planted", mode, &got, &want));
        assert!(seen.is_err());
    }
}

#[test]
fn it_equals_the_signal_of_a_loss_in_every_mode() {
    let (name, model, _) = networks().swap_remove(1);
    let sample = Sample::new(model, 5, 12);
    Mode::ALL.into_iter().for_each(|mode| equals_a_loss(name, &context(), &sample, mode));
}

/// With the kernels of each class that has its own.
#[test]
fn it_equals_the_signal_of_a_loss_on_every_class() {
    for (name, model, batch) in networks() {
        if !["dense, cross-entropy", "dense, mse", "convolutions", "images out"].contains(&name) {
            continue;
        }
        let sample = Sample::new(model, batch, 13);
        let plans = [PlanOptions::training(Mode::HesScaleR2)];
        for context in distinct(DeviceClass::ALL.map(of_class), &sample.model, batch, None, &plans) {
            for mode in [Mode::HesScale, Mode::HesScaleR2] {
                equals_a_loss(name, &context, &sample, mode);
            }
        }
    }
}

/// The reference, from the same signal, judges it too: planes that the test itself put together.
#[test]
fn it_follows_the_reference() {
    let mut random = fastrand::Rng::with_seed(5);
    for (name, model, batch) in networks() {
        if model.layers().iter().any(|layer| matches!(layer, Layer::Dropout { .. })) {
            continue;
        }
        let sample = Sample::new(external(&model), batch, 4);
        let mut numbers = |count: usize| (0..count).map(|_| random.f32() - 0.4).collect::<Vec<f32>>();
        for mode in [Mode::HesScaleGn, Mode::HesScaleR1] {
            let len = batch * model.outputs();
            let signal = Owned {
                g: numbers(len),
                h: numbers(if mode.has_diagonal() { len } else { 0 }),
                u: (0..mode.rank()).map(|_| numbers(len)).collect(),
            };
            let wide: Vec<Vec<f64>> = signal.u.iter().map(|u| to_f64(u)).collect();
            let u: Vec<&[f64]> = wide.iter().map(|u| &u[..]).collect();
            let (g, h) = (to_f64(&signal.g), to_f64(&signal.h));
            let wide = OutputSignal { g: &g, h: &h, u: &u };
            let (parameters, x) = (to_f64(&sample.parameters), to_f64(&sample.x));
            let want =
                reference::pass_from_signal(&sample.model, mode, &parameters, &x, wide, Noise::default());
            let want = want.unwrap();
            let options = PlanOptions::training(mode).signal(At::Input);
            let rig = Rig::new(&context(), &sample, &sample.model, options);
            signal.write(&rig.plan);
            rig.submit(|encoder| {
                rig.plan.record_forward(encoder);
                rig.plan.record_backward(encoder, Pass::FULL).unwrap();
            });
            let results = rig.results(&[At::Input]);
            let near = |result: &str, want: &[f64]| {
                let got = &results.iter().find(|(name, _)| name == result).unwrap().1;
                compare(result, &to_f64(got), want, BOUND)
                    .unwrap_or_else(|e| panic!("{name}, {mode:?}: {e}"));
            };
            near("g at Input", &want.input_signal.g);
            for p in sample.model.parameters() {
                near(&format!("gradient of {}", p.name()), &want.gradient[p.range()]);
                if mode.has_diagonal() {
                    near(&format!("diagonal of {}", p.name()), &want.diagonal[p.range()]);
                }
            }
        }
    }
}

/// In half the memory the same numbers are stored.
#[test]
fn storage_in_f16() {
    let context = of_class(DeviceClass::Software);
    if !context.device().features().contains(wgpu::Features::SHADER_F16) {
        not_run("SHADER_F16");
        return;
    }
    for (name, model, batch) in networks().split_off(4) {
        let sample = Sample::new(model, batch, 11);
        let last = at_last(&sample.model);
        for mode in [Mode::HesScale, Mode::HesScaleR2] {
            let options = || PlanOptions::training(mode).storage(Dtype::F16).loss_scale(64.0);
            let (signal, loss) = of_a_loss(&context, &sample, options());
            let rig = from_the_host(&context, &sample, &signal, options().signal(last));
            let (got, want) = (rig.results(&[last]), loss.results(&[last]));
            for ((result, got), (_, want)) in got.iter().zip(&want) {
                let (got, want) = (to_f64(got), to_f64(want));
                let bound = if mode.rank() > 0 { 2e-3 } else { 0.0 };
                compare(result, &got, &want, bound).unwrap_or_else(|e| panic!("{name}, {mode:?}: {e}"));
            }
        }
    }
}

/// Steps with curvature and without, of gradients that are stored and of such that are not, accumulated and in pieces: as a loss's.
#[test]
fn steps_equal_those_of_a_loss() {
    for (name, model, batch) in networks() {
        if !["dense, cross-entropy", "convolutions"].contains(&name) {
            continue;
        }
        let sample = Sample::new(model, batch, 2);
        let (own, from_host, last) = (&sample.model, external(&sample.model), at_last(&sample.model));
        let limited = steady().trust(1e-3).clip_gradient_norm(0.5);
        let adam = Optimizer::adam(0.01);
        for (optimizer, fused) in [(steady(), false), (steady(), true), (adam, true), (limited, true)] {
            let mut options = PlanOptions::for_optimizer(&optimizer).lazy().accumulate(0.5);
            options.fused_update = fused;
            let mode = options.mode;
            // Of GPUs' classes one that joins neighbours: a fused step with curvature says most.
            let gpu = (fused && mode.has_diagonal()).then(|| of_class(DeviceClass::Discrete));
            for context in [context()].into_iter().chain(gpu) {
                let what = format!("{name}, {optimizer:?}, fused {fused}, {:?}", context.class());
                let layers = || options.clone().whole_network(false);
                let loss = Rig::training(&context, &sample, own, Some(optimizer), layers());
                let rig = Rig::training(&context, &sample, &from_host, Some(optimizer), layers());
                // The signal at the outputs is read from one that shows it, on the same parameters.
                let shown = PlanOptions::training(mode).signal(last).lazy();
                let shown = Rig::new(&context, &sample, own, shown);
                let full = Pass::FULL;
                for step in 0..5 {
                    let parameters = context.read_blocking(&[loss.state.parameters()]).unwrap().remove(0);
                    shown.state.write_parameters(&parameters[..own.flat_len()]).unwrap();
                    let noise = Noise { seed: 3, step: 5 + step };
                    [&shown, &loss, &rig].iter().for_each(|rig| rig.state.set_noise(noise).unwrap());
                    let pass = if step == 1 { full.without_curvature() } else { full };
                    shown.submit(|encoder| shown.plan.record_gradient(encoder, pass).unwrap());
                    let planes = shown.plan.signal_planes(last).unwrap();
                    let planes = context.read_blocking(&[planes]).unwrap().remove(0);
                    Owned::of_planes(&planes, mode, batch * own.outputs()).write(&rig.plan);
                    let dropout = own.layers().iter().any(|layer| matches!(layer, Layer::Dropout { .. }));
                    loss.submit(|encoder| match step {
                        1 => loss.plan.record_step(encoder, full.without_curvature()).unwrap(),
                        2 if !dropout => {
                            loss.plan.record_gradient(encoder, full).unwrap();
                            loss.plan.record_gradient(encoder, full.accumulating()).unwrap();
                            loss.plan.record_update(encoder, full).unwrap();
                        }
                        _ => loss.plan.record_step(encoder, full).unwrap(),
                    });
                    rig.submit(|encoder| {
                        rig.plan.record_forward(encoder);
                        match step {
                            1 => rig.plan.record_backward_step(encoder, full.without_curvature()).unwrap(),
                            2 if !dropout => {
                                rig.plan.record_backward(encoder, full).unwrap();
                                rig.plan.record_backward(encoder, full.accumulating()).unwrap();
                                rig.plan.record_update(encoder, full).unwrap();
                            }
                            _ => {
                                let mut pieces = Pieces::backward_step(full);
                                while !rig.plan.record_piece(encoder, &mut pieces, 10_000).unwrap().last {}
                            }
                        }
                    });
                    let kept = |results: Results| -> Results {
                        let stored = |name: &str| fused && (name.starts_with('g') || name.starts_with('d'));
                        results.into_iter().filter(|(name, _)| !stored(name)).collect()
                    };
                    same(
                        &format!("{what}, step {step}"),
                        mode,
                        &kept(rig.results(&[])),
                        &kept(loss.results(&[])),
                    );
                }
            }
        }
    }
}

/// The host's own mean squared error, in a shader of its own between the passes, in a range of a buffer of its own: several steps
/// in one submission.
#[test]
fn the_hosts_own_shader_in_a_range_of_its_own_buffer() {
    const TEXT: &str = "
        @group(0) @binding(0) var<storage, read> z: array<f32>;
        @group(0) @binding(1) var<storage, read> t: array<f32>;
        @group(0) @binding(2) var<storage, read_write> g: array<f32>;
        @group(0) @binding(3) var<storage, read_write> h: array<f32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            if i < arrayLength(&z) {
                let n = f32(arrayLength(&z));
                g[i] = 2.0 * (z[i] - t[i]) / n;
                h[i] = 2.0 / n;
            }
        }";
    let (context, batch) = (checked_context(), 40);
    let device = context.device();
    let model = Model::builder([9]).dense(33).act(TANH).dense(6).loss(Loss::mse()).unwrap();
    let sample = Sample::new(model, batch, 7);
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 1 << 14, usage, mapped_at_creation: false };
    let buffer = device.create_buffer(&descriptor);
    let options = PlanOptions::training(Mode::HesScale).outside_signal(buffer.slice(512..512 + 2048));
    let options = options.input(buffer.slice(4096..));
    let rig = Rig::training(&context, &sample, &external(&sample.model), Some(steady()), options);
    let targets = State::new(&context, &sample.model, None).unwrap();
    let targets =
        Plan::new(&context, &sample.model, &targets, batch, PlanOptions::training(Mode::None)).unwrap();
    targets.write_targets(sample.targets.view()).unwrap();
    let outside = rig.plan.outside_signal().unwrap();
    assert_eq!(outside.gradient().bytes(), 512..512 + 4 * 240);
    assert_eq!(outside.diagonal().unwrap().bytes(), 512 + 1024..512 + 1024 + 4 * 240);
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(TEXT.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let target_tensor = targets.targets().unwrap();
    let resources = [
        rig.plan.logits().binding(),
        target_tensor.binding(),
        outside.gradient().binding(),
        outside.diagonal().unwrap().binding(),
    ];
    let entries: Vec<_> =
        (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    rig.submit(|encoder| {
        for _ in 0..4 {
            rig.plan.record_forward(encoder);
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &group, &[]);
                pass.dispatch_workgroups(4, 1, 1);
            }
            rig.plan.record_backward_step(encoder, Pass::FULL).unwrap();
        }
    });
    let mut parameters = to_f64(&sample.parameters);
    let mut memory = OptimizerState::new(parameters.len());
    for _ in 0..4 {
        let x = to_f64(&sample.x);
        let pass =
            reference::pass(&sample.model, Mode::HesScale, &parameters, &x, sample.targets.view()).unwrap();
        memory.step(&steady(), &mut parameters, &pass.gradient, &pass.diagonal).unwrap();
    }
    let got = context.read_blocking(&[rig.state.parameters()]).unwrap().remove(0);
    compare("parameters", &to_f64(&got[..parameters.len()]), &parameters, BOUND).unwrap();
}

/// With the host's own loss on the CPU: what the reference says of the outputs that are read back.
#[test]
fn several_steps_by_a_loss_of_the_hosts_on_the_cpu() {
    let (name, model, batch) = networks().swap_remove(1);
    let sample = Sample::new(model, batch, 9);
    for mode in [Mode::HesScale, Mode::HesScaleR2] {
        let rig = Rig::training(
            &context(),
            &sample,
            &external(&sample.model),
            Some(steady()),
            PlanOptions::training(mode).fused_update(),
        );
        let mut parameters = to_f64(&sample.parameters);
        let mut memory = OptimizerState::new(parameters.len());
        for _ in 0..4 {
            rig.submit(|encoder| rig.plan.record_forward(encoder));
            let logits = rig.context.read_blocking(&[rig.plan.logits()]).unwrap().remove(0);
            Owned::of_loss(&sample.model, mode, &logits, sample.targets.view()).write(&rig.plan);
            rig.submit(|encoder| rig.plan.record_backward_step(encoder, Pass::FULL).unwrap());
            let x = to_f64(&sample.x);
            let pass = reference::pass(&sample.model, mode, &parameters, &x, sample.targets.view()).unwrap();
            memory.step(&steady(), &mut parameters, &pass.gradient, &pass.diagonal).unwrap();
        }
        let got = rig.context.read_blocking(&[rig.state.parameters()]).unwrap().remove(0);
        let got = to_f64(&got[..parameters.len()]);
        compare(name, &got, &parameters, BOUND).unwrap_or_else(|e| panic!("{mode:?}: {e}"));
    }
}

#[test]
fn what_is_not_finite_is_told() {
    let (_, model, batch) = networks().swap_remove(1);
    let sample = Sample::new(model, batch, 9);
    let from_host = external(&sample.model);
    for bad in [f32::NAN, f32::INFINITY] {
        let len = batch * from_host.outputs();
        let (mut g, mut h) = (vec![0.1; len], vec![0.1; len]);
        // Where the context checks, it is refused before anything is written.
        let checked = Rig::training(
            &checked_context(),
            &sample,
            &from_host,
            Some(steady()),
            PlanOptions::training(Mode::HesScale),
        );
        let signal = |g: &[f32], h: &[f32]| checked.plan.write_signal(OutputSignal { g, h, u: &[] });
        signal(&g, &h).unwrap();
        h[7] = bad;
        g[3] = 9.0;
        let refused = signal(&g, &h).unwrap_err();
        assert!(
            matches!(&refused, Error::NotFinite { tensor, index: 7, .. } if tensor == "h at the outputs")
        );
        g[3] = bad;
        let refused = signal(&g, &h).unwrap_err();
        assert!(
            matches!(&refused, Error::NotFinite { tensor, index: 3, .. } if tensor == "g at the outputs")
        );
        let tensor = checked.plan.outside_signal().unwrap().gradient();
        assert_eq!(checked.context.read_blocking(&[tensor]).unwrap()[0][3], 0.1);
        // Elsewhere it is seen by the optimiser.
        let rig = Rig::training(
            &of_class(DeviceClass::Software),
            &sample,
            &from_host,
            Some(steady()),
            PlanOptions::training(Mode::HesScale),
        );
        rig.plan.write_signal(OutputSignal { g: &g, h: &h, u: &[] }).unwrap();
        rig.submit(|encoder| {
            rig.plan.record_forward(encoder);
            rig.plan.record_backward_step(encoder, Pass::FULL).unwrap();
        });
        assert!(matches!(rig.state.read_divergence(), Err(Error::Diverged { step: Some(1), .. })));
    }
}

fn not_planned(what: &str, ask: &'static str) -> Error {
    Error::NotPlanned { what: what.into(), ask }
}

#[test]
fn what_there_is_not_is_refused() {
    let context = context();
    let (_, model, _) = networks().swap_remove(1);
    let from_host = external(&model);
    let state = |model: &Model| State::new(&context, model, Some(steady())).unwrap();
    let (own, other) = (state(&model), state(&from_host));
    let plan = |options| Plan::new(&context, &from_host, &other, 2, options);
    let training = || PlanOptions::training(Mode::HesScale);
    let (with_loss, trained, inferred) = (
        Plan::new(&context, &model, &own, 2, training()).unwrap(),
        plan(training()).unwrap(),
        plan(PlanOptions::inference()).unwrap(),
    );
    let loss = "a model whose loss is not external";
    assert_eq!(trained.loss().unwrap_err(), not_planned("the loss", loss));
    assert_eq!(trained.write_targets(Targets::Classes(&[0, 1])), Err(not_planned("a target", loss)));
    let host = not_planned("a signal from the host", "Loss::external");
    assert_eq!(with_loss.outside_signal().unwrap_err(), host);
    assert_eq!(with_loss.write_signal(OutputSignal::from(&[0.0; 12][..])), Err(host.clone()));
    let buffer = trained.input().buffer().clone();
    assert_eq!(plan(training().targets(&buffer)).unwrap_err(), not_planned("a target", loss));
    let inference = not_planned("a signal from the host", "PlanOptions::training, not inference");
    assert_eq!(inferred.outside_signal().unwrap_err(), inference);
    submit(&context, |encoder| {
        let own = not_planned(
            "a pass with a loss of the plan's own",
            "a loss that is not external, or Plan::record_backward",
        );
        assert_eq!(trained.record_gradient(encoder, Pass::FULL), Err(own.clone()));
        assert_eq!(trained.record_step(encoder, Pass::FULL), Err(own));
        let host = not_planned("a pass from the host's signal", "Loss::external");
        assert_eq!(with_loss.record_backward(encoder, Pass::FULL), Err(host.clone()));
        assert_eq!(with_loss.record_backward_step(encoder, Pass::FULL), Err(host));
        let inference = not_planned("a backward pass", "PlanOptions::training, not inference");
        assert_eq!(inferred.record_backward(encoder, Pass::FULL), Err(inference));
        let lazy = not_planned("a step without curvature", "PlanOptions::lazy");
        assert_eq!(trained.record_backward(encoder, Pass::FULL.without_curvature()), Err(lazy));
        let accumulating = not_planned("an accumulating pass", "PlanOptions::accumulate");
        assert_eq!(trained.record_backward(encoder, Pass::FULL.accumulating()), Err(accumulating));
        assert!(trained.record_piece(encoder, &mut Pieces::step(Pass::FULL), 1).is_err());
        trained.record_backward_step(encoder, Pass::FULL).unwrap();
    });
    // Wrong sizes, and more or less than the mode carries. 2 samples of 6 outputs.
    let length = |tensor: &str, got, needed| {
        Err(Error::Length { tensor: format!("{tensor} of the signal"), got, needed })
    };
    let (twelve, short): (&[f32], &[f32]) = (&[0.0; 12], &[0.0; 11]);
    let write = |g, h, u| trained.write_signal(OutputSignal { g, h, u });
    assert_eq!(write(short, twelve, &[]), length("g", 11, 12));
    assert_eq!(write(twelve, short, &[]), length("h", 11, 12));
    let kind = |mode, needed: &str, got: &str| {
        Err(Error::SignalKind { mode, needed: needed.into(), got: got.into() })
    };
    assert_eq!(write(twelve, &[], &[]), kind("hesscale", "g and h", "g alone"));
    assert_eq!(write(twelve, twelve, &[twelve]), kind("hesscale", "g and h", "g, h and 1 u"));
    let ranked = plan(PlanOptions::training(Mode::HesScaleR2)).unwrap();
    let write = |u: &[&[f32]]| ranked.write_signal(OutputSignal { g: twelve, h: twelve, u });
    assert_eq!(write(&[twelve]), kind("hesscale_r2", "g, h and 2 u", "g, h and 1 u"));
    assert_eq!(write(&[short, &[0.0; 13]]), length("one u", 11, 12));
    assert_eq!(write(&[twelve, twelve]), Ok(()));
    let still = State::new(&context, &from_host, None).unwrap();
    let plain = Plan::new(&context, &from_host, &still, 2, PlanOptions::training(Mode::None)).unwrap();
    assert_eq!(
        plain.write_signal(OutputSignal { g: twelve, h: twelve, u: &[] }),
        kind("none", "g alone", "g and h")
    );
    assert_eq!(plain.write_signal(twelve.into()), Ok(()));
    let lazy = plan(training().lazy()).unwrap();
    assert_eq!(lazy.write_signal(twelve.into()), Ok(()));
    assert_eq!(lazy.write_signal(short.into()), length("g", 11, 12));
    // A whole network has its loss in its kernel; without one it may predict as a whole.
    let whole = plan(training().whole_network(true)).unwrap_err();
    assert!(matches!(&whole, Error::Unsupported { layer, .. } if layer == "loss"), "{whole}");
    let chain = Model::builder([9]).dense(6).loss(Loss::external()).unwrap();
    let chained = State::new(&context, &chain, None).unwrap();
    let inference = PlanOptions::inference().whole_network(true);
    assert_eq!(Plan::new(&context, &chain, &chained, 2, inference).unwrap().dispatches().count(), 1);
    // Its full step is what is listed.
    let all = trained.dispatches().count();
    assert!(all > inferred.dispatches().count() && all < 2 * with_loss.dispatches().count());
}

/// Ranges of the host's buffers: where they begin, what they hold, whose they are, what else they are.
#[test]
fn ranges_that_do_not_fit_are_refused() {
    let context = context();
    let buffer = |context: &Context, usage| {
        let descriptor = wgpu::BufferDescriptor { label: None, size: 4096, usage, mapped_at_creation: false };
        context.device().create_buffer(&descriptor)
    };
    let model = Model::builder([9]).dense(6).loss(Loss::external()).unwrap();
    let state = State::new(&context, &model, None).unwrap();
    let plan = |options| Plan::new(&context, &model, &state, 2, options).map(drop);
    let training = || PlanOptions::training(Mode::HesScale);
    let storage = wgpu::BufferUsages::STORAGE;
    let own = buffer(&context, storage);
    let name = || "signal at the outputs".to_owned();
    // Two planes, of 256 bytes each.
    plan(training().outside_signal(own.slice(1024..1536)).input(own.slice(1536..))).unwrap();
    let small = |buffer, got, needed| Err(Error::BufferSize { buffer, got, needed });
    assert_eq!(plan(training().outside_signal(own.slice(1024..1535))), small(name(), 511, 512));
    assert_eq!(plan(training().input(own.slice(4096 - 64..))), small("input".into(), 64, 72));
    let unaligned = |buffer, offset| Err(Error::BufferOffset { buffer, offset, alignment: 256 });
    let alignment = context.device().limits().min_storage_buffer_offset_alignment;
    if alignment == 256 {
        assert_eq!(plan(training().outside_signal(own.slice(1028..))), unaligned(name(), 1028));
        assert_eq!(plan(PlanOptions::inference().input(own.slice(128..))), unaligned("input".into(), 128));
    }
    let shared = |one: &str, other: &str| Err(Error::SharedBuffer { one: one.into(), other: other.into() });
    let both = training().input(own.slice(0..512)).outside_signal(own.slice(256..));
    assert_eq!(plan(both), shared("input", &name()));
    let gradient = state.gradient().buffer();
    assert_eq!(plan(training().outside_signal(gradient.slice(..))), shared("gradient", &name()));
    let copied = buffer(&context, wgpu::BufferUsages::COPY_DST);
    let usage = plan(training().outside_signal(&copied)).unwrap_err();
    assert!(matches!(&usage, Error::BufferUsage { buffer, .. } if *buffer == name()), "{usage}");
    let foreign = buffer(&of_class(DeviceClass::Mobile), storage);
    let owner = plan(training().outside_signal(&foreign)).unwrap_err();
    assert_eq!(owner, Error::Foreign { what: "signal at the outputs", owner: "device" });
    let owner = plan(training().input(&foreign)).unwrap_err();
    assert_eq!(owner, Error::Foreign { what: "input", owner: "device" });
    // Only a model without a loss takes one; of an inference plan it does not matter, as targets do not.
    let with_loss = model.clone().with_loss(Loss::mse()).unwrap();
    let state = State::new(&context, &with_loss, None).unwrap();
    let refused = Plan::new(&context, &with_loss, &state, 2, training().outside_signal(&own)).unwrap_err();
    assert_eq!(refused, not_planned("a signal from the host", "Loss::external"));
    plan(PlanOptions::inference().outside_signal(&foreign)).unwrap();
}
