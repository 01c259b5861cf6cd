//! Bad input gives a typed error with names and values, and changes nothing.

use crate::harness::{bits, checked_context, context, host_device, request, submit};
use hesscale::model::{MaxPool2d, Reduction, Targets};
use hesscale::wgpu::{self, BufferUsages};
use hesscale::{
    Activation, At, Context, ContextOptions, Error, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions,
    Result, State, StateBuffers,
};

fn model() -> Model {
    Model::builder([3]).dense(5).act(Activation::Tanh).dense(4).loss(Loss::cross_entropy()).unwrap()
}

fn state(context: &Context) -> State {
    State::new(context, &model(), None).unwrap()
}

fn plan(batch: usize, options: PlanOptions) -> Result<Plan> {
    Plan::new(&context(), &model(), &state(&context()), batch, options)
}

fn training() -> PlanOptions {
    PlanOptions::training(Mode::HesScale)
}

fn length(tensor: &str, got: usize, needed: usize) -> Error {
    Error::Length { tensor: tensor.into(), got, needed }
}

fn not_planned(what: &str, ask: &'static str) -> Error {
    Error::NotPlanned { what: what.into(), ask }
}

const TRAINING: &str = "PlanOptions::training, not inference";

#[test]
fn sizes() {
    let empty = Error::ZeroSize { place: "batch".into(), what: "the number of samples" };
    assert_eq!(plan(0, training()).unwrap_err(), empty);
    assert_eq!(empty.to_string(), "batch: the number of samples is zero; it must be at least 1");
    let plan = plan(2, training()).unwrap();
    assert_eq!(plan.write_input(&[0.0; 7]), Err(length("input", 7, 6)));
    assert_eq!(plan.write_targets(Targets::Classes(&[0])), Err(length("targets", 1, 2)));
    let (state, flat) = (state(&context()), model().flat_len());
    assert_eq!(state.write_parameters(&vec![0.0; flat - 1]), Err(length("parameters", flat - 1, flat)));
    assert_eq!(state.write_parameters(&[]), Err(length("parameters", 0, flat)));
    let scale = Error::Value { place: "plan".into(), name: "scale", value: f64::INFINITY, needed: "finite" };
    let options = training().accumulate(f32::INFINITY);
    assert_eq!(Plan::new(&context(), &model(), &state, 2, options).unwrap_err(), scale);
}

/// Also where they would not be used.
#[test]
fn scales_that_are_none() {
    let refused = |options: PlanOptions, wanted: &str| match plan(2, options) {
        Err(Error::Value { place, name, .. }) => assert_eq!((&place[..], name), ("plan", wanted)),
        other => panic!("{other:?}"),
    };
    for scale in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        refused(training().accumulate(scale), "scale");
        refused(training().loss_scale(scale), "the loss's scale");
    }
    for scale in [0.0, -4.0, 2.0, 3.0, 1e30] {
        refused(training().loss_scale(scale), "the loss's scale");
    }
    assert!(plan(2, training().loss_scale(16.0)).is_ok());
}

/// Refused before any size is multiplied or allocated.
#[test]
fn batches_that_cannot_be_counted() {
    for batch in [1 << 30, 1 << 40, usize::MAX] {
        for options in [training(), PlanOptions::inference()] {
            let got = plan(batch, options).unwrap_err();
            assert!(matches!(&got, Error::Limit { place, .. } if place == "input"), "{got}");
        }
    }
}

