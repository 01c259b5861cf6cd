//! Objects of another device are refused at the call, and a buffer has only one role.

use crate::harness::{Sample, bits, checked_context, context, host_device, request, submit};
use hesscale::model::{Noise, Targets};
use hesscale::wgpu::{self, BufferUsages};
use hesscale::{
    Activation, At, Context, ContextOptions, Error, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions,
    Result, State, StateBuffers,
};

fn model() -> Model {
    Model::builder([4]).dense(8).act(Activation::Tanh).dense(4).loss(Loss::mse()).unwrap()
}

fn another() -> Context {
    pollster::block_on(Context::request_with(&request(false))).unwrap()
}

/// A device of a separate instance, where wgpu's ids repeat.
fn of_a_host() -> Context {
    let (device, queue) = host_device(wgpu::Limits::defaults());
    Context::from_device(&device, &queue, ContextOptions::default())
}

/// Two devices of one instance.
fn siblings() -> [Context; 2] {
    pollster::block_on(async {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = instance.request_adapter(&Default::default()).await.unwrap();
        let mut contexts = Vec::new();
        for _ in 0..2 {
            let (device, queue) = adapter.request_device(&Default::default()).await.unwrap();
            contexts.push(Context::from_device(&device, &queue, ContextOptions::default()));
        }
        contexts.try_into().unwrap()
    })
}

/// Pairs created in the same order, so that all ids are equal.
fn pairs() -> [[Context; 2]; 3] {
    [[another(), another()], [of_a_host(), of_a_host()], siblings()]
}

fn world(context: &Context) -> (State, Plan) {
    let state = State::new(context, &model(), Some(Optimizer::adam(0.1))).unwrap();
    state.write_parameters(&model().init(Default::default(), 3).unwrap()).unwrap();
    let options = PlanOptions::training(Mode::HesScale).signal(At::Input);
    let plan = Plan::new(context, &model(), &state, 2, options).unwrap();
    (state, plan)
}

fn buffer(context: &Context, size: u64) -> wgpu::Buffer {
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
    context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage,
        mapped_at_creation: false,
    })
}

fn foreign<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::Foreign { owner: "device", .. })), "{result:?}");
}

#[test]
fn tensors_of_another_device() {
    for [one, other] in pairs() {
        let ((own, own_plan), (state, plan)) = (world(&one), world(&other));
        let before = one.read_blocking(&[own.parameters()]).unwrap();
        let mut tensors = vec![state.parameters(), state.gradient(), state.diagonal(), state.noise_words()];
        tensors.extend(state.moments().0.into_iter().chain(state.moments().1));
        tensors.extend([plan.input(), plan.logits(), plan.loss().unwrap()]);
        tensors.extend([plan.signal_gradient(At::Input).unwrap(), plan.signal_diagonal(At::Input).unwrap()]);
        let part = state.part(state.gradient(), &model().parameters()[0]).unwrap();
        for tensor in tensors.into_iter().chain([&part]) {
            foreign(one.read_blocking(&[tensor]));
            foreign(one.read_blocking(&[own.parameters(), tensor]));
            foreign(pollster::block_on(one.read(tensor)));
            foreign(pollster::block_on(one.read_all(&[own_plan.logits(), tensor])));
            foreign(one.write(tensor, &vec![9.0; tensor.len()]));
            // On its own device it is valid.
            other.read_blocking(&[tensor]).unwrap();
        }
        assert_eq!(one.read_blocking(&[own.parameters()]).unwrap(), before);
        assert_eq!([one.health(), other.health()], [Ok(()), Ok(())]);
    }
}

/// Two contexts of one device read each other's tensors.
#[test]
fn another_context_of_the_same_device() {
    let context = another();
    let second = Context::from_device(context.device(), context.queue(), ContextOptions::default());
    let (state, _) = world(&context);
    let values = context.read_blocking(&[state.parameters()]).unwrap();
    assert_eq!(second.read_blocking(&[state.parameters()]).unwrap(), values);
    second.write(state.gradient(), &vec![2.0; state.gradient().len()]).unwrap();
    assert_eq!(context.read_blocking(&[state.gradient()]).unwrap()[0][5], 2.0);
    // A state belongs to its context.
    let got = Plan::new(&second, &model(), &state, 2, PlanOptions::inference()).unwrap_err();
    assert_eq!(got, Error::Foreign { what: "state", owner: "context" });
    assert_eq!([context.health(), second.health()], [Ok(()), Ok(())]);
}

