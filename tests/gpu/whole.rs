//! Small networks in one kernel: results against the reference, the golden vectors and the per-layer kernels.

use crate::common::golden::{directory, load};
use crate::common::{compare, to_f64};
use crate::harness::{BOUND, Sample, bits, context, counted, of_class, share, share_from, steady, submit};
use crate::problem::losses;
use hesscale::model::{Builder, Rule};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, At, Error, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State, wgpu};

fn whole(mode: Mode) -> PlanOptions {
    PlanOptions::training(mode).whole_network(true)
}

fn layered(mode: Mode) -> PlanOptions {
    PlanOptions::training(mode).whole_network(false)
}

fn mlp(widths: &[usize], activation: Activation, loss: impl Into<Loss>) -> Model {
    let layer = |builder: Builder, width: &usize| builder.dense(*width).act(activation);
    let builder = widths[1..widths.len() - 1].iter().fold(Model::builder([widths[0]]), layer);
    builder.dense(widths[widths.len() - 1]).loss(loss).unwrap()
}

/// Samples of one workgroup at these batch sizes.
const CHUNK: usize = 32;

#[test]
fn golden_cases_that_fit() {
    let (mut taken, mut refused) = (0, 0);
    for case in load(&directory()).unwrap().into_iter().map(Result::unwrap) {
        let model = case.model.as_ref().unwrap();
        let state = State::new(&context(), model, None).unwrap();
        match Plan::new(&context(), model, &state, case.batch, whole(Mode::HesScaleR2)) {
            Ok(_) => taken += 1,
            Err(Error::Unsupported { .. } | Error::Limit { .. }) => {
                refused += 1;
                continue;
            }
            Err(other) => panic!("{}: {other}", case.name),
        }
        for mode in share_from(Mode::ALL, 3, taken) {
            let sample = Sample {
                model: model.clone(),
                batch: case.batch,
                parameters: case.parameters.clone(),
                x: case.x.clone(),
                targets: case.targets.clone(),
            };
            let got = sample.on(&context(), whole(mode));
            let near = |kind: &str, got: &[f32], want: &[f64]| {
                compare(&format!("{} {kind} {mode:?}", case.name), &to_f64(got), want, BOUND).unwrap();
            };
            near("loss", &[got.loss], &case.tensors["loss"]);
            near("logits", &got.logits, &case.tensors["logits"]);
            near("gradient", &got.gradient, &case.flat("grad").unwrap());
            if mode.has_diagonal() {
                near("diagonal", &got.diagonal, &case.flat(mode.name()).unwrap());
            }
        }
    }
    assert_eq!(
        (taken, refused),
        (4, 20),
        "the others have convolutions, normalisations, two kinds of activations, or wide layers"
    );
}

/// Within one chunk every sum runs in the same order as in the per-layer kernels, where those do not slice it.
#[test]
fn a_chunk_has_the_bits_of_the_layers_own_kernels() {
    let context = of_class(DeviceClass::Software);
    for (i, loss) in losses(6).into_iter().enumerate() {
        let sample = Sample::new(mlp(&[17, 12, 9, 6], Activation::Tanh, loss), CHUNK - 3, i as u64);
        // Every loss in the mode with the most numbers, and in another one in turn.
        for mode in share_from([Mode::ALL[i % Mode::ALL.len()], Mode::HesScaleR2], 2, i) {
            let (one, many) = (sample.on(&context, whole(mode)), sample.on(&context, layered(mode)));
            assert_eq!(bits(&one.logits), bits(&many.logits), "logits {i} {mode:?}");
            assert_eq!(bits(&one.gradient), bits(&many.gradient), "gradient {i} {mode:?}");
            assert_eq!(bits(&one.diagonal), bits(&many.diagonal), "diagonal {i} {mode:?}");
            sample.judge(&one, mode, &[]).unwrap();
        }
    }
}