#[test]
fn targets() {
    let plan = plan(3, training()).unwrap();
    let kind = Error::TargetKind { needed: "class-index", got: "numeric" };
    assert_eq!(plan.write_targets(Targets::Values(&[0.0; 12])), Err(kind));
    let out_of_range = Error::TargetOutOfRange { index: 2, class: 4, classes: 4 };
    assert_eq!(plan.write_targets(Targets::Classes(&[0, 3, 4])), Err(out_of_range.clone()));
    assert_eq!(out_of_range.to_string(), "target 2: class 4 is out of range; the network has 4 classes");
    let largest = Error::TargetOutOfRange { index: 0, class: i64::from(u32::MAX), classes: 4 };
    assert_eq!(plan.write_targets(Targets::Classes(&[u32::MAX, 0, 0])), Err(largest));
    assert_eq!(plan.write_targets(Targets::Classes(&[0, 3, 2])), Ok(()));

    let model = model().with_loss(Loss::cross_entropy().ignore_index(255)).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let ignoring = Plan::new(&context(), &model, &state, 2, training()).unwrap();
    assert_eq!(ignoring.write_targets(Targets::Classes(&[255, 1])), Ok(()));
    let out_of_range = Error::TargetOutOfRange { index: 1, class: 254, classes: 4 };
    assert_eq!(ignoring.write_targets(Targets::Classes(&[255, 254])), Err(out_of_range));

    let model = model.with_loss(Loss::Mse { reduction: Reduction::Sum }).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let numeric = Plan::new(&context(), &model, &state, 2, training()).unwrap();
    let kind = Error::TargetKind { needed: "numeric", got: "class-index" };
    assert_eq!(numeric.write_targets(Targets::Classes(&[0, 1])), Err(kind));
    assert_eq!(numeric.write_targets(Targets::Values(&[0.0; 2])), Err(length("targets", 2, 8)));
}

#[test]
fn what_is_not_finite_is_found_where_checking_is_on() {
    let context = checked_context();
    let unchecked = pollster::block_on(Context::request_with(&request(false))).unwrap();
    assert!(context.is_checked() && !unchecked.is_checked());
    let model = model().with_loss(Loss::mse()).unwrap();
    let state = State::new(&context, &model, None).unwrap();
    let plan = Plan::new(&context, &model, &state, 2, training()).unwrap();
    let index_of = |result: Result<()>| match result {
        Err(Error::NotFinite { tensor, index, value }) => (tensor, index, value.to_bits()),
        other => panic!("{other:?}"),
    };
    let mut x = [0.0; 6];
    x[4] = f32::NAN;
    assert_eq!(index_of(plan.write_input(&x)), ("input".into(), 4, f32::NAN.to_bits()));
    let mut t = [0.0; 8];
    t[7] = f32::NEG_INFINITY;
    let found = index_of(plan.write_targets(Targets::Values(&t)));
    assert_eq!(found, ("targets".into(), 7, f32::NEG_INFINITY.to_bits()));
    let mut flat = vec![0.0; model.flat_len()];
    flat[1] = f32::INFINITY;
    assert_eq!(index_of(state.write_parameters(&flat)), ("parameters".into(), 1, f32::INFINITY.to_bits()));

    let state = State::new(&unchecked, &model, None).unwrap();
    let free = Plan::new(&unchecked, &model, &state, 2, training()).unwrap();
    assert_eq!(free.write_input(&x), Ok(()));
}

#[test]
fn raw_buffers_that_do_not_fit() {
    let buffer = |size, usage| {
        let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        context().device().create_buffer(&descriptor)
    };
    let flat = 4 * model().flat_len() as u64;
    let small = buffer(flat - 4, BufferUsages::STORAGE);
    let unbound = buffer(flat, BufferUsages::COPY_DST);
    for (name, small, unbound) in [
        (
            "parameters",
            StateBuffers::default().parameters(&small),
            StateBuffers::default().parameters(&unbound),
        ),
        ("gradient", StateBuffers::default().gradient(&small), StateBuffers::default().gradient(&unbound)),
        ("diagonal", StateBuffers::default().diagonal(&small), StateBuffers::default().diagonal(&unbound)),
    ] {
        let got = State::with_buffers(&context(), &model(), None, small).unwrap_err();
        assert_eq!(got, Error::BufferSize { buffer: name.into(), got: flat - 4, needed: flat });
        let got = State::with_buffers(&context(), &model(), None, unbound).unwrap_err();
        let (got_usage, needed) = (format!("{:?}", BufferUsages::COPY_DST), "STORAGE".into());
        assert_eq!(got, Error::BufferUsage { buffer: name.into(), got: got_usage, needed });
    }
    let small = buffer(20, BufferUsages::STORAGE);
    let got = plan(2, training().input(&small)).unwrap_err();
    assert_eq!(got, Error::BufferSize { buffer: "input".into(), got: 20, needed: 24 });
    let got = plan(6, training().targets(&small)).unwrap_err();
    assert_eq!(got, Error::BufferSize { buffer: "targets".into(), got: 20, needed: 24 });
    let uniform = buffer(64, BufferUsages::UNIFORM);
    assert!(
        matches!(plan(2, training().input(&uniform)), Err(Error::BufferUsage { buffer, .. }) if buffer == "input")
    );
    assert!(
        matches!(plan(2, training().targets(&uniform)), Err(Error::BufferUsage { buffer, .. }) if buffer == "targets")
    );
    // A buffer that only shaders may access can be bound, but not written through the crate.
    let bound = plan(2, training().input(&buffer(24, BufferUsages::STORAGE))).unwrap();
    assert!(
        matches!(bound.write_input(&[0.0; 6]), Err(Error::Device { problem: text, .. }) if text.contains("COPY_DST"))
    );
}