#[test]
fn buffers_of_another_device() {
    for [one, other] in pairs() {
        let (state, _) = world(&one);
        let plan = |options| Plan::new(&one, &model(), &state, 2, options);
        let training = || PlanOptions::training(Mode::HesScale);
        let size = 4 * model().flat_len().max(64) as u64;
        // Equally many on both sides, so that each id occurs on both.
        let own: Vec<_> = (0..4).map(|_| buffer(&one, size)).collect();
        let not: Vec<_> = (0..4).map(|_| buffer(&other, size)).collect();
        let (theirs, _) = world(&other);
        for buffer in not.iter().chain([theirs.parameters().buffer(), theirs.gradient().buffer()]) {
            foreign(plan(training().input(buffer)));
            foreign(plan(training().targets(buffer)));
            foreign(plan(PlanOptions::inference().input(buffer)));
            for buffers in [
                StateBuffers::default().parameters(buffer),
                StateBuffers::default().gradient(buffer),
                StateBuffers::default().diagonal(buffer),
            ] {
                foreign(State::with_buffers(&one, &model(), None, buffers));
            }
        }
        plan(training().input(&own[0]).targets(&own[1])).unwrap();
        let buffers = StateBuffers::default().parameters(&own[2]);
        State::with_buffers(&one, &model(), None, buffers).unwrap();
        assert_eq!([one.health(), other.health()], [Ok(()), Ok(())]);
    }
}

/// A device without a context: its own handler receives the error.
#[test]
fn buffers_of_a_device_that_is_unknown() {
    let context = context();
    let (state, _) = world(&context);
    let (device, _queue) = host_device(wgpu::Limits::defaults());
    let heard = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counts = std::sync::Arc::clone(&heard);
    device.on_uncaptured_error(std::sync::Arc::new(move |_| {
        counts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }));
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 4096, usage, mapped_at_creation: false };
    let theirs = device.create_buffer(&descriptor);
    foreign(Plan::new(&context, &model(), &state, 2, PlanOptions::inference().input(&theirs)));
    assert_eq!(heard.load(std::sync::atomic::Ordering::Relaxed), 1);
    // Without a handler wgpu panics, and it is the same for the caller.
    let (device, _queue) = host_device(wgpu::Limits::defaults());
    let theirs = device.create_buffer(&descriptor);
    foreign(Plan::new(&context, &model(), &state, 2, PlanOptions::inference().input(&theirs)));
}

/// The host's mapped buffers stay mapped.
#[test]
fn buffers_that_are_mapped() {
    let context = context();
    let (state, _) = world(&context);
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 4096, usage, mapped_at_creation: true };
    let mapped = context.device().create_buffer(&descriptor);
    let mut view = mapped.get_mapped_range_mut(..).unwrap();
    let options = || PlanOptions::inference().input(&mapped);
    Plan::new(&context, &model(), &state, 2, options()).unwrap();
    view.slice(..4).copy_from_slice(&1.5_f32.to_le_bytes());
    drop(view);
    Plan::new(&context, &model(), &state, 2, options()).unwrap();
    mapped.unmap();
    Plan::new(&context, &model(), &state, 2, options()).unwrap();
}

/// wgpu does not tell an encoder's device. Between devices of one instance `finish` fails, and nothing has run.
#[test]
fn encoders_of_another_device() {
    let [one, other] = siblings();
    let ((_, plan), (state, _)) = (world(&one), world(&other));
    let before = bits(&other.read_blocking(&[state.parameters()]).unwrap()[0]);
    let scope = other.device().push_error_scope(wgpu::ErrorFilter::Validation);
    submit(&other, |encoder| plan.record_step(encoder, Pass::FULL).unwrap());
    let error = pollster::block_on(scope.pop()).expect("an error");
    assert!(error.to_string().contains("ompute"), "{error}");
    assert_eq!(bits(&other.read_blocking(&[state.parameters()]).unwrap()[0]), before);
}

