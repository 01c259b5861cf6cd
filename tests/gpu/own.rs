//! Losses and activations in the user's own WGSL: the bits of the crate's where they say the same, else the reference; the CPU beside.

use crate::common::own;
use crate::common::{compare, to_f64};
use crate::harness::{BOUND, Sample, bits, context, not_run, of_class, steady};
use crate::problem::{mlp, sample_weights};
use hesscale::model::{Conv2d, CustomActivation, CustomLoss, MaxPool2d, Targets};
use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, Context, Dtype, Error, Loss, Mode, Model, Plan, PlanOptions, State, wgpu};

/// Each loss on rows of one invocation and on rows that several share; modes, batches, classes and reductions in turn.
#[test]
fn losses_follow_the_reference() {
    let modes =
        [Mode::HesScaleR2, Mode::None, Mode::HesScale, Mode::HesScaleR1, Mode::HesScaleGn, Mode::HesScaleR2];
    let of_widths = [6, 150].into_iter().flat_map(|outputs| own::losses().map(|loss| (outputs, loss)));
    for (turn, ((outputs, loss), mode)) in of_widths.zip(modes).enumerate() {
        let batch = [40, 1, 257, 9, 40][turn % 5];
        let context = of_class(DeviceClass::ALL[turn % DeviceClass::ALL.len()]);
        let loss =
            vec![loss.clone(), loss.clone().sum(), loss.weighted_mean()].swap_remove((turn + turn / 3) % 3);
        let sample = Sample::new(mlp(&[5, outputs], Activation::Tanh, loss), batch, turn as u64);
        let options = PlanOptions::training(mode).whole_network(false).fewer_dispatches(false);
        let weights = sample_weights(batch, &mut fastrand::Rng::with_seed(turn as u64));
        sample.follows_weighted(&context, options, (turn % 2 == 0).then_some(&weights));
    }
}

/// Each loss over the first samples of a batch.
#[test]
fn losses_of_part_of_a_batch() {
    let modes = [Mode::HesScale, Mode::HesScaleR2, Mode::None];
    for (turn, (loss, mode)) in own::losses().into_iter().zip(modes).enumerate() {
        let sample = Sample::new(mlp(&[5, 11, 6], Activation::Tanh, loss), 9, 3);
        let context = of_class(DeviceClass::ALL[turn]);
        let judged = sample.follows_in_part(&context, PlanOptions::training(mode), 5);
        judged.unwrap_or_else(|fault| panic!("{:?} {mode:?}: {fault}", sample.model.loss()));
    }
}

/// A row is all of a sample's numbers, in the user's order: channels before positions.
#[test]
fn a_loss_by_row_of_an_image() {
    let model = Model::builder([2, 5, 4]).conv2d(5, 2).act(Activation::Tanh);
    let model = model.layer(Conv2d::new(3, [1, 2])).loss(own::cosine()).unwrap();
    assert_eq!(model.output_shape(), [3, 4, 2]);
    let sample = Sample::new(model, 5, 2);
    for (class, mode) in [(DeviceClass::Software, Mode::HesScale), (DeviceClass::Discrete, Mode::HesScaleR1)]
    {
        sample.follows_weighted(&of_class(class), PlanOptions::training(mode), None);
    }
}

/// Behind a layer that is not trained, for which no signal is computed.
#[test]
fn an_activation_behind_a_frozen_layer() {
    let model = mlp(&[9, 20, 12, 6], own::softplus(), Loss::mse());
    let sample = Sample::new(model, 18, 4);
    sample.trains_beside_frozen(&of_class(DeviceClass::Integrated), &["0"]);
}

/// Loss, gradient and diagonal.
fn all_bits(context: &Context, sample: &Sample, options: PlanOptions) -> [Vec<u32>; 3] {
    let got = sample.on(context, options);
    [&[got.loss][..], &got.gradient, &got.diagonal].map(bits)
}

/// Ways to dispatch the end of a network.
fn ways(mode: Mode) -> [PlanOptions; 3] {
    let apart = PlanOptions::training(mode).whole_network(false);
    [
        apart.clone().fewer_dispatches(false),
        apart.fewer_dispatches(true),
        PlanOptions::training(mode).whole_network(true),
    ]
}