#[test]
fn what_belongs_to_another() {
    let other = state(&checked_context());
    let got = Plan::new(&context(), &model(), &other, 2, training()).unwrap_err();
    assert_eq!(got, Error::Foreign { what: "state", owner: "context" });
    let wider =
        Model::builder([3]).dense(6).act(Activation::Tanh).dense(4).loss(Loss::cross_entropy()).unwrap();
    let got = Plan::new(&context(), &wider, &state(&context()), 2, training()).unwrap_err();
    assert_eq!(got, Error::Foreign { what: "state", owner: "model" });
}

#[test]
fn what_was_not_planned() {
    let record = |plan: &Plan, pass: Pass, step: fn(&Plan, &mut wgpu::CommandEncoder, Pass) -> Result<()>| {
        let mut encoder = context().device().create_command_encoder(&Default::default());
        step(plan, &mut encoder, pass)
    };
    let inference = plan(2, PlanOptions::inference()).unwrap();
    let backward = not_planned("a backward pass", TRAINING);
    for step in [Plan::record_gradient, Plan::record_update, Plan::record_step] {
        assert_eq!(record(&inference, Pass::FULL, step), Err(backward.clone()));
    }
    assert_eq!(inference.loss().unwrap_err(), not_planned("the loss", TRAINING));
    assert_eq!(inference.write_targets(Targets::Classes(&[0; 2])), Err(not_planned("a target", TRAINING)));
    assert_eq!(inference.signal_gradient(At::Input).unwrap_err(), not_planned("a signal", TRAINING));

    let plain = plan(2, training()).unwrap();
    let optimizer = not_planned("an update", "State::new, with an optimiser");
    assert_eq!(record(&plain, Pass::FULL, Plan::record_update), Err(optimizer.clone()));
    assert_eq!(record(&plain, Pass::FULL, Plan::record_step), Err(optimizer));
    let lazy = not_planned("a step without curvature", "PlanOptions::lazy");
    assert_eq!(record(&plain, Pass::FULL.without_curvature(), Plan::record_gradient), Err(lazy));
    let accumulate = not_planned("an accumulating pass", "PlanOptions::accumulate");
    assert_eq!(record(&plain, Pass::FULL.accumulating(), Plan::record_gradient), Err(accumulate));
    let signal = not_planned("the signal at Layer(1)", "PlanOptions::signal");
    assert_eq!(plain.signal_gradient(At::Layer(1)).unwrap_err(), signal);
    assert_eq!(plain.signal_diagonal(At::Layer(1)).unwrap_err(), signal);

    let none = plan(2, PlanOptions::training(Mode::None).signal(At::Layer(1))).unwrap();
    assert!(none.signal_gradient(At::Layer(1)).is_ok());
    let diagonal = not_planned("a diagonal", "PlanOptions::mode, a mode with a diagonal");
    assert_eq!(none.signal_diagonal(At::Layer(1)).unwrap_err(), diagonal);
    // A plain plan's plain pass needs no lazy curvature.
    assert_eq!(record(&none, Pass::FULL.without_curvature(), Plan::record_gradient), Ok(()));

    let state = State::new(&context(), &model(), Some(Optimizer::ada_hesscale(0.1))).unwrap();
    let got = Plan::new(&context(), &model(), &state, 2, PlanOptions::training(Mode::None)).unwrap_err();
    let ask = "PlanOptions::mode, a mode with a diagonal";
    assert_eq!(got, not_planned("the diagonal that adahesscale reads", ask));
    let got = self::state(&context()).set_learning_rate(0.1).unwrap_err();
    assert_eq!(got, not_planned("a learning rate", "State::new, with an optimiser"));
}

