//! Two kernels in one dispatch give the same bits as a dispatch each.

use crate::harness::{
    Sample, bits, context, context_with_own_tiles, counted, of_class, of_class_with_own_tiles, share,
    share_from, steady, submit,
};
use hesscale::model::{Conv2d, ConvTranspose2d, Rule};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, Context, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State};

/// Sizes in vec4s and not, with biases and without, and sums of neighbouring layers that differ in size.
fn dense(loss: impl Into<Loss>) -> Model {
    let builder = Model::builder([7]).dense(12).act(Activation::Tanh).dense(20).act(Activation::Gelu);
    builder
        .dense_no_bias(9)
        .act(Activation::Relu)
        .dense(36)
        .act(Activation::Tanh)
        .dense(6)
        .loss(loss)
        .unwrap()
}

/// Convolutions with and without groups, and back.
fn images() -> Model {
    let builder = Model::builder([2, 6, 5]).conv2d(8, 3).act(Activation::Tanh);
    let builder = builder.layer(Conv2d::new(12, 2).groups(4)).act(Activation::Relu);
    let builder = builder.layer(ConvTranspose2d::new(8, 2).stride(2)).act(Activation::Tanh);
    builder.flatten().dense(6).loss(Loss::cross_entropy()).unwrap()
}

fn losses() -> [Loss; 4] {
    let smooth = Loss::cross_entropy().label_smoothing(0.1).ignore_index(2);
    let weighted = Loss::cross_entropy().class_weights([1.0, 2.0, 0.5, 1.0, 3.0, 1.0]).sum();
    [Loss::cross_entropy().into(), smooth.into(), weighted.into(), Loss::mse()]
}

/// Names of a plan's dispatches, sizes and tiles cut off: of two that are one, both.
fn labels(plan: Vec<(String, u64)>) -> Vec<String> {
    let is_size = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let name = |label: &str| label.split(' ').take_while(|word| !is_size(word)).collect::<Vec<_>>().join(" ");
    let whole = |label: &str| {
        let words = label.replace(" beside ", "|& ").replace(" with ", "|w ");
        words.split('|').map(name).collect::<Vec<_>>().join(" ")
    };
    plan.iter().map(|(label, _)| whole(label)).collect()
}

#[test]
fn gradient_and_diagonal_have_the_same_bits() {
    let few = [Mode::None, Mode::HesScale];
    for (context, modes) in [(context(), &Mode::ALL[..]), (of_class(DeviceClass::Discrete), &few)] {
        for (index, (loss, batch)) in (0..).zip(losses().into_iter().zip([1, 5, 33, 70])) {
            let sample = Sample::new(dense(loss), batch, 5);
            // Shaders take long to compile: all modes with one loss, all losses with one mode.
            for mode in
                share_from(modes.iter().filter(|mode| index == 1 || **mode == Mode::HesScale), 2, index)
            {
                let on = |fewer| {
                    let got = sample.on(&context, PlanOptions::training(*mode).fewer_dispatches(fewer));
                    [&[got.loss][..], &got.logits, &got.gradient, &got.diagonal].map(bits)
                };
                assert!(on(true) == on(false), "{mode:?} batch {batch} {:?}", context.class());
            }
        }
    }
}

#[test]
fn so_they_have_with_convolutions() {
    let sample = Sample::new(images(), 5, 7);
    let modes = [Mode::None, Mode::HesScale, Mode::HesScaleR1];
    for (context, modes) in [(context(), &modes[..]), (of_class(DeviceClass::Discrete), &modes[1..2])] {
        for mode in share(modes.iter().copied(), 2) {
            let on = |fewer| {
                let got = sample.on(&context, PlanOptions::training(mode).fewer_dispatches(fewer));
                [&[got.loss][..], &got.logits, &got.gradient, &got.diagonal].map(bits)
            };
            assert!(on(true) == on(false), "{mode:?} {:?}", context.class());
        }
    }
    let got = plan(&images(), 5, None, PlanOptions::training(Mode::HesScale).fewer_dispatches(true));
    let (last, unpack) = ("gemm signal hesscale+relu & gemm partial hesscale", "unpack");
    assert_eq!(
        got[got.len() - 6..],
        [
            last,
            unpack,
            "gemm signal hesscale+tanh & gemm partial hesscale",
            unpack,
            "gemm partial hesscale",
            unpack
        ]
    );
}

#[test]
fn signals_that_are_kept_are_the_same() {
    let sample = Sample::new(dense(Loss::cross_entropy()), 5, 8);
    for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
        let keep = |options| sample.places().into_iter().fold(options, PlanOptions::signal);
        let got = sample.on(&context(), keep(PlanOptions::training(mode).fewer_dispatches(true)));
        sample.judge(&got, mode, &sample.places()).unwrap();
    }
}

