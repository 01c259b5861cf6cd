//! Fewer samples than a plan's batch: as a plan of so many, whatever the rest of the rows holds.

use crate::common::golden::OwnedTargets;
use crate::common::{compare, to_f64};
use crate::harness::{BOUND, CLASSES, Sample, bits, checked_context, context, of_class, steady, submit};
use crate::problem::{all_losses, sample_weights, weighted_means};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{AvgPool2d, LayerNorm, Noise, OutputSignal, Reduction, Targets};
use hesscale::reference::{OptimizerState, loss_and_signal, pass, weighted_pass};
use hesscale::tuning::DeviceClass;
use hesscale::{
    Activation, At, Context, Error, Layer, Loss, Mode, Model, Pass, Plan, PlanOptions, State, wgpu,
};

const TANH: Activation = Activation::Tanh;

fn models() -> Vec<Model> {
    let dense = || Model::builder([7]).dense(12).act(TANH).residual(|body| body.dense(12).act(TANH)).dense(6);
    let image = Model::builder([2, 6, 5]).conv2d(5, 3).act(Activation::Relu).layer(AvgPool2d::new(2));
    vec![
        dense().loss(Loss::cross_entropy()).unwrap(),
        dense().loss(Loss::Mse { reduction: Reduction::Sum }).unwrap(),
        image.clone().layer(Layer::Flatten).dense(4).loss(Loss::bce_with_logits()).unwrap(),
        image.conv2d(3, 1).loss(Loss::cross_entropy()).unwrap(),
        // Rows that do not count are constant: no variance but ε.
        Model::builder([7]).layer(LayerNorm::new()).dense(6).loss(Loss::mse()).unwrap(),
    ]
}

/// The first samples of a batch, as the reference takes them.
fn first<'a>(sample: &'a Sample, count: usize) -> (Vec<f64>, Targets<'a>) {
    let (x, len) = (&sample.x[..count * sample.model.inputs()], count * sample.model.target_len());
    let targets = match &sample.targets {
        OwnedTargets::Classes(classes) => Targets::Classes(&classes[..len]),
        OwnedTargets::Values(values) => Targets::Values(&values[..len]),
    };
    (to_f64(x), targets)
}

/// What a context lets be written that spoils whatever it reaches.
fn bad(context: &Context) -> f32 {
    if context.is_checked() { f32::MAX } else { f32::NAN }
}

/// Everything behind the first samples spoilt, but for classes: another one.
fn spoilt(sample: &Sample, count: usize, bad: f32) -> (Vec<f32>, OwnedTargets) {
    let (mut x, len) = (sample.x.clone(), count * sample.model.target_len());
    x[count * sample.model.inputs()..].fill(bad);
    let mut targets = sample.targets.clone();
    match &mut targets {
        OwnedTargets::Classes(classes) => classes[len..].fill(1),
        // An action is looked at before it is written.
        OwnedTargets::Values(values) if matches!(sample.model.loss(), Loss::PpoDiscrete { .. }) => {
            values[len..].fill(1.0);
        }
        OwnedTargets::Values(values) => values[len..].fill(f32::NAN),
    }
    (x, targets)
}

fn read(context: &Context, tensor: &hesscale::Tensor) -> Vec<f32> {
    context.read_blocking(&[tensor]).unwrap().remove(0)
}