#[test]
fn signals_of_layers_that_do_not_exist() {
    for options in [training(), PlanOptions::inference()] {
        let got = plan(2, options.signal(At::Layer(3))).unwrap_err();
        assert_eq!(got, Error::Unknown { what: "layer", name: "3".into(), known: "0 to 2".into() });
    }
}

#[test]
fn numbers_of_the_optimizer() {
    for rate in [f32::NAN, -1.0, f32::INFINITY] {
        let is_rate = |error: Error| match error {
            Error::Value { place, name: "learning rate", value, .. } => {
                place == "optimizer" && value.to_bits() == f64::from(rate).to_bits()
            }
            _ => false,
        };
        assert!(is_rate(State::new(&context(), &model(), Some(Optimizer::sgd(rate))).unwrap_err()));
        let mut state = State::new(&context(), &model(), Some(Optimizer::adam(0.25))).unwrap();
        assert!(is_rate(state.set_learning_rate(rate).unwrap_err()));
        assert_eq!(state.optimizer().unwrap().learning_rate, 0.25);
    }
    let refused = |optimizer| State::new(&context(), &model(), Some(optimizer)).unwrap_err();
    let error = |rule, setting, settings| Error::Setting { rule, setting, settings };
    assert_eq!(refused(Optimizer::adam(0.1).momentum(0.9)), error("adam", "momentum", "betas, eps, trust"));
    assert_eq!(refused(Optimizer::sgd(0.1).eps(1e-4)), error("sgd", "eps", "momentum, nesterov"));
}

#[test]
fn models_larger_than_the_device_allows() {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 4096, ..wgpu::Limits::defaults() };
    let (device, queue) = host_device(limits);
    let context = Context::from_device(&device, &queue, ContextOptions::default());
    let limit = "max_storage_buffer_binding_size";
    let error = |place: &str, needed| Error::Limit { place: place.into(), limit, needed, available: 4096 };
    let large = Model::builder([40]).dense(40).loss(Loss::mse()).unwrap();
    let got = State::new(&context, &large, None).unwrap_err();
    assert_eq!(got, error("parameters", 4 * large.flat_len() as u64));
    let text = got.to_string();
    assert!(text.contains(limit) && text.contains("6656") && text.contains("4096"), "{text}");

    let model = model();
    let state = State::new(&context, &model, None).unwrap();
    let at_most = |batch| Plan::new(&context, &model, &state, batch, training()).map(|_| ());
    assert_eq!(at_most(64), Ok(()));
    assert_eq!(at_most(400), Err(error("input", 4864)));
    // Here the activation and its input together are too much.
    assert_eq!(at_most(128), Err(error("dense 0", 5120)));
    // And here two planes of the widest signal are.
    let narrow = Model::builder([3]).dense(5).loss(Loss::mse()).unwrap();
    let state = State::new(&context, &narrow, None).unwrap();
    let got = Plan::new(&context, &narrow, &state, 128, training()).unwrap_err();
    assert_eq!(got, error("signal at dense 0", 5120));
}

fn convolutional() -> Model {
    let builder = Model::builder([1, 6, 6]).conv2d(5, 3).act(Activation::Tanh).layer(MaxPool2d::new(2));
    builder.flatten().dense(4).loss(Loss::cross_entropy()).unwrap()
}

#[test]
fn convolutions_larger_than_the_device_allows() {
    let model = convolutional();
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 4096, ..wgpu::Limits::defaults() };
    let (device, queue) = host_device(limits);
    let context = Context::from_device(&device, &queue, ContextOptions::default());
    let state = State::new(&context, &model, None).unwrap();
    let at_most = |batch, options| Plan::new(&context, &model, &state, batch, options).map(|_| ());
    let error = |place: &str, needed| {
        let limit = "max_storage_buffer_binding_size";
        Err(Error::Limit { place: place.into(), limit, needed, available: 4096 })
    };
    // 4 × 4 positions of five channels, which lie as eight: 512 bytes a sample; activation and input side by side.
    assert_eq!(at_most(4, training()), Ok(()));
    assert_eq!(at_most(5, training()), error("conv2d 0", 5120));
    // One channel lies as four.
    assert_eq!(at_most(8, PlanOptions::inference()), error("input", 4608));
    assert_eq!(at_most(7, PlanOptions::inference()), Ok(()));
    // With vectors u there are five planes.
    assert_eq!(at_most(2, PlanOptions::training(Mode::HesScaleR2)), error("signal at conv2d 0", 5120));
}