#[test]
fn one_buffer_in_several_roles() {
    let context = checked_context();
    let size = 4 * model().flat_len().max(64) as u64;
    let [a, b] = [(); 2].map(|()| buffer(&context, size));
    let shared = |one: &str, other: &str| Error::SharedBuffer { one: one.into(), other: other.into() };
    let none = StateBuffers::default;
    let state = |buffers| State::with_buffers(&context, &model(), Some(Optimizer::adam(0.1)), buffers);
    for (buffers, error) in [
        (none().parameters(&a).gradient(&a), shared("parameters", "gradient")),
        (none().parameters(&a).diagonal(&a), shared("parameters", "diagonal")),
        (none().gradient(&a).diagonal(&a), shared("gradient", "diagonal")),
        (none().parameters(&a).gradient(&a).diagonal(&a), shared("parameters", "gradient")),
    ] {
        assert_eq!(state(buffers).unwrap_err(), error);
    }
    let state = state(none().parameters(&a)).unwrap();
    let training = || PlanOptions::training(Mode::HesScale);
    let plan = |options| Plan::new(&context, &model(), &state, 2, options).map(drop);
    assert_eq!(plan(training().input(&a)), Err(shared("parameters", "input")));
    assert_eq!(plan(PlanOptions::inference().input(&a)), Err(shared("parameters", "input")));
    assert_eq!(plan(training().targets(&a)), Err(shared("parameters", "targets")));
    assert_eq!(plan(training().input(&b).targets(&b)), Err(shared("input", "targets")));
    for (role, tensor) in [
        ("gradient", state.gradient()),
        ("diagonal", state.diagonal()),
        ("noise", state.noise_words()),
        ("optimizer", state.moments().0.unwrap()),
    ] {
        if tensor.buffer().size() >= 32 {
            assert_eq!(plan(training().input(tensor.buffer())), Err(shared(role, "input")));
        }
    }
    // Inference has no targets.
    assert_eq!(plan(PlanOptions::inference().input(&b).targets(&a)), Ok(()));
    assert_eq!(context.health(), Ok(()));
}

/// One network's output may be another's input.
#[test]
fn a_plan_reads_what_another_wrote() {
    let context = context();
    let sample = Sample::new(model(), 2, 1);
    let (state, _) = world(&context);
    // Layer by layer, so that the logits begin where their buffer does.
    let inference = || PlanOptions::inference().whole_network(false);
    let plan = |options| Plan::new(&context, &model(), &state, 2, options).unwrap();
    let first = plan(inference());
    first.write_input(&sample.x).unwrap();
    let second = plan(inference().input(first.logits().buffer()));
    submit(&context, |encoder| {
        first.record_forward(encoder);
        second.record_forward(encoder);
    });
    let read = context.read_blocking(&[first.logits(), second.logits()]).unwrap();
    let alone = plan(inference());
    alone.write_input(&read[0]).unwrap();
    submit(&context, |encoder| alone.record_forward(encoder));
    assert_eq!(context.read_blocking(&[alone.logits()]).unwrap()[0], read[1]);
    assert_ne!(read[0], read[1]);
}

#[test]
fn parts_of_what_is_not_the_states() {
    let (state, plan) = world(&context());
    let other = Model::builder([4]).dense(9).act(Activation::Tanh).dense(4).loss(Loss::mse()).unwrap();
    let (model, others) = (model(), other.parameters());
    for flat in [Some(state.parameters()), Some(state.gradient()), state.moments().0, state.moments().1] {
        let flat = flat.unwrap();
        let part = state.part(flat, &model.parameters()[1]).unwrap();
        assert_eq!((part.len(), part.name()), (8, &model.parameters()[1].name()[..]));
        let got = state.part(flat, &others[0]).unwrap_err();
        assert_eq!(got, Error::Foreign { what: "parameter", owner: "model" });
    }
    let weight = &model.parameters()[0];
    let not_flat = Error::Foreign { what: "tensor", owner: "state" };
    let part = state.part(state.parameters(), weight).unwrap();
    let (same, _) = world(&context());
    for tensor in [plan.input(), plan.logits(), state.noise_words(), &part, same.parameters()] {
        assert_eq!(state.part(tensor, weight).unwrap_err(), not_flat);
    }
    state.set_noise(Noise::default()).unwrap();
    plan.write_targets(Targets::Values(&[0.0; 8])).unwrap();
}