/// One plan, one count after another, against the reference on so many samples.
fn follows(context: &Context, sample: &Sample, mode: Mode) {
    let model = &sample.model;
    if model.positions() > 1 && mode.rank() > 0 {
        return;
    }
    let state = State::new(context, model, None).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let options = PlanOptions::training(mode).partial().signal(At::Input);
    let plan = Plan::new(context, model, &state, sample.batch, options).unwrap();
    for count in [sample.batch, 1, sample.batch - 1, 3] {
        let (x, targets) = spoilt(sample, count, bad(context));
        plan.write_input(&x).unwrap();
        plan.write_targets(targets.view()).unwrap();
        if count < sample.batch {
            plan.write_count(count).unwrap();
        }
        submit(context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
        let (x, targets) = first(sample, count);
        let want = pass(model, mode, &to_f64(&sample.parameters), &x, targets).unwrap();
        let what = format!("{}, {mode:?}, {count} of {}", model.to_json(), sample.batch);
        let near = |name: &str, got: &[f32], want: &[f64]| {
            compare(name, &to_f64(got), want, BOUND).unwrap_or_else(|fault| panic!("{what}: {fault}"));
        };
        near("loss", &read(context, plan.loss().unwrap()), &[want.loss]);
        near("gradient", &read(context, state.gradient())[..model.flat_len()], &want.gradient);
        if mode.has_diagonal() {
            near("diagonal", &read(context, state.diagonal())[..model.flat_len()], &want.diagonal);
        }
        let g = read(context, plan.signal_gradient(At::Input).unwrap());
        let (mine, rest) = g.split_at(count * model.inputs());
        near("g at the input", mine, &want.input_signal.g);
        assert!(rest.iter().all(|g| *g == 0.0), "{what}");
    }
}

#[test]
fn it_is_a_batch_of_so_many() {
    for model in models() {
        let sample = Sample::new(model, 9, 6);
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
            follows(&context(), &sample, mode);
        }
    }
    let sample = Sample::new(models().swap_remove(0), 70, 6);
    follows(&of_class(DeviceClass::Discrete), &sample, Mode::HesScale);
}

