//! Embedding in a host application: its device, its buffers, its encoder; and the trainer on top.

use crate::common::{compare, relative_max_norm, to_f64};
use crate::harness::{Sample, bits, context, host_device, not_run, of_class, submit};
use hesscale::model::{Init, Targets};
use hesscale::reference;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::wgpu::{self, BufferUsages};
use hesscale::{
    Activation, At, Context, ContextOptions, Error, Loss, Mode, Model, Optimizer, Pass, Pieces, Plan,
    PlanOptions, State, StateBuffers, Tensor,
};

fn model() -> Model {
    Model::builder([6]).dense(10).act(Activation::Gelu).dense(3).loss(Loss::cross_entropy()).unwrap()
}

#[test]
fn everything_may_be_sent_and_shared() {
    fn sent<T: Send + Sync>() {}
    sent::<Context>();
    sent::<Plan>();
    sent::<State>();
    sent::<Tensor>();
    sent::<Trainer>();
    sent::<Model>();
    sent::<Error>();
}

/// A host's frame: it copies into our input, records our pass and copies our gradient out, in one encoder of its device, which has
/// default limits and no features.
#[test]
fn in_the_hosts_frame() {
    let (device, queue) = host_device(wgpu::Limits::defaults());
    let context = Context::from_device(&device, &queue, ContextOptions::default());
    let sample = Sample::new(model(), 7, 4);
    let buffer = |len: usize, usage| {
        let size = 4 * len as u64;
        device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    };
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let (storage, to, from) = (BufferUsages::STORAGE, BufferUsages::COPY_DST, BufferUsages::COPY_SRC);
    let rendered = buffer(sample.x.len(), from | to);
    let input = buffer(sample.x.len(), storage | to);
    let gradient = buffer(sample.model.flat_len(), storage | from);
    let shown = buffer(sample.model.flat_len(), to | from);
    queue.write_buffer(&rendered, 0, &bytes(&sample.x));

    let buffers = StateBuffers::default().gradient(&gradient);
    let state = State::with_buffers(&context, &sample.model, None, buffers).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let options = PlanOptions::training(Mode::HesScale).input(&input).signal(At::Input);
    let plan = Plan::new(&context, &sample.model, &state, sample.batch, options).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();

    let mut encoder = device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(&rendered, 0, &input, 0, rendered.size());
    plan.record_gradient(&mut encoder, Pass::FULL).unwrap();
    encoder.copy_buffer_to_buffer(&gradient, 0, &shown, 0, gradient.size());
    queue.submit([encoder.finish()]);

    let tensors = [plan.signal_gradient(At::Input).unwrap(), plan.signal_diagonal(At::Input).unwrap()];
    let signal = pollster::block_on(context.read_all(&tensors)).unwrap();
    let got = pollster::block_on(context.read(state.gradient())).unwrap();
    let want = sample.reference(Mode::HesScale);
    compare("gradient", &to_f64(&got), &want.gradient, 1e-5).unwrap();
    compare("g at the input", &to_f64(&signal[0]), &want.input_signal.g, 1e-5).unwrap();
    compare("h at the input", &to_f64(&signal[1]), &want.input_signal.h, 1e-5).unwrap();
    assert_eq!(crate::harness::read_buffer(&context, &shown), bits(&got));
    assert_eq!(tensors[0].shape(), [7, 6]);
}

/// Two contexts, four threads; each works separately, and all get the same results.
#[test]
fn from_several_threads_at_once() {
    let sample = Sample::new(model(), 5, 2);
    let (device, queue) = host_device(wgpu::Limits::defaults());
    let contexts = [context(), Context::from_device(&device, &queue, ContextOptions::default())];
    let want = bits(&sample.on(&context(), PlanOptions::training(Mode::HesScale)).gradient);
    std::thread::scope(|scope| {
        for context in contexts.iter().cycle().take(4) {
            scope.spawn(|| {
                for _ in 0..10 {
                    let got = sample.on(context, PlanOptions::training(Mode::HesScale));
                    assert_eq!(bits(&got.gradient), want);
                }
            });
        }
    });
}