/// By itself, behind the last layer's product, and in the kernel of a whole network.
#[test]
fn huber_has_the_bits_of_the_crates_own() {
    for (turn, (class, mode)) in [
        (DeviceClass::Integrated, Mode::None),
        (DeviceClass::Discrete, Mode::HesScaleR2),
        (DeviceClass::Software, Mode::HesScale),
    ]
    .into_iter()
    .enumerate()
    {
        let model = |loss| mlp(&[7, 6], Activation::Tanh, loss);
        let batch = [70, 33, 9][turn];
        let mine = Sample::new(model(own::huber().into()), batch, 4);
        let theirs = Sample::new(model(Loss::huber(0.5)), batch, 4);
        let options = ways(mode)[turn].clone();
        let [mine, theirs] =
            [mine, theirs].map(|sample| all_bits(&of_class(class), &sample, options.clone()));
        assert!(mine == theirs, "{class:?} {options:?}");
    }
}

/// A loss of a row reads outputs that a whole network's kernel would have written over.
#[test]
fn a_loss_by_row_goes_where_it_can() {
    let sample = Sample::new(mlp(&[7, 6], Activation::Tanh, own::cosine()), 9, 4);
    let context = of_class(DeviceClass::Discrete);
    let [_, joined, whole] = ways(Mode::HesScaleR1);
    sample.follows_by(&context, joined, &[]).unwrap();
    sample.follows_by(&context, PlanOptions::training(Mode::HesScaleR1), &[]).unwrap();
    let state = State::new(&context, &sample.model, None).unwrap();
    let refused = Plan::new(&context, &sample.model, &state, 9, whole).unwrap_err();
    assert!(matches!(&refused, Error::Unsupported { layer, .. } if layer == "loss"), "{refused}");
    // What predicts has no loss.
    let options = PlanOptions::inference().whole_network(true);
    Plan::new(&context, &sample.model, &state, 9, options).unwrap();
}

fn images(activation: Activation) -> Model {
    let body =
        Model::builder([3, 7, 5]).layer(Conv2d::new(5, 3).same()).act(activation).layer(MaxPool2d::new(2));
    // Behind another activation it has a kernel of its own.
    body.act(activation).act(Activation::Tanh).act(activation).flatten().dense(4).loss(Loss::mse()).unwrap()
}

/// Fused into products of every family, with neighbours in one dispatch, in a whole network; into convolutions and pools, and by itself.
#[test]
fn softplus_has_the_bits_of_the_crates_own() {
    let deep: fn(Activation) -> Model = |activation| mlp(&[9, 20, 12, 6], activation, Loss::mse());
    let [apart, joined, whole] = ways(Mode::HesScale);
    for (class, model, options) in [
        (DeviceClass::Software, images as fn(Activation) -> Model, apart.clone()),
        (DeviceClass::Integrated, deep, apart),
        (DeviceClass::Discrete, deep, joined),
        (DeviceClass::Software, deep, whole),
    ] {
        let context = of_class(class);
        let [mine, theirs] =
            [own::softplus(), Activation::Softplus].map(|activation| Sample::new(model(activation), 18, 4));
        mine.follows_weighted(&context, options.clone(), None);
        let [mine, theirs] = [mine, theirs].map(|sample| all_bits(&context, &sample, options.clone()));
        assert!(mine == theirs, "{class:?} {options:?}");
    }
}

#[test]
fn stored_in_f16() {
    let context = of_class(DeviceClass::Software);
    if !context.device().features().contains(wgpu::Features::SHADER_F16) {
        not_run("SHADER_F16");
        return;
    }
    let ends: [(Activation, Loss); 2] =
        [(own::softplus(), own::huber().into()), (Activation::Softplus, Loss::huber(0.5))];
    let [mine, theirs] = ends.map(|(activation, loss)| {
        let sample = Sample::new(mlp(&[9, 20, 6], activation, loss), 18, 4);
        all_bits(&context, &sample, PlanOptions::training(Mode::HesScale).storage(Dtype::F16))
    });
    assert!(mine == theirs);
    // A row is read as f32, and its signal stored as f16.
    let sample = Sample::new(mlp(&[9, 20, 6], Activation::Tanh, own::cosine()), 18, 4);
    sample.follows_in_f16(&context, Mode::HesScaleR1).unwrap();
}