/// Passes that add to the last, with curvature and without, of another count each.
#[test]
fn counts_change_between_passes_that_accumulate() {
    let (context, sample) = (context(), Sample::new(models().swap_remove(0), 9, 6));
    let model = &sample.model;
    let state = State::new(&context, model, None).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let options = PlanOptions::training(Mode::HesScale).partial().accumulate(1.0).lazy();
    let plan = Plan::new(&context, model, &state, sample.batch, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    let adding = Pass::FULL.accumulating();
    let passes =
        [(5, Pass::FULL), (9, adding.without_curvature()), (2, adding), (1, adding.without_curvature())];
    let (mut gradient, mut diagonal) = (vec![0.0; model.flat_len()], vec![0.0; model.flat_len()]);
    for (count, with) in passes {
        plan.write_count(count).unwrap();
        submit(&context, |encoder| plan.record_gradient(encoder, with).unwrap());
        let (x, targets) = first(&sample, count);
        let one = pass(model, Mode::HesScale, &to_f64(&sample.parameters), &x, targets).unwrap();
        let add = |sum: &mut [f64], one: &[f64]| sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
        add(&mut gradient, &one.gradient);
        if with.curvature {
            add(&mut diagonal, &one.diagonal);
        }
        let got = |tensor| to_f64(&read(&context, tensor)[..model.flat_len()]);
        compare("gradient", &got(state.gradient()), &gradient, BOUND).unwrap();
        compare("diagonal", &got(state.diagonal()), &diagonal, BOUND).unwrap();
    }
}

/// The samples that count have weights, those behind them none that matter.
#[test]
fn weights_are_those_of_the_samples_that_count() {
    let (context, sample) = (context(), Sample::new(models().swap_remove(0), 9, 6));
    let (model, count) = (&sample.model, 5);
    let weights = [0.5, -1.0, 2.0, 0.0, 3.0, 1e30, 1e30, 1e30, 1e30];
    let state = State::new(&context, model, None).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let options = || PlanOptions::training(Mode::HesScale).partial().sample_weights();
    let plan = Plan::new(&context, model, &state, sample.batch, options()).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    plan.write_sample_weights(&weights).unwrap();
    plan.write_count(count).unwrap();
    submit(&context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
    let (x, targets) = first(&sample, count);
    let parameters = to_f64(&sample.parameters);
    let weights = Some(&weights[..count]);
    let want =
        weighted_pass(model, Mode::HesScale, &parameters, &x, targets, weights, Noise::default()).unwrap();
    for (name, got, want) in
        [("gradient", state.gradient(), want.gradient), ("diagonal", state.diagonal(), want.diagonal)]
    {
        compare(name, &to_f64(&read(&context, got)[..model.flat_len()]), &want, BOUND).unwrap();
    }
}

/// What a pass leaves of the first `count` samples: the loss, then g, h or d at the outputs, gradient and diagonal.
fn parts(
    context: &Context,
    sample: &Sample,
    options: PlanOptions,
    (x, targets): (&[f32], Targets<'_>),
    (weights, count): (Option<&[f32]>, Option<usize>),
) -> Vec<Vec<f32>> {
    let (model, mode, at) = (&sample.model, options.mode, At::Layer(sample.model.layers().len() - 1));
    let state = State::new(context, model, None).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let mut options = options.signal(at);
    (options.partial, options.sample_weights) = (count.is_some(), weights.is_some());
    let plan = Plan::new(context, model, &state, x.len() / model.inputs(), options).unwrap();
    plan.write_input(x).unwrap();
    plan.write_targets(targets).unwrap();
    weights.map_or(Ok(()), |weights| plan.write_sample_weights(weights)).unwrap();
    count.map_or(Ok(()), |count| plan.write_count(count)).unwrap();
    submit(context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
    let mut tensors = vec![plan.loss().unwrap(), plan.signal_gradient(at).unwrap()];
    tensors.extend(mode.has_diagonal().then(|| plan.signal_diagonal(at).unwrap()));
    tensors.push(state.gradient());
    tensors.extend(mode.has_diagonal().then(|| state.diagonal()));
    let mut read = context.read_blocking(&tensors).unwrap();
    let signals = if mode.has_diagonal() { 2 } else { 1 };
    let rows = count.unwrap_or(sample.batch) * model.outputs();
    read[1..=signals].iter_mut().for_each(|signal| signal.truncate(rows));
    read
}

/// Loss and signal at the outputs have the bits of a plan of so many samples, whatever the mean divides by; so have all results where
/// the sums over samples are cut alike, which in a batch of nine they are.
#[test]
fn a_part_has_the_bits_of_a_plan_of_so_many() {
    const COUNT: usize = 5;
    for (turn, (loss, modes)) in all_losses(6).enumerate() {
        let model = Model::builder([5]).dense(11).act(TANH).dense(6).loss(loss).unwrap();
        let sample = Sample::new(model, 9, 40 + turn as u64);
        let context = of_class(CLASSES[turn % CLASSES.len()]);
        let weights = sample_weights(9, &mut fastrand::Rng::with_seed(turn as u64));
        let weights = (turn % 2 == 0).then_some(&weights[..]);
        let (x, targets) = spoilt(&sample, COUNT, bad(&context));
        let of_first = &sample.x[..COUNT * sample.model.inputs()];
        let few = Sample { batch: COUNT, x: of_first.to_vec(), ..Sample::new(sample.model.clone(), 9, 0) };
        let few = Sample { parameters: sample.parameters.clone(), ..few };
        let mode = modes[turn % modes.len()];
        let options = || PlanOptions::training(mode).whole_network(false).fewer_dispatches(false);
        let part = parts(&context, &sample, options(), (&x, targets.view()), (weights, Some(COUNT)));
        let first_targets = first(&sample, COUNT).1;
        let weights = weights.map(|weights| &weights[..COUNT]);
        let whole = parts(&context, &few, options(), (&few.x, first_targets), (weights, None));
        let what = format!("{mode:?} {:?} {:?}", context.class(), sample.model.loss());
        assert!(whole[0][0].is_finite() && whole[0][0] != 0.0, "{what}");
        for (i, (part, whole)) in part.iter().zip(&whole).enumerate() {
            assert_eq!(bits(part), bits(whole), "{i} of {what}");
        }
    }
}

/// Means over weights in part, many samples and positions each, in every class: against the reference, and the CPU on so many samples.
#[test]
fn means_over_weights_in_part() {
    let image = Model::builder([2, 4, 3]).conv2d(3, 2).act(TANH).conv2d(3, 1);
    let by_position = Loss::from(Loss::cross_entropy().ignore_index(2).weighted_mean());
    let losses = weighted_means(6).into_iter();
    let dense = |loss| Model::builder([5]).dense(11).act(TANH).dense(6).loss(loss).unwrap();
    for (turn, model) in losses.map(dense).chain([image.loss(by_position).unwrap()]).enumerate() {
        let sample = Sample::new(model, 300, turn as u64);
        let (model, context) = (&sample.model, of_class(CLASSES[turn % CLASSES.len()]));
        let mut weights = sample_weights(300, &mut fastrand::Rng::with_seed(turn as u64));
        for count in [130, 1] {
            weights[count..].fill(1e30);
            let (x, targets) = spoilt(&sample, count, bad(&context));
            let part = (Some(&weights[..]), Some(count));
            let options = PlanOptions::training(Mode::HesScale);
            let got = parts(&context, &sample, options, (&x, targets.view()), part);
            let (x, targets) = first(&sample, count);
            let (mode, given) = (Mode::HesScale, Some(&weights[..count]));
            let parameters = to_f64(&sample.parameters);
            let want = weighted_pass(model, mode, &parameters, &x, targets, given, Noise::default()).unwrap();
            let mut executor = Executor::new(model, 300, ExecutorOptions::training(mode)).unwrap();
            let x = &sample.x[..x.len()];
            executor.weighted_pass(mode, &sample.parameters, x, targets, given, Noise::default()).unwrap();
            for (name, got, cpu, want) in [
                ("gradient", &got[3], executor.gradient(), &want.gradient),
                ("diagonal", &got[4], executor.diagonal(), &want.diagonal),
            ] {
                let what = format!("{name}, {count} of {:?}", model.loss());
                compare(&what, &to_f64(&got[..want.len()]), want, 1e-5).unwrap();
                compare(&what, &to_f64(cpu), want, 1e-5).unwrap();
            }
            weights = sample_weights(300, &mut fastrand::Rng::with_seed(count as u64));
        }
    }
}

/// All of them are the whole batch, to the last bit.
#[test]
fn all_of_them_are_the_whole_batch() {
    let sample = Sample::new(models().swap_remove(0), 40, 2);
    let whole = sample.on(&context(), PlanOptions::training(Mode::HesScaleR1));
    let part = sample.on(&context(), PlanOptions::training(Mode::HesScaleR1).partial());
    assert_eq!(bits(&part.gradient), bits(&whole.gradient));
    assert_eq!(bits(&part.diagonal), bits(&whole.diagonal));
    compare("loss", &[part.loss.into()], &[whole.loss.into()], 1e-6).unwrap();
}

/// The number changes within a submission, by a recorded copy; each step is of its own samples. With the host's signal too.
#[test]
fn the_count_is_written_by_the_gpu() {
    let context = context();
    let sample = Sample::new(models().swap_remove(0), 9, 8);
    let counts = [4_u32, 9, 2];
    let descriptor = wgpu::BufferDescriptor {
        label: None,
        size: 12,
        usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    };
    let buffer = context.device().create_buffer(&descriptor);
    let bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    context.queue().write_buffer(&buffer, 0, &bytes);
    let state = State::new(&context, &sample.model, Some(steady())).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let options = PlanOptions::training(Mode::HesScale).partial().fused_update();
    let plan = Plan::new(&context, &sample.model, &state, 9, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    let count = plan.count().unwrap();
    submit(&context, |encoder| {
        for at in 0..3 {
            encoder.copy_buffer_to_buffer(&buffer, 4 * at, count.buffer(), count.bytes().start, 4);
            plan.record_step(encoder, Pass::FULL).unwrap();
        }
    });
    let mut parameters = to_f64(&sample.parameters);
    let mut memory = OptimizerState::new(parameters.len());
    for count in counts {
        let (x, targets) = first(&sample, count as usize);
        let pass = pass(&sample.model, Mode::HesScale, &parameters, &x, targets).unwrap();
        memory.step(&steady(), &mut parameters, &pass.gradient, &pass.diagonal).unwrap();
    }
    let got = read(&context, state.parameters());
    compare("parameters", &to_f64(&got[..parameters.len()]), &parameters, BOUND).unwrap();
}

/// The host's signal has no factor that could be changed; its rows behind the count are not looked at.
#[test]
fn the_hosts_signal_in_part() {
    let sample = Sample::new(models().swap_remove(0), 9, 8);
    let external = sample.model.clone().with_loss(Loss::external()).unwrap();
    for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
        let state = State::new(&context(), &external, None).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan =
            Plan::new(&context(), &external, &state, 9, PlanOptions::training(mode).partial()).unwrap();
        plan.write_input(&spoilt(&sample, 5, bad(&context())).0).unwrap();
        plan.write_count(5).unwrap();
        let (x, targets) = first(&sample, 5);
        let want = pass(&sample.model, mode, &to_f64(&sample.parameters), &x, targets).unwrap();
        let signal = loss_and_signal(&sample.model, mode, &want.logits, targets).unwrap().1;
        let padded = |values: &[f64]| {
            let mut values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
            if !values.is_empty() {
                values.resize(9 * external.outputs(), bad(&context()));
            }
            values
        };
        let h = if mode.rank() > 0 { &signal.rest } else { &signal.h };
        let (g, h, u) =
            (padded(&signal.g), padded(h), signal.u.iter().map(|u| padded(u)).collect::<Vec<_>>());
        let u: Vec<&[f32]> = u.iter().map(|u| &u[..]).collect();
        plan.write_signal(OutputSignal { g: &g, h: &h, u: &u }).unwrap();
        submit(&context(), |encoder| {
            plan.record_forward(encoder);
            plan.record_backward(encoder, Pass::FULL).unwrap();
        });
        let near = |name: &str, got: &[f32], want: &[f64]| {
            compare(name, &to_f64(&got[..want.len()]), want, BOUND)
                .unwrap_or_else(|e| panic!("{mode:?}: {e}"));
        };
        near("gradient", &read(&context(), state.gradient()), &want.gradient);
        near("diagonal", &read(&context(), state.diagonal()), &want.diagonal);
    }
}

#[test]
fn counts_that_are_none_are_refused() {
    let context = checked_context();
    let model = models().swap_remove(0);
    let state = State::new(&context, &model, None).unwrap();
    let plan = |options| Plan::new(&context, &model, &state, 9, options);
    let part = plan(PlanOptions::training(Mode::None).partial()).unwrap();
    assert_eq!(part.write_count(9), Ok(()));
    assert_eq!(
        part.write_count(0),
        Err(Error::ZeroSize { place: "batch".into(), what: "the number of samples" })
    );
    let refused = part.write_count(10).unwrap_err();
    assert!(matches!(refused, Error::Value { name: "the number of samples", value: 10.0, .. }), "{refused}");
    let not_planned = |what: &str, ask| Err(Error::NotPlanned { what: what.into(), ask });
    let whole = plan(PlanOptions::training(Mode::None)).unwrap();
    assert_eq!(whole.write_count(9), not_planned("a count of samples", "PlanOptions::partial"));
    let inference = plan(PlanOptions::inference().partial()).unwrap();
    let training = not_planned("a count of samples", "PlanOptions::training, not inference");
    assert_eq!(inference.write_count(9), training);
    let chain = Model::builder([4]).dense(3).loss(Loss::mse()).unwrap();
    let state = State::new(&context, &chain, None).unwrap();
    let options = PlanOptions::training(Mode::None).partial().whole_network(true);
    let refused = Plan::new(&context, &chain, &state, 9, options).unwrap_err();
    assert!(matches!(refused, Error::Unsupported { .. }), "{refused}");
}