/// Plans of several sizes and kinds on one state see the same parameters.
#[test]
fn plans_share_a_state() {
    let sample = Sample::new(model(), 4, 9);
    let state = State::new(&context(), &sample.model, Some(Optimizer::ada_hesscale(0.01))).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let plan = |batch, options| Plan::new(&context(), &sample.model, &state, batch, options).unwrap();
    let training = plan(4, PlanOptions::training(Mode::HesScale));
    let (one, four) = (plan(1, PlanOptions::inference()), plan(4, PlanOptions::inference()));
    training.write_input(&sample.x).unwrap();
    training.write_targets(sample.targets.view()).unwrap();
    one.write_input(&sample.x[..6]).unwrap();
    four.write_input(&sample.x).unwrap();
    submit(&context(), |encoder| {
        training.record_step(encoder, Pass::FULL).unwrap();
        one.record_forward(encoder);
        four.record_forward(encoder);
    });
    let tensors = [training.logits(), one.logits(), four.logits(), state.parameters()];
    let read = context().read_blocking(&tensors).unwrap();
    assert_ne!(read[0], read[2]);
    let after = reference::predict(&sample.model, &to_f64(&read[3]), &to_f64(&sample.x)).unwrap();
    compare("four", &to_f64(&read[2]), &after, 1e-5).unwrap();
    compare("one", &to_f64(&read[1]), &after[..3], 1e-5).unwrap();
}

/// Input and targets in one buffer, in ranges that do not meet, layer by layer and as a whole; what lies beside them is not read.
#[test]
fn input_and_targets_are_ranges_of_one_buffer() {
    let context = context();
    let sample = Sample::new(model(), 4, 9);
    let want = sample.on(&context, PlanOptions::training(Mode::HesScale).whole_network(false));
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 2048, usage, mapped_at_creation: false };
    let buffer = context.device().create_buffer(&descriptor);
    context.queue().write_buffer(&buffer, 0, &[0xff; 2048]);
    let x: Vec<u8> = sample.x.iter().flat_map(|x| x.to_le_bytes()).collect();
    let Targets::Classes(classes) = sample.targets.view() else { panic!("of a cross-entropy") };
    let classes: Vec<u8> = classes.iter().flat_map(|class| class.to_le_bytes()).collect();
    context.queue().write_buffer(&buffer, 1024, &x);
    context.queue().write_buffer(&buffer, 512, &classes);
    for whole in [false, true] {
        let state = State::new(&context, &sample.model, None).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let options = PlanOptions::training(Mode::HesScale).whole_network(whole);
        let options = options.input(buffer.slice(1024..1024 + 96)).targets(buffer.slice(512..528));
        let plan = Plan::new(&context, &sample.model, &state, 4, options).unwrap();
        assert_eq!((plan.input().bytes(), plan.targets().unwrap().bytes()), (1024..1120, 512..528));
        submit(&context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
        let read =
            context.read_blocking(&[state.gradient(), state.diagonal(), plan.loss().unwrap()]).unwrap();
        for (got, want) in read.iter().zip([&want.gradient[..], &want.diagonal, &[want.loss]]) {
            compare("ranges", &to_f64(&got[..want.len()]), &to_f64(want), 1e-6).unwrap();
        }
    }
}

fn data(samples: usize) -> (Vec<f32>, Vec<u32>) {
    let mut random = fastrand::Rng::with_seed(samples as u64);
    let x: Vec<f32> = (0..samples * 6).map(|_| random.f32() * 2.0 - 1.0).collect();
    let classes = x.chunks(6).map(|x| u32::from(x[0] > x[1]) + u32::from(x[2] > 0.0)).collect();
    (x, classes)
}