#[test]
fn training_is_the_cpus() {
    let softsign = CustomActivation::new(
        "softsign",
        "fn act(a: f32) -> f32 { return a / (1.0 + abs(a)); }
         fn act_d(a: f32) -> vec2<f32> { let d = 1.0 / (1.0 + abs(a)); return vec2(d * d, -2.0 * sign(a) * d * d * d); }",
    );
    let softsign = softsign.unwrap().on_cpu(|a| {
        let d = 1.0 / (1.0 + a.abs());
        [a * d, d * d, -2.0 * d * d * d * if a == 0.0 { 0.0 } else { a.signum() }]
    });
    for (loss, curvature) in own::losses().into_iter().zip([1, 2, 1]) {
        let model = mlp(&[4, 16, 9, 5], softsign.into(), loss);
        let options = || TrainerOptions::default().seed(7).curvature_every(curvature);
        let mut trainers = [
            Trainer::new(&context(), &model, steady(), options()).unwrap(),
            Trainer::on_cpu(&model, steady(), options()).unwrap(),
        ];
        for step in 0..6 {
            let sample = Sample::new(model.clone(), [40, 7][step % 2], step as u64);
            let losses = trainers.each_mut().map(|trainer| {
                trainer.step(&sample.x, sample.targets.view()).unwrap();
                [f64::from(trainer.loss().unwrap())]
            });
            compare("loss", &losses[0], &losses[1], 10.0 * BOUND).unwrap();
        }
        let [gpu, cpu] = trainers.each_ref().map(|trainer| to_f64(&trainer.parameters().unwrap()));
        compare("parameters", &gpu, &cpu, 10.0 * BOUND).unwrap();
    }
}

/// A number that a text makes NaN, and an output that is: in the loss, in the step, and in nothing beside it.
#[test]
fn what_is_not_finite_is_told() {
    let of_negative = CustomLoss::elementwise(
        "of_negative",
        "fn term(z: f32, y: f32) -> Term { return Term(hs_nan_where(z < 0.0, z), hs_nan_where(z < 0.0, 1.0), 0.0); }",
    );
    let root = of_negative.unwrap().on_cpu(|z, _| {
        let nan = if z < 0.0 { f64::NAN } else { 1.0 };
        hesscale::model::Term { value: nan * z, g: nan, h: 0.0 }
    });
    for loss in [Loss::from(root), own::cosine().into(), own::huber().into()] {
        let model = Model::builder([2]).dense(2).loss(loss.clone()).unwrap();
        let options = || TrainerOptions::default();
        for mut trainer in [
            Trainer::new(&context(), &model, steady(), options()).unwrap(),
            Trainer::on_cpu(&model, steady(), options()).unwrap(),
        ] {
            let mut parameters = vec![0.0; model.flat_len()];
            parameters[..4].copy_from_slice(&[1.0, 0.0, 0.0, 1.0]);
            trainer.set_parameters(&parameters).unwrap();
            trainer.step(&[1.0, 2.0], Targets::Values(&[0.5, 0.5])).unwrap();
            assert!(trainer.loss().is_ok(), "{loss:?}");
            let bad = if matches!(&loss, Loss::Custom(custom) if custom.name() == "of_negative") {
                -3.0
            } else {
                f32::NAN
            };
            trainer.step(&[3.0, bad], Targets::Values(&[0.5, 0.5])).unwrap();
            assert!(
                matches!(trainer.loss(), Err(Error::Diverged { .. })),
                "{loss:?} on {}",
                trainer.device()
            );
        }
    }
    // Nor does an activation hide it.
    let one = "fn act(a: f32) -> f32 { return 1.0; } fn act_d(a: f32) -> vec2<f32> { return vec2(0.0); }";
    let one = CustomActivation::new("one", one).unwrap().on_cpu(|_| [1.0, 0.0, 0.0]);
    let model = Model::builder([2]).dense(2).act(one).dense(2).loss(Loss::mse()).unwrap();
    for mut trainer in [
        Trainer::new(&context(), &model, steady(), TrainerOptions::default()).unwrap(),
        Trainer::on_cpu(&model, steady(), TrainerOptions::default()).unwrap(),
    ] {
        let outputs = trainer.predict(&[1.0, f32::NAN, 1.0, 2.0]).unwrap();
        let nan: Vec<bool> = outputs.iter().map(|z| z.is_nan()).collect();
        assert_eq!(nan, [true, true, false, false], "on {}", trainer.device());
    }
    // A row's NaN is all its row's, also where a text does not look at it, and no other's.
    let first = "alias Row = f32;
        fn read_row() -> Row { return output_at(0u); }
        fn part(row: Row, k: u32) -> Term { return Term(select(0.0, row, k == 0u), f32(k == 0u), 0.0); }";
    let first = Loss::from(CustomLoss::by_row("first", first).unwrap()).sum();
    let model = Model::builder([2]).layer(hesscale::Layer::Identity).loss(first).unwrap();
    let sample = Sample {
        model,
        batch: 2,
        parameters: vec![],
        x: vec![1.0, f32::NAN, 1.0, 2.0],
        targets: crate::common::golden::OwnedTargets::Values(vec![1.0; 4]),
    };
    let got = crate::harness::run_with_signals(
        &context(),
        &sample.model,
        Mode::HesScale,
        &[],
        &sample.x,
        sample.targets.view(),
    );
    let (g, h) = got.unwrap().input_signal;
    assert!(
        g[..2].iter().chain(&h[..2]).all(|x| x.is_nan())
            && g[2..].iter().chain(&h[2..]).all(|x| x.is_finite())
    );
}