/// Four steps, with curvature and without, then one that accumulates.
fn trained(context: &Context, sample: &Sample, optimizer: Optimizer, options: PlanOptions) -> Vec<Vec<u32>> {
    let state = State::new(context, &sample.model, Some(optimizer)).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let plan =
        Plan::new(context, &sample.model, &state, sample.batch, options.lazy().accumulate(0.5)).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    for step in 0..4 {
        let pass = if step % 2 == 1 { Pass::FULL.without_curvature() } else { Pass::FULL };
        submit(context, |encoder| plan.record_step(encoder, pass).unwrap());
    }
    submit(context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
    submit(context, |encoder| plan.record_gradient(encoder, Pass::FULL.accumulating()).unwrap());
    let (first, second) = state.moments();
    let flat = [Some(state.parameters()), Some(state.gradient()), first, second].into_iter().flatten();
    let parameters = sample.model.parameters();
    let mut parts: Vec<_> =
        flat.flat_map(|flat| parameters.iter().map(|p| state.part(flat, p).unwrap())).collect();
    parts.push(plan.loss().unwrap().clone());
    let read = context.read_blocking(&parts.iter().collect::<Vec<_>>()).unwrap();
    read.iter().map(|tensor| bits(tensor)).collect()
}

#[test]
fn updated_parameters_and_moments_have_the_same_bits() {
    let (beta1, beta2, eps) = (0.9, 0.99, 1e-3);
    let optimizers = [
        Rule::Sgd { momentum: 0.9, nesterov: false }.at(0.05).weight_decay(0.1),
        Rule::Adam { beta1, beta2, eps }.at(0.02),
        Rule::AdaHesScale { beta1, beta2, eps }.at(0.01).weight_decay(0.2),
    ];
    let cases: Vec<_> = [2, 1, 40].into_iter().zip(optimizers).collect();
    for (context, cases) in [(context(), &cases[..]), (of_class(DeviceClass::Discrete), &cases[2..])] {
        for (batch, optimizer) in cases.iter().copied() {
            let sample = Sample::new(dense(Loss::cross_entropy()), batch, 6);
            let options = PlanOptions::training(optimizer.rule.mode()).fused_update();
            let run = |fewer| trained(&context, &sample, optimizer, options.clone().fewer_dispatches(fewer));
            let (fewer, apart) = (run(true), run(false));
            assert!(fewer == apart, "{optimizer:?} batch {batch} {:?}", context.class());
        }
    }
}

fn plan(model: &Model, batch: usize, optimizer: Option<Optimizer>, options: PlanOptions) -> Vec<String> {
    labels(counted(&context_with_own_tiles(), model, batch, optimizer, options))
}

fn mlp() -> Model {
    let builder = Model::builder([8]).dense(12).act(Activation::Tanh).dense(12).act(Activation::Tanh);
    builder.dense(4).loss(Loss::cross_entropy()).unwrap()
}

const FORWARD: &str = "gemm forward+tanh";
const LAST: &str = "gemm forward+identity w total loss cross-entropy hesscale";
const SIGNAL: &str = "gemm signal hesscale+tanh";

#[test]
fn a_pass_of_three_dense_layers_is_six_dispatches() {
    let got = plan(&mlp(), 1, None, PlanOptions::training(Mode::HesScale).fewer_dispatches(true));
    let beside = "gemm signal hesscale+tanh & gemm parameters gradient+diagonal";
    assert_eq!(got, [FORWARD, FORWARD, LAST, beside, beside, "gemm parameters gradient+diagonal"]);
}

/// A layer's signal is computed before the layer is updated, joined with the update of the layer above.
#[test]
fn a_step_of_three_dense_layers_is_seven_dispatches() {
    let options = PlanOptions::training(Mode::HesScale).fused_update().fewer_dispatches(true);
    let got = plan(&mlp(), 1, Some(steady()), options);
    let update = "gemm parameters adahesscale";
    let (beside, both) = (format!("{SIGNAL} & {update}"), format!("{update} & {update}"));
    assert_eq!(got, [FORWARD, FORWARD, LAST, "optimizer advance", SIGNAL, &beside, &both]);
}

/// The default on GPUs.
#[test]
fn on_gpus_it_is_the_default() {
    let context = of_class_with_own_tiles(DeviceClass::Discrete);
    let builder = Model::builder([784]).dense(512).act(Activation::Tanh).dense(512).act(Activation::Tanh);
    let model = builder.dense(10).loss(Loss::cross_entropy()).unwrap();
    let count = |batch, options: PlanOptions| {
        counted(&context, &model, batch, Some(steady()), options.fused_update()).len()
    };
    let training = || PlanOptions::training(Mode::HesScale);
    assert_eq!(count(1, training()), 8);
    assert_eq!(count(1, training().fewer_dispatches(true)), 7);
    assert_eq!(count(1, training().fewer_dispatches(false)), 11);
    // The last two updates each have enough workgroups.
    assert_eq!(count(128, training()), 9);
}

/// On software adapters many rows would need barriers; more classes than a tile's columns cannot be joined.
#[test]
fn the_loss_stays_apart_where_it_must() {
    let wide = Model::builder([8]).dense(100).loss(Loss::cross_entropy()).unwrap();
    let got = plan(&wide, 1, None, PlanOptions::training(Mode::None).fewer_dispatches(true));
    assert_eq!(got[..2], ["gemm forward+identity", "total loss cross-entropy none"]);
    let got = plan(&mlp(), 4000, None, PlanOptions::training(Mode::None).fewer_dispatches(true));
    assert_eq!(got[2..4], ["gemm forward+identity w loss cross-entropy none", "reduce loss"]);
    let activated = Model::builder([8])
        .dense(4)
        .act(Activation::Tanh)
        .act(Activation::Sin { frequency: 1.0 })
        .loss(Loss::mse());
    let got = plan(&activated.unwrap(), 1, None, PlanOptions::training(Mode::None).fewer_dispatches(true));
    assert_eq!(got[..3], ["gemm forward+tanh", "forward sin", "total loss mse none"]);
}