/// Around tiles and chunks; no widths of fours, and the widest that fit; the gradient of all modes is the plain one.
#[test]
fn batches_and_widths_at_the_edges() {
    for (widths, batches) in [
        (&[17, 64, 64, 6][..], &[1, 3, 4, 5, CHUNK - 1, CHUNK, CHUNK + 1, 150][..]),
        (&[3, 1, 2], &[1, 2, 33, 1000]),
        (&[64, 128, 64, 10], &[1, 33]),
        (&[5], &[7]),
    ] {
        for batch in batches {
            let model = match widths {
                [one] => Model::builder([*one]).dense_no_bias(3).loss(Loss::cross_entropy()).unwrap(),
                _ => mlp(widths, Activation::Tanh, Loss::cross_entropy()),
            };
            let sample = Sample::new(model, *batch, *batch as u64);
            let plain = sample.on(&context(), whole(Mode::None));
            for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR1] {
                let got = sample.on(&context(), whole(mode));
                let worst = sample.judge(&got, mode, &[]);
                worst.unwrap_or_else(|e| panic!("{widths:?} batch {batch} {mode:?}: {e}"));
                assert_eq!(bits(&got.gradient), bits(&plain.gradient), "{widths:?} batch {batch} {mode:?}");
                assert_eq!(bits(&got.logits), bits(&plain.logits), "{widths:?} batch {batch} {mode:?}");
                assert_eq!(got.loss.to_bits(), plain.loss.to_bits(), "{widths:?} batch {batch} {mode:?}");
            }
        }
    }
}

#[test]
fn every_activation() {
    // On a spared adapter one half here and the other below.
    for activation in share(Activation::ALL, 2) {
        let widths = [5, 7, 6, 4];
        let model = match activation {
            // exp of exp of exp overflows soon.
            Activation::Exp => mlp(&widths[1..], activation, Loss::mse()),
            _ => mlp(&widths, activation, Loss::mse()),
        };
        let sample = Sample::new(model, 9, 3);
        let got = sample.on(&context(), whole(Mode::HesScale));
        sample.judge(&got, Mode::HesScale, &[]).unwrap_or_else(|e| panic!("{activation:?}: {e}"));
    }
    // One that feeds the loss, one layer without, no bias.
    for (turn, activation) in share_from(Activation::ALL.into_iter().enumerate(), 2, 1) {
        let builder = Model::builder([4]).dense(6).dense_no_bias(5);
        let builder = if activation == Activation::Exp { builder } else { builder.act(activation) };
        let sample = Sample::new(builder.dense(3).act(activation).loss(Loss::mse()).unwrap(), 6, 4);
        // One that is told by its output, one by its input; of the others a mode each.
        let every = matches!(activation, Activation::Relu | Activation::Tanh);
        let modes = Mode::ALL.into_iter().enumerate();
        for (_, mode) in modes.filter(|(at, _)| every || at % Mode::ALL.len() == turn % Mode::ALL.len()) {
            let got = sample.on(&context(), whole(mode));
            sample
                .judge(&got, mode, &[])
                .unwrap_or_else(|e| panic!("{activation:?} before the loss, {mode:?}: {e}"));
        }
    }
}

/// The workgroup shapes for GPUs give correct results here too; they are only slower.
#[test]
fn workgroups_of_other_device_classes() {
    for class in [DeviceClass::Integrated, DeviceClass::Discrete] {
        let context = of_class(class);
        for (widths, batch) in [(&[17, 64, 64, 6][..], 1), (&[17, 64, 64, 6], 37), (&[3, 20, 2], 16)] {
            let model = mlp(widths, Activation::Tanh, Loss::cross_entropy());
            let sample = Sample::new(model, batch, 5);
            let plain = sample.on(&context, whole(Mode::None));
            for mode in [Mode::HesScale, Mode::HesScaleR2] {
                let got = sample.on(&context, whole(mode));
                sample.judge(&got, mode, &[]).unwrap();
                assert_eq!(bits(&got.gradient), bits(&plain.gradient), "{class:?} {widths:?} {mode:?}");
            }
        }
    }
}