/// Places in arrays of its own are checked where a text computes them: what lies past the end is no memory of somebody else's.
#[test]
fn places_that_a_text_computes_are_checked() {
    let table = CustomActivation::new(
        "table",
        "const slopes = array<f32, 3>(0.5, 1.0, 1.5);
         fn slope(a: f32) -> f32 { var mine = slopes; return mine[u32(abs(a) * 1e6)]; }
         fn act(a: f32) -> f32 { return clamp(slope(a), 0.5, 1.5) * a; }
         fn act_d(a: f32) -> vec2<f32> { return vec2(clamp(slope(a), 0.5, 1.5), 0.0); }",
    );
    let model = Model::builder([3]).dense(8).act(table.unwrap()).dense(2).loss(Loss::mse()).unwrap();
    let sample = Sample::new(model, 5, 1);
    let got = sample.on(&context(), PlanOptions::training(Mode::HesScale));
    assert!(got.logits.iter().chain(&got.gradient).all(|x| x.is_finite()));
}

/// What a GPU trains without the CPU's help: all but the loss of a data set.
#[test]
fn without_a_closure_a_gpu_trains() {
    let loss = CustomLoss::elementwise("own_huber", own::HUBER).unwrap();
    let softplus = CustomActivation::new("own_softplus", own::SOFTPLUS).unwrap();
    let model = mlp(&[4, 16, 5], softplus.into(), loss);
    let mut trainer = Trainer::new(&context(), &model, steady(), TrainerOptions::default()).unwrap();
    let sample = Sample::new(model, 12, 3);
    trainer.step(&sample.x, sample.targets.view()).unwrap();
    assert!(trainer.loss().unwrap() > 0.0);
    let data = Dataset::new(sample.x, 4, Labels::Values(vec![0.5; 60])).unwrap();
    let refused = trainer.evaluate(&data, 5).unwrap_err();
    assert!(matches!(&refused, Error::Unsupported { layer, .. } if layer == "loss"), "{refused}");
}

/// So they are where a text's first item has no name, in a kernel that two are joined in.
#[test]
fn places_are_checked_in_joined_kernels() {
    let far = CustomLoss::elementwise(
        "far",
        "const_assert true;
         const weights = array<f32, 3>(0.5, 1.0, 1.5);
         fn weight(z: f32) -> f32 { var mine = weights; return mine[u32(1e6 * (1.0 + abs(z)))]; }
         fn term(z: f32, y: f32) -> Term {
             let w = clamp(weight(z), 0.0, 2.0);
             return Term(0.5 * w * (z - y) * (z - y), w * (z - y), w);
         }",
    );
    let sample = Sample::new(mlp(&[7, 9, 6], Activation::Tanh, far.unwrap()), 9, 4);
    let context = of_class(DeviceClass::Discrete);
    let [apart, joined, _] = ways(Mode::HesScale);
    let apart = all_bits(&context, &sample, apart);
    assert!(apart.iter().flatten().all(|bits| f32::from_bits(*bits).is_finite()));
    assert!(all_bits(&context, &sample, joined) == apart);
}
