//! Nothing unwritten is read and nothing outside the results is written: the host's buffers are larger than needed and filled with
//! NaN.

use crate::common::golden::OwnedTargets;
use crate::harness::{Sample, bits, context, read_buffer, request, submit};
use crate::layers::mixed;
use crate::problem::losses;
use hesscale::{
    Activation, Context, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State, StateBuffers,
    wgpu::{self, util::DeviceExt},
};

/// A NaN payload that no arithmetic produces.
const PATTERN: u32 = 0x7fc0_dead;
const GUARD: usize = 96;

/// A buffer for `len` values followed by guard words, all NaN.
fn filled(len: usize) -> wgpu::Buffer {
    let words = vec![PATTERN; len + GUARD];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    context().device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some("the host's"),
        contents: &bytes,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
    })
}

fn assert_guards(name: &str, buffer: &wgpu::Buffer, len: usize) -> Vec<u32> {
    let words = read_buffer(&context(), buffer);
    assert!(words[len..].iter().all(|word| *word == PATTERN), "{name}: written behind its {len} elements");
    words[..len].to_vec()
}

fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    // Sizes that are no multiples of four, that are, and both.
    for (inputs, hidden, batch) in [(3, 5, 7), (4, 8, 4), (33, 12, 5), (1, 1, 1), (8, 67, 16)] {
        let builder = || Model::builder([inputs]).dense(hidden).act(Activation::Tanh).dense_no_bias(hidden);
        for (i, loss) in losses(2).into_iter().enumerate().filter(|(i, _)| [1, 3, 5, 9].contains(i)) {
            let model = builder()
                .act(Activation::Relu)
                .act(Activation::Sin { frequency: 1.0 })
                .dense(2)
                .loss(loss)
                .unwrap();
            samples.push(Sample::new(model, batch, i as u64));
        }
    }
    samples.push(Sample::new(mixed(losses(4).swap_remove(1)), 3, 4));
    let segmenting = Model::builder([1, 5, 3]).conv2d(3, [2, 3]).act(Activation::Tanh).conv2d(2, 1);
    samples.push(Sample::new(segmenting.loss(losses(2).swap_remove(5)).unwrap(), 1, 4));
    samples
}

/// All in the host's buffers: the same bits come out as from the crate's own, and the rest stays as it was.
fn check(sample: &Sample, mode: Mode, optimizer: Option<Optimizer>) {
    let (model, flat) = (&sample.model, sample.model.flat_len());
    let input_len = sample.batch * model.inputs();
    let target_len = sample.batch * model.target_len();
    let [parameters, gradient, diagonal] = std::array::from_fn(|_| filled(flat));
    let (input, targets) = (filled(input_len), filled(target_len));
    let buffers = StateBuffers::default().parameters(&parameters).gradient(&gradient).diagonal(&diagonal);
    let state = State::with_buffers(&context(), model, optimizer, buffers).unwrap();
    // Parameter by parameter, so that what lies between them stays NaN.
    for p in model.parameters() {
        let part = state.part(state.parameters(), p).unwrap();
        context().write(&part, &sample.parameters[p.range()]).unwrap();
    }
    let options = PlanOptions::training(mode).input(&input).targets(&targets);
    let plan = Plan::new(&context(), model, &state, sample.batch, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    submit(&context(), |encoder| match optimizer {
        None => plan.record_gradient(encoder, Pass::FULL).unwrap(),
        Some(_) => plan.record_step(encoder, Pass::FULL).unwrap(),
    });
    let name = |what: &str| format!("{what}, {mode:?}, {}", model.to_json());
    let own = sample.on(&context(), PlanOptions::training(mode));
    let loss = context().read_blocking(&[plan.loss().unwrap()]).unwrap();
    assert_eq!(bits(&loss[0]), bits(&[own.loss]), "{}", name("loss"));
    let got_parameters = assert_guards(&name("parameters"), &parameters, flat);
    let got_gradient = assert_guards(&name("gradient"), &gradient, flat);
    let got_diagonal = assert_guards(&name("diagonal"), &diagonal, flat);
    for p in model.parameters() {
        assert_eq!(got_gradient[p.range()], bits(&own.gradient[p.range()]), "{}", name("gradient"));
        let parameters = &got_parameters[p.range()];
        if optimizer.is_none() {
            assert_eq!(parameters, bits(&sample.parameters[p.range()]), "{}", name("parameters"));
        }
        assert!(parameters.iter().all(|word| f32::from_bits(*word).is_finite()), "{}", name("parameters"));
        if mode.has_diagonal() {
            assert_eq!(got_diagonal[p.range()], bits(&own.diagonal[p.range()]), "{}", name("diagonal"));
        }
    }
    if !mode.has_diagonal() {
        assert!(got_diagonal.iter().all(|word| *word == PATTERN), "{}", name("diagonal"));
    }
    assert_eq!(assert_guards(&name("input"), &input, input_len), bits(&sample.x));
    let given = match &sample.targets {
        OwnedTargets::Classes(classes) => classes.clone(),
        OwnedTargets::Values(values) => bits(values),
    };
    assert_eq!(assert_guards(&name("targets"), &targets, target_len), given);
}

#[test]
fn gradient_passes_in_the_hosts_buffers() {
    for sample in samples() {
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
            check(&sample, mode, None);
        }
    }
}

#[test]
fn steps_in_the_hosts_buffers() {
    for sample in samples().iter().rev().step_by(3) {
        check(sample, Mode::HesScale, Some(Optimizer::ada_hesscale(0.01).weight_decay(0.1)));
        check(sample, Mode::None, Some(Optimizer::sgd(0.01)));
    }
}

#[test]
fn gaps_of_the_flat_layout_hold_zeros() {
    for sample in samples() {
        let used = sample.model.parameters();
        let gap = |i: &usize| !used.iter().any(|p| p.range().contains(i));
        let outcome = sample.on(&context(), PlanOptions::training(Mode::HesScale));
        for i in (0..sample.model.flat_len()).filter(gap) {
            assert_eq!([outcome.gradient[i], outcome.diagonal[i]].map(f32::to_bits), [0, 0], "{i}");
        }
    }
}

/// Reading past the input would be detected, because NaN spreads.
#[test]
fn the_pattern_spreads_where_it_is_read() {
    let model = Model::builder([3]).dense(2).loss(Loss::mse()).unwrap();
    let mut sample = Sample::new(model, 2, 1);
    sample.x[4] = f32::from_bits(PATTERN);
    // A context that checks would refuse it.
    let context = pollster::block_on(Context::request_with(&request(false))).expect("an adapter");
    let outcome = sample.on(&context, PlanOptions::training(Mode::None));
    assert!(outcome.loss.is_nan() && outcome.logits[2].is_nan() && !outcome.logits[0].is_nan());
}