#[test]
fn lengths_and_layers_of_convolutional_networks() {
    let model = convolutional();
    let state = State::new(&context(), &model, None).unwrap();
    let plan = |options| Plan::new(&context(), &model, &state, 2, options);
    let plain = plan(training()).unwrap();
    assert_eq!(plain.write_input(&[0.0; 71]), Err(length("input", 71, 72)));
    assert_eq!(plain.write_targets(Targets::Classes(&[0; 3])), Err(length("targets", 3, 2)));
    let got = plan(training().signal(At::Layer(5))).unwrap_err();
    assert_eq!(got, Error::Unknown { what: "layer", name: "5".into(), known: "0 to 4".into() });
    let shapes = [At::Input, At::Layer(0), At::Layer(2), At::Layer(3)].map(|at| {
        let plan = plan(training().signal(at)).unwrap();
        [
            plan.signal_gradient(at).unwrap().shape().to_vec(),
            plan.signal_diagonal(at).unwrap().shape().to_vec(),
        ]
    });
    let want = [vec![2, 1, 6, 6], vec![2, 5, 4, 4], vec![2, 5, 2, 2], vec![2, 20]];
    assert_eq!(shapes, want.map(|shape| [shape.clone(), shape]));
}

/// A device that cannot bind enough gives an error, and does not reach the host's own handler.
#[test]
fn kernels_that_bind_more_than_the_device_allows() {
    let limits = wgpu::Limits { max_storage_buffers_per_shader_stage: 3, ..wgpu::Limits::defaults() };
    let (device, queue) = host_device(limits);
    let context = Context::from_device(&device, &queue, ContextOptions::default());
    let state = State::new(&context, &model(), None).unwrap();
    let got = Plan::new(&context, &model(), &state, 2, training());
    assert!(matches!(&got, Err(Error::Device { .. } | Error::Limit { .. })), "{got:?}");
}

#[test]
fn no_adapter_by_that_name() {
    let wanted = request(false).adapter(Some("no such adapter".into()));
    let Err(Error::NoAdapter { reason, .. }) = pollster::block_on(Context::request_with(&wanted)) else {
        panic!("there is one");
    };
    // It says what there is instead.
    assert!(reason.contains("no such adapter"), "{reason}");
    for adapter in pollster::block_on(Context::adapters()) {
        assert!(reason.contains(&adapter), "{reason}");
    }
}

/// After every refused call the plan still works, and nothing has changed.
#[test]
fn refused_calls_change_nothing() {
    let state = State::new(&context(), &model(), Some(Optimizer::adam(0.1))).unwrap();
    state.write_parameters(&model().init(Default::default(), 3).unwrap()).unwrap();
    let plan = Plan::new(&context(), &model(), &state, 2, training()).unwrap();
    plan.write_input(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).unwrap();
    plan.write_targets(Targets::Classes(&[1, 3])).unwrap();
    let run = || {
        submit(&context(), |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
        let tensors = [plan.loss().unwrap(), state.parameters(), state.gradient(), state.diagonal()];
        context().read_blocking(&tensors).unwrap().iter().map(|t| bits(t)).collect::<Vec<_>>()
    };
    let before = run();
    plan.write_input(&[9.0; 5]).unwrap_err();
    plan.write_targets(Targets::Classes(&[0, 4])).unwrap_err();
    state.write_parameters(&[1.0]).unwrap_err();
    assert!(Plan::new(&context(), &model(), &state, 0, training()).is_err());
    let mut encoder = context().device().create_command_encoder(&Default::default());
    plan.record_step(&mut encoder, Pass::FULL.accumulating()).unwrap_err();
    context().queue().submit([encoder.finish()]);
    assert_eq!(run(), before);
    assert_eq!(context().health(), Ok(()));
}