#[test]
fn the_trainer_does_the_same_on_the_gpu_and_on_the_cpu() {
    let (x, classes) = data(40);
    let optimizers = [Optimizer::sgd(0.1), Optimizer::adam(0.01), Optimizer::ada_hesscale(0.01)];
    let of = |class| optimizers.into_iter().zip([1, 1, 3]).map(move |optimizer| (class, optimizer));
    let inits = [Init::He, Init::Sparse { share: 0.5 }, Init::Orthogonal { gain: 1.0 }];
    for (turn, (class, (optimizer, every))) in DeviceClass::ALL.into_iter().flat_map(of).enumerate() {
        let init = inits[turn % 3];
        let options = || TrainerOptions::default().seed(3).init(init).curvature_every(every);
        let mut gpu = Trainer::new(&of_class(class), &model(), optimizer, options()).unwrap();
        let mut cpu = Trainer::on_cpu(&model(), optimizer, options()).unwrap();
        let (mut losses, start) = (Vec::new(), gpu.parameters().unwrap());
        for i in 0..10 {
            // The last batches are smaller.
            let (from, to) = if i % 3 == 2 { (24, 40) } else { (i % 3 * 12, i % 3 * 12 + 12) };
            let step = |trainer: &mut Trainer| {
                trainer.step(&x[from * 6..to * 6], Targets::Classes(&classes[from..to])).unwrap();
                f64::from(trainer.loss().unwrap())
            };
            let (gpu, cpu) = (step(&mut gpu), step(&mut cpu));
            assert!((gpu - cpu).abs() < 1e-4 * cpu.abs(), "{class:?} {optimizer:?} step {i}: {gpu} {cpu}");
            losses.push(gpu);
        }
        assert_eq!((gpu.steps(), cpu.steps()), (10, 10));
        assert!(losses[9] < losses[0], "{losses:?}");
        let (gpu, cpu) = (gpu.parameters().unwrap(), cpu.parameters().unwrap());
        assert!(relative_max_norm(&to_f64(&gpu), &to_f64(&cpu)) < 1e-3, "{class:?} {optimizer:?}");
        for p in model().parameters() {
            assert_ne!(gpu[p.range()], start[p.range()], "{class:?} {optimizer:?} {}", p.name());
        }
    }
}

#[test]
fn the_trainer_predicts_any_number_of_samples() {
    let mut trainer =
        Trainer::new(&context(), &model(), Optimizer::sgd(0.1), TrainerOptions::default()).unwrap();
    let parameters = to_f64(&trainer.parameters().unwrap());
    // One plan's size, one more, and a number that leaves a rest.
    for samples in [1, 7, 1024, 1025, 2500, 7] {
        let x = data(samples).0;
        let got = trainer.predict(&x).unwrap();
        let want = reference::predict(&model(), &parameters, &to_f64(&x)).unwrap();
        compare(&format!("{samples} samples"), &to_f64(&got), &want, 1e-5).unwrap();
    }
}

#[test]
fn the_trainer_refuses_bad_input() {
    let make = |gpu: bool, optimizer, options| match gpu {
        true => Trainer::new(&context(), &model(), optimizer, options),
        false => Trainer::on_cpu(&model(), optimizer, options),
    };
    for gpu in [true, false] {
        let mut trainer = make(gpu, Optimizer::adam(0.1), TrainerOptions::default()).unwrap();
        let (x, classes) = data(2);
        let before = trainer.parameters().unwrap();
        let length = Error::Length { tensor: "input".into(), got: 11, needed: 12 };
        assert_eq!(trainer.step(&x[..11], Targets::Classes(&classes)), Err(length.clone()));
        assert_eq!(trainer.predict(&x[..11]), Err(length));
        let empty = Error::ZeroSize { place: "batch".into(), what: "the number of samples" };
        assert_eq!(trainer.step(&[], Targets::Classes(&[])), Err(empty.clone()));
        assert_eq!(trainer.predict(&[]), Err(empty));
        let out_of_range = Error::TargetOutOfRange { index: 1, class: 3, classes: 3 };
        assert_eq!(trainer.step(&x, Targets::Classes(&[0, 3])), Err(out_of_range));
        assert!(matches!(
            trainer.set_learning_rate(f32::NAN),
            Err(Error::Value { name: "learning rate", .. })
        ));
        assert!(matches!(trainer.set_parameters(&[0.0]), Err(Error::Length { got: 1, .. })));
        assert!(matches!(trainer.loss(), Err(Error::NotPlanned { .. })), "gpu: {gpu}");
        assert_eq!((trainer.steps(), trainer.parameters().unwrap()), (0, before));

        let every =
            make(gpu, Optimizer::adam(0.1), TrainerOptions::default().curvature_every(0)).unwrap_err();
        assert!(matches!(every, Error::Value { name: "curvature_every", .. }));
        let plain = TrainerOptions::default().mode(Mode::None);
        let mode = make(gpu, Optimizer::ada_hesscale(0.1), plain).unwrap_err();
        assert!(matches!(mode, Error::NotPlanned { .. }));
        assert!(make(gpu, Optimizer::sgd(-1.0), TrainerOptions::default()).is_err());
    }
}