/// Everything a state holds after `record`.
fn after(
    sample: &Sample,
    optimizer: Optimizer,
    options: PlanOptions,
    record: impl Fn(&Plan, &mut wgpu::CommandEncoder),
) -> Vec<Vec<u32>> {
    let state = State::new(&context(), &sample.model, Some(optimizer)).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let plan = Plan::new(&context(), &sample.model, &state, sample.batch, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    submit(&context(), |encoder| record(&plan, encoder));
    let (first, second) = state.moments();
    let mut tensors = vec![state.parameters(), state.gradient(), state.diagonal(), plan.loss().unwrap()];
    tensors.extend(first.into_iter().chain(second));
    context().read_blocking(&tensors).unwrap().iter().map(|tensor| bits(tensor)).collect()
}

fn optimizers() -> Vec<Optimizer> {
    let (beta1, beta2, eps) = (0.9, 0.99, 1e-3);
    vec![
        Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.05).weight_decay(0.1),
        Rule::Adam { beta1, beta2, eps }.at(0.02),
        Rule::AdaHesScale { beta1, beta2, eps }.at(0.01).weight_decay(0.2),
    ]
}

/// Three steps, the second without curvature; with gradient and update separate, and with the per-layer kernels.
#[test]
fn steps_equal_gradients_and_updates() {
    for (optimizer, batch) in optimizers().into_iter().flat_map(|o| [1, 20, 70].map(|batch| (o, batch))) {
        let model = mlp(&[5, 9, 4], Activation::Tanh, Loss::cross_entropy());
        let sample = Sample::new(model, batch, 6);
        let passes = [Pass::FULL, Pass::FULL.without_curvature(), Pass::FULL];
        let steps = |plan: &Plan, encoder: &mut wgpu::CommandEncoder| {
            passes.iter().for_each(|pass| plan.record_step(encoder, *pass).unwrap());
        };
        let apart = |plan: &Plan, encoder: &mut wgpu::CommandEncoder| {
            for pass in passes {
                plan.record_gradient(encoder, pass).unwrap();
                plan.record_update(encoder, pass).unwrap();
            }
        };
        let one = after(&sample, optimizer, whole(Mode::HesScale).lazy(), steps);
        assert!(one.iter().all(|tensor| tensor.iter().any(|word| *word != 0)));
        let two = after(&sample, optimizer, whole(Mode::HesScale).lazy(), apart);
        assert!(one == two, "{optimizer:?} batch {batch}");
        if batch <= CHUNK {
            let mut layers = after(&sample, optimizer, layered(Mode::HesScale).lazy(), steps);
            layers[3] = one[3].clone(); // the loss is summed in another order
            assert!(one == layers, "{optimizer:?} batch {batch}, layer by layer");
        }
    }
}

#[test]
fn passes_accumulate() {
    for (mode, batch) in [(Mode::None, 9), (Mode::HesScale, 9), (Mode::HesScaleR2, 70)] {
        let sample = Sample::new(mlp(&[5, 9, 4], Activation::Sin { frequency: 2.5 }, Loss::mse()), batch, 6);
        let twice = |plan: &Plan, encoder: &mut wgpu::CommandEncoder| {
            plan.record_gradient(encoder, Pass::FULL).unwrap();
            plan.record_gradient(encoder, Pass::FULL.accumulating()).unwrap();
        };
        let got = after(&sample, Optimizer::sgd(0.1), whole(mode).accumulate(0.5), twice);
        let want = sample.on(&context(), whole(mode));
        for (name, got, want) in
            [("gradient", &got[1], &want.gradient), ("diagonal", &got[2], &want.diagonal)]
        {
            let got: Vec<f64> = got[..want.len()].iter().map(|b| f64::from(f32::from_bits(*b))).collect();
            compare(&format!("{name} {mode:?}"), &got, &to_f64(want), 1e-6).unwrap();
        }
        let step = |plan: &Plan, encoder: &mut wgpu::CommandEncoder| {
            plan.record_gradient(encoder, Pass::FULL).unwrap();
            plan.record_step(encoder, Pass::FULL.accumulating()).unwrap();
        };
        let apart = |plan: &Plan, encoder: &mut wgpu::CommandEncoder| {
            twice(plan, encoder);
            plan.record_update(encoder, Pass::FULL).unwrap();
        };
        let both = [&step as &dyn Fn(&Plan, &mut wgpu::CommandEncoder), &apart]
            .map(|record| after(&sample, Optimizer::sgd(0.1), whole(mode).accumulate(0.5), record));
        assert!(both[0] == both[1], "{mode:?}");
    }
}