#[test]
fn the_trainers_gradient_leaves_the_parameters_alone() {
    let (x, classes) = data(9);
    for mode in [Mode::None, Mode::HesScaleR1] {
        let options = || TrainerOptions::default().mode(mode);
        let mut gpu = Trainer::new(&context(), &model(), Optimizer::sgd(0.1), options()).unwrap();
        let mut cpu = Trainer::on_cpu(&model(), Optimizer::sgd(0.1), options()).unwrap();
        let before = gpu.parameters().unwrap();
        let (g, d) = gpu.gradient(&x, Targets::Classes(&classes)).unwrap();
        let (want_g, want_d) = cpu.gradient(&x, Targets::Classes(&classes)).unwrap();
        compare("gradient", &to_f64(&g), &to_f64(&want_g), 1e-5).unwrap();
        compare("diagonal", &to_f64(&d), &to_f64(&want_d), 1e-5).unwrap();
        assert_eq!(d.is_empty(), mode == Mode::None);
        assert_eq!(gpu.parameters().unwrap(), before);
    }
}

/// A state and a plan for AdaHesScale, everything written that a step wants.
fn ready(context: &Context, sample: &Sample) -> (State, Plan) {
    let state = State::new(context, &sample.model, Some(Optimizer::ada_hesscale(0.01))).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let options = PlanOptions::training(Mode::HesScale).lazy();
    let plan = Plan::new(context, &sample.model, &state, sample.batch, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    (state, plan)
}

/// Three steps at once, and in pieces of any size, each submitted by itself, with an inference plan's pass between them.
#[test]
fn a_step_in_pieces_is_the_same_step() {
    let image = Model::builder([2, 6, 6]).conv2d(5, 3).act(Activation::Tanh).dropout(0.3).flatten();
    let image = image.dense(3).loss(Loss::cross_entropy()).unwrap();
    for sample in [Sample::new(model(), 7, 5), Sample::new(image, 4, 6)] {
        let outcome = |state: &State| {
            let (first, second) = state.moments();
            let tensors = [state.parameters(), state.diagonal(), first.unwrap(), second.unwrap()];
            context().read_blocking(&tensors).unwrap().iter().map(|values| bits(values)).collect::<Vec<_>>()
        };
        let passes = [Pass::FULL, Pass::FULL.without_curvature(), Pass::FULL];
        let (state, plan) = ready(&context(), &sample);
        let all = plan.cost(Pieces::step(Pass::FULL)).unwrap();
        submit(&context(), |encoder| {
            passes.iter().for_each(|pass| plan.record_step(encoder, *pass).unwrap())
        });
        let want = outcome(&state);
        for budget in [0, all / 3, all / 2, all] {
            let (state, plan) = ready(&context(), &sample);
            let other = Plan::new(&context(), &sample.model, &state, 2, PlanOptions::inference()).unwrap();
            for pass in passes {
                let (mut pieces, mut cost, mut last) = (Pieces::step(pass), 0, false);
                while !last {
                    submit(&context(), |encoder| {
                        let piece = plan.record_piece(encoder, &mut pieces, budget).unwrap();
                        assert!(piece.cost <= budget || piece.kernels == 1, "{piece:?} of {budget}");
                        assert!(piece.kernels == 1 || budget > 0);
                        (cost, last) = (cost + piece.cost, piece.last);
                        other.record_forward(encoder);
                    });
                }
                assert_eq!(cost, plan.cost(Pieces::step(pass)).unwrap());
                submit(&context(), |encoder| {
                    let piece = plan.record_piece(encoder, &mut pieces, u64::MAX).unwrap();
                    assert_eq!((piece.kernels, piece.cost, piece.last), (0, 0, true));
                });
            }
            assert_eq!(outcome(&state), want, "budget {budget} of {all}");
        }
    }
}

#[test]
fn pieces_are_refused_where_the_whole_is() {
    let sample = Sample::new(model(), 3, 5);
    let state = State::new(&context(), &sample.model, None).unwrap();
    let plan = |options| Plan::new(&context(), &sample.model, &state, 3, options).unwrap();
    let (training, inference) = (plan(PlanOptions::training(Mode::HesScale)), plan(PlanOptions::inference()));
    submit(&context(), |encoder| {
        for (plan, pieces) in [
            (&training, Pieces::step(Pass::FULL)),
            (&training, Pieces::gradient(Pass::FULL.accumulating())),
            (&inference, Pieces::gradient(Pass::FULL)),
        ] {
            let mut begun = pieces;
            let refused = plan.record_piece(encoder, &mut begun, u64::MAX);
            assert!(matches!(refused, Err(Error::NotPlanned { .. })), "{refused:?}");
            assert!(matches!(plan.cost(pieces), Err(Error::NotPlanned { .. })));
            assert_eq!(begun, pieces);
        }
        assert!(inference.record_piece(encoder, &mut Pieces::forward(), u64::MAX).unwrap().last);
    });
}

/// Compiled on another thread while this one renders; what is planned later compiles nothing.
#[test]
fn shaders_are_compiled_ahead_with_progress() {
    let (device, queue) = host_device(wgpu::Limits::defaults());
    let context = Context::from_device(&device, &queue, ContextOptions::default());
    let model = model();
    let state = State::new(&context, &model, Some(Optimizer::ada_hesscale(0.01))).unwrap();
    let options = || PlanOptions::training(Mode::HesScale).accumulate(0.5).lazy();
    let progress = std::thread::scope(|scope| {
        let compiling = scope.spawn(|| {
            let mut heard = Vec::new();
            let hear = |done, total| heard.push((done, total));
            Plan::with_progress(&context, &model, &state, 16, options(), hear).unwrap();
            heard
        });
        while !compiling.is_finished() {
            submit(&context, |encoder| encoder.clear_buffer(state.gradient().buffer(), 0, None));
            context.wait().unwrap();
        }
        compiling.join().unwrap()
    });
    let total = context.pipelines();
    assert!(total > 5);
    assert_eq!(progress, (1..=total).map(|done| (done, total)).collect::<Vec<_>>());
    let unheard = |_, _| panic!("there is nothing to compile");
    Plan::with_progress(&context, &model, &state, 16, options(), unheard).unwrap();
    Plan::new(&context, &model, &state, 16, PlanOptions::training(Mode::HesScale)).unwrap();
    assert_eq!(context.pipelines(), total);
    let other = PlanOptions::training(Mode::HesScaleR1);
    Plan::new(&context, &model, &state, 16, other).unwrap();
    assert!(context.pipelines() > total);
}

/// A driver may put nothing into a cache, like llvmpipe. The test shows that the cache is used because another device's cache is
/// refused.
#[test]
fn the_hosts_pipeline_cache_is_used_where_there_are_caches() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    if !adapter.features().contains(wgpu::Features::PIPELINE_CACHE) {
        not_run("the adapter has no pipeline caches");
        return;
    }
    let descriptor =
        wgpu::DeviceDescriptor { required_features: wgpu::Features::PIPELINE_CACHE, ..Default::default() };
    let device = || pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    let cache = |device: &wgpu::Device| {
        let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: None, fallback: true };
        // SAFETY: there is no data that could be wrong.
        unsafe { device.create_pipeline_cache(&descriptor) }
    };
    let ((device, queue), (stranger, _)) = (device(), device());
    let sample = Sample::new(model(), 5, 2);
    let on = |cache: &wgpu::PipelineCache| {
        let options = ContextOptions::default().pipeline_cache(cache);
        let context = Context::from_device(&device, &queue, options);
        let state = State::new(&context, &sample.model, None)?;
        Plan::new(&context, &sample.model, &state, 5, PlanOptions::training(Mode::HesScale)).map(|_| context)
    };
    let context = on(&cache(&device)).unwrap();
    let want = sample.on(&self::context(), PlanOptions::training(Mode::HesScale));
    let got = sample.on(&context, PlanOptions::training(Mode::HesScale));
    assert_eq!(bits(&got.gradient), bits(&want.gradient));
    assert!(matches!(on(&cache(&stranger)), Err(Error::Device { .. })));
}