#[test]
fn a_step_is_one_kernel_or_two() {
    let model = mlp(&[17, 64, 64, 6], Activation::Tanh, Loss::mse());
    let kernels = |batch, options| counted(&context(), &model, batch, Some(steady()), options).len();
    assert_eq!(kernels(1, whole(Mode::HesScale)), 1);
    assert_eq!(kernels(CHUNK, whole(Mode::HesScale)), 1);
    assert_eq!(kernels(CHUNK + 1, whole(Mode::HesScale)), 2);
    assert_eq!(kernels(1, layered(Mode::HesScale).fewer_dispatches(false)), 12);
    assert_eq!(kernels(1, PlanOptions::inference().whole_network(true)), 1);
    // Requested signals need the per-layer kernels.
    let seen = PlanOptions::training(Mode::HesScale).signal(At::Layer(0));
    assert_eq!(kernels(1, seen.fewer_dispatches(false)), 12);
}

#[test]
fn inference_is_the_forward_pass() {
    for batch in [1, 5, 100] {
        let sample = Sample::new(mlp(&[17, 64, 33, 6], Activation::Gelu, Loss::mse()), batch, 2);
        let state = State::new(&context(), &sample.model, None).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let logits = [true, false].map(|whole| {
            let options = PlanOptions::inference().whole_network(whole);
            let plan = Plan::new(&context(), &sample.model, &state, batch, options).unwrap();
            plan.write_input(&sample.x).unwrap();
            submit(&context(), |encoder| plan.record_forward(encoder));
            bits(&context().read_blocking(&[plan.logits()]).unwrap()[0])
        });
        assert!(logits[0] == logits[1], "batch {batch}");
    }
}

#[test]
fn what_cannot_be_taken_as_a_whole_is_refused() {
    let why = |model: Model, batch, options: PlanOptions| {
        let state = State::new(&context(), &model, None).unwrap();
        // By itself the plan falls back.
        let mut unforced = options.clone();
        unforced.whole_network = None;
        assert!(Plan::new(&context(), &model, &state, batch, unforced).is_ok());
        Plan::new(&context(), &model, &state, batch, options).map(|_| ()).unwrap_err()
    };
    let limit = |error: Error| match error {
        Error::Limit { limit, needed, available, .. } if needed > available => limit,
        other => panic!("{other}"),
    };
    let wide = mlp(&[784, 512, 10], Activation::Tanh, Loss::mse());
    assert_eq!(limit(why(wide, 1, whole(Mode::None))), "max_compute_workgroup_storage_size");
    // Fits with one component, but not with five planes.
    let middle = || mlp(&[64, 128, 128, 10], Activation::Tanh, Loss::mse());
    let state = State::new(&context(), &middle(), None).unwrap();
    assert!(Plan::new(&context(), &middle(), &state, 1, whole(Mode::None)).is_ok());
    assert_eq!(limit(why(middle(), 1, whole(Mode::HesScaleR2))), "max_compute_workgroup_storage_size");
    let deep = mlp(&[4; 10], Activation::Tanh, Loss::mse());
    assert_eq!(limit(why(deep, 1, whole(Mode::None))), "layers");
    let unsupported = |builder: Builder| match why(builder.loss(Loss::mse()).unwrap(), 1, whole(Mode::None)) {
        Error::Unsupported { kind, .. } => kind,
        other => panic!("{other}"),
    };
    let dense = || Model::builder([4]).dense(4).act(Activation::Tanh);
    assert!(unsupported(dense().dense(4).act(Activation::Relu)).contains("second kind"));
    assert!(unsupported(Model::builder([4]).act(Activation::Tanh).dense(4)).contains("follows no dense"));
    assert!(unsupported(dense().residual(|body| body.dense(4))).contains("branch"));
    assert!(unsupported(dense().dropout(0.5).dense(2)).contains("not dense"));
    let small = dense().loss(Loss::mse()).unwrap();
    let signals = whole(Mode::None).signal(At::Input);
    assert!(matches!(why(small, 1, signals), Error::NotPlanned { .. }));
}
