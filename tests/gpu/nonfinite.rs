//! Non-finite values propagate on every path: activations and max pooling of NaN and infinities, kinks, the limits of f32.

use crate::harness::{Sample, context, distinct, host_device, run_with_signals, share_from, small_tiles};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{
    Attention, AvgPool2d, BatchNorm, Conv2d, ConvTranspose2d, Gru, Layer, LayerNorm, Loss, Lstm, MaxPool2d,
    Noise, PositionEmbedding, Reduction, Targets, Upsample2d,
};
use hesscale::reference::{self, activation, pass};
use hesscale::tuning::DeviceClass;
use hesscale::{
    Activation, At, Context, ContextOptions, Mode, Model, Optimizer, Plan, PlanOptions, State, wgpu,
};
use std::sync::OnceLock;

/// The test's adapter with the kernels of a class.
pub(crate) fn of_class(class: DeviceClass) -> Context {
    static CONTEXTS: OnceLock<[Context; DeviceClass::ALL.len()]> = OnceLock::new();
    let make = |class| {
        let (device, queue) = host_device(wgpu::Limits::defaults());
        let options = ContextOptions::default().class(class);
        let options = small_tiles(class).into_iter().fold(options, ContextOptions::tiles);
        Context::from_device(&device, &queue, options)
    };
    let index = DeviceClass::ALL.iter().position(|c| *c == class).expect("one of them");
    CONTEXTS.get_or_init(|| DeviceClass::ALL.map(make))[index].clone()
}

/// Those of all classes, but each [`distinct`] one once.
pub(crate) fn of_classes(
    model: &Model,
    batch: usize,
    optimizer: Option<Optimizer>,
    plans: &[PlanOptions],
) -> Vec<Context> {
    distinct(DeviceClass::ALL.map(of_class), model, batch, optimizer, plans)
}

/// The usual NaN, and one with the other sign and another payload.
const NANS: [f32; 2] = [f32::NAN, f32::from_bits(0xff80_0001)];

fn ends() -> Vec<f32> {
    let positive = [
        0.0,
        1e-45,
        1e-40,
        f32::MIN_POSITIVE,
        1e-3,
        3.0,
        20.0,
        87.0,
        88.0,
        88.5,
        88.7,
        89.0,
        100.0,
        1e3,
        1e4,
    ];
    let large = [1e7, 1e20, 1e38, f32::MAX, f32::INFINITY];
    positive.into_iter().chain(large).flat_map(|x| [x, -x]).chain(NANS).collect()
}

fn alone(function: Activation, width: usize) -> Model {
    Model::builder([width]).act(function).loss(Loss::Mse { reduction: Reduction::Sum }).unwrap()
}

/// The network's outputs for `x`, from a plan with these options.
fn outputs(
    context: &Context,
    model: &Model,
    options: PlanOptions,
    parameters: &[f32],
    x: &[f32],
) -> Vec<f32> {
    let state = State::new(context, model, None).unwrap();
    state.write_parameters(parameters).unwrap();
    let plan = Plan::new(context, model, &state, x.len() / model.inputs(), options).unwrap();
    plan.write_input(x).unwrap();
    let mut encoder = context.device().create_command_encoder(&Default::default());
    plan.record_forward(&mut encoder);
    context.queue().submit([encoder.finish()]);
    context.read_blocking(&[plan.logits()]).unwrap().swap_remove(0)
}

fn on_the_cpu(model: &Model, parameters: &[f32], x: &[f32]) -> Vec<f32> {
    let mut executor = Executor::new(model, x.len() / model.inputs(), ExecutorOptions::inference()).unwrap();
    executor.predict(parameters, x).unwrap().to_vec()
}

/// The same number: NaN of any kind, an infinity, or within a few units of the last place; a gate flushes σ below 1.2e-38 and
/// multiplies by up to 100.
fn same(got: f32, want: f64) -> bool {
    if want.is_nan() || want.is_infinite() {
        return got.is_nan() == want.is_nan() && (want.is_nan() || f64::from(got) == want);
    }
    (f64::from(got) - want).abs() <= 2e-6 * want.abs() + 2e-36
}

#[test]
fn the_comparator_tells_nan_from_numbers() {
    assert!(same(f32::NAN, f64::NAN) && same(1.0, 1.0) && same(f32::INFINITY, f64::INFINITY));
    for (got, want) in
        [(0.0, f64::NAN), (f32::NAN, 0.0), (f32::MAX, f64::INFINITY), (-1.0, 1.0), (1.0, 1.0001)]
    {
        assert!(!same(got, want), "{got} {want}");
    }
    assert!(!same(f32::NEG_INFINITY, f64::INFINITY) && !same(-1.65, 0.0));
}

/// Each activation at the ends of f32 and past them, by itself: reference, CPU, GPU.
#[test]
fn activations_agree_at_the_ends() {
    let x = ends();
    let mut wrong = Vec::new();
    for function in Activation::ALL {
        let model = alone(function, x.len());
        let gpu = outputs(&context(), &model, PlanOptions::inference(), &[], &x);
        let cpu = on_the_cpu(&model, &[], &x);
        for (i, x) in x.iter().enumerate() {
            let want = activation(function, *x)[0];
            // Past 12,000 the GPU's sine is within the spacing of its argument: `shader_math.rs`.
            let far = matches!(function, Activation::Sin { .. }) && x.abs() > 12e3 && x.is_finite();
            if !same(cpu[i], want.into()) || !(far || same(gpu[i], want.into())) {
                wrong.push(format!("{function:?} at {x:e}: {want:e}, CPU {:e}, GPU {:e}", cpu[i], gpu[i]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Behind a dense layer, in each class of device (on a spared adapter in one of them in turn) and in whole networks: one NaN in an input makes that sample's outputs NaN
/// and no other's.
#[test]
fn one_nan_reaches_the_outputs_of_its_sample() {
    for (turn, function) in Activation::ALL.into_iter().enumerate() {
        let model = Model::builder([8]).dense(16).act(function).dense(12).act(function).dense(4);
        let sample = Sample::new(model.loss(Loss::cross_entropy()).unwrap(), 5, 3);
        let mut x = sample.x.clone();
        x[2 * 8 + 3] = f32::NAN;
        let want = reference::predict(&sample.model, &sample.parameters, &x).unwrap();
        assert!(want.iter().enumerate().all(|(i, z)| z.is_nan() == (i / 4 == 2)), "{function:?}");
        let mut paths = vec![("CPU".into(), on_the_cpu(&sample.model, &sample.parameters, &x))];
        let plans = [false, true].map(|whole| PlanOptions::inference().whole_network(whole));
        for context in share_from(of_classes(&sample.model, 5, None, &plans), 3, turn) {
            for options in share_from(plans.clone(), 2, turn / 3) {
                let got = outputs(&context, &sample.model, options, &sample.parameters, &x);
                paths.push((format!("{:?}", context.class()), got));
            }
        }
        for (path, got) in paths {
            let ok = got.iter().zip(&want).all(|(got, want)| got.is_nan() == want.is_nan());
            assert!(ok, "{function:?} on {path}: {got:?}");
        }
    }
}

/// A layer of every kind, on images of six channels.
fn kinds() -> Vec<Model> {
    let relu = Activation::Relu;
    let layers: Vec<Layer> = vec![
        Conv2d::new(5, 3).padding(1).stride(2).into(),
        Conv2d::new(8, 3).groups(2).into(),
        Conv2d::new(6, 3).groups(6).into(),
        ConvTranspose2d::new(5, 3).stride(2).into(),
        AvgPool2d::new(3).stride(2).padding(1).into(),
        Layer::global_avg_pool(),
        Layer::AdaptiveAvgPool2d { output: [4, 3] },
        // Windows that overlap, and one that invocations share.
        MaxPool2d::new(3).stride(1).padding(1).into(),
        MaxPool2d::new([9, 8]).into(),
        Layer::ZeroPad2d { padding: [1, 0, 2, 3] },
        Layer::ReflectionPad2d { padding: [1, 0, 2, 3] },
        Upsample2d::bilinear(2).into(),
        BatchNorm::new(vec![0.1; 6], vec![1.3; 6]).into(),
        Layer::Dropout { p: 0.5 },
        LayerNorm::of_channels().into(),
        PositionEmbedding::new().into(),
        Attention::new(1).into(),
        Attention::new(2).causal(true).into(),
        Layer::Residual {
            body: vec![Conv2d::new(6, 3).padding(1).inputs(6).into(), relu.into()],
            projection: vec![],
        },
    ];
    let loss = Loss::Mse { reduction: Reduction::Sum };
    let images = layers.into_iter().map(|layer| Model::builder([6, 9, 8]).layer(layer));
    let sequences: [Layer; 3] = [Gru::new(4).into(), Lstm::new(3).bias(false).into(), Layer::Last];
    let sequences = sequences.into_iter().map(|layer| Model::builder([12, 20]).layer(layer));
    images.chain(sequences).map(|builder| builder.loss(loss.clone()).unwrap()).collect()
}

/// What is not finite by the reference is not on any path, forward and backward, and nothing of another sample is touched. Within a
/// sample a path may spoil more: channels share vectors on a GPU, and 0 times NaN is NaN.
#[test]
fn every_layer_passes_on_what_is_not_finite() {
    let (mode, mut wrong) = (Mode::HesScale, Vec::new());
    for (turn, model) in kinds().into_iter().enumerate() {
        let (width, name) = (model.inputs(), model.layer_name(0).unwrap());
        let clean = Sample::new(model, 3, 3);
        let plan = PlanOptions::training(mode).signal(At::Input);
        let contexts = of_classes(&clean.model, 3, None, std::slice::from_ref(&plan));
        let contexts: Vec<Context> = share_from(contexts, 2, turn).collect();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut sample = Sample::new(clean.model.clone(), 3, 3);
            [1, 17, 200].iter().for_each(|at| sample.x[width + at] = bad);
            let want = sample.reference(mode);
            let options = ExecutorOptions::training(mode).signal(At::Input);
            let mut executor = Executor::new(&sample.model, 3, options).unwrap();
            let (noise, targets) = (Noise::default(), sample.targets.view());
            let loss = executor.pass(mode, &sample.parameters, &sample.x, targets, noise).unwrap();
            let signal = executor.signal(At::Input).unwrap();
            let results =
                [&[loss], executor.logits(), executor.gradient(), &signal.0, &signal.1].map(<[f32]>::to_vec);
            let mut paths = vec![("CPU".to_owned(), results)];
            for context in &contexts {
                let got = sample.on(context, plan.clone());
                let (g, h) = got.input_signal;
                paths.push((
                    format!("{:?}", context.class()),
                    [vec![got.loss], got.logits, got.gradient, g, h],
                ));
            }
            let signal = &want.input_signal;
            let want = [&[want.loss], &want.logits[..], &want.gradient, &signal.g, &signal.h];
            for (path, got) in paths {
                for ((what, got), want) in
                    ["loss", "logits", "gradient", "g", "h"].into_iter().zip(got).zip(want)
                {
                    let samples = ["logits", "g", "h"].contains(&what);
                    let another = |i: usize| samples && i / (got.len() / 3) != 1;
                    let near = |i: usize| (f64::from(got[i]) - want[i]).abs() <= 1e-5 * (1.0 + want[i].abs());
                    let off = |i: &usize| match want[*i].is_finite() {
                        true => another(*i) && !near(*i),
                        false => got[*i].is_finite(),
                    };
                    wrong.extend(
                        (0..got.len()).find(off).map(|i| {
                            format!("{name} {bad}, {path}, {what} {i}: {}, not {}", got[i], want[i])
                        }),
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Rows of 2 × 2 images, each with its maximum and the maximum's place.
const POOLED: [([f32; 4], f32, usize); 9] = [
    ([1.0, f32::NAN, 3.0, 4.0], f32::NAN, 1),
    ([f32::NAN, 5.0, 3.0, 4.0], f32::NAN, 0),
    ([f32::NAN; 4], f32::NAN, 0),
    ([f32::INFINITY, 1.0, f32::NAN, f32::NAN], f32::NAN, 2),
    ([f32::NEG_INFINITY; 4], f32::NEG_INFINITY, 0),
    ([f32::NEG_INFINITY, 1.0, f32::INFINITY, f32::INFINITY], f32::INFINITY, 2),
    ([-1.0, f32::NEG_INFINITY, -2.0, -1.0], -1.0, 0),
    ([0.0, -0.0, 0.0, -0.0], 0.0, 0),
    ([-0.0, 0.0, -0.0, 0.0], 0.0, 0),
];

/// NaN is the largest of all, as in PyTorch, and the first of them gets the signal.
#[test]
fn max_pooling_agrees_about_nan() {
    let model =
        Model::builder([1, 2, 2]).layer(MaxPool2d::new(2)).loss(Loss::Mse { reduction: Reduction::Sum });
    let (model, batch) = (model.unwrap(), POOLED.len());
    let x: Vec<f32> = POOLED.iter().flat_map(|row| row.0).collect();
    let targets = vec![1.0; batch];
    let want = pass(&model, Mode::HesScale, &[], &x.map_f64(), Targets::Values(&targets)).unwrap();
    let gpu = |context: &Context| {
        let got =
            run_with_signals(context, &model, Mode::HesScale, &[], &x, Targets::Values(&targets)).unwrap();
        (got.logits, got.input_signal.1)
    };
    let options = ExecutorOptions::training(Mode::HesScale).signal(At::Input);
    let mut executor = Executor::new(&model, batch, options).unwrap();
    executor.pass(Mode::HesScale, &[], &x, Targets::Values(&targets), Noise::default()).unwrap();
    let cpu = (executor.logits().to_vec(), executor.signal(At::Input).unwrap().1);
    let of_reference = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
    let mut paths = vec![("CPU", cpu)];
    paths.push(("reference", (of_reference(&want.logits), of_reference(&want.input_signal.h))));
    let plan = PlanOptions::training(Mode::HesScale).signal(At::Input).signal(At::Layer(0));
    paths.extend(of_classes(&model, batch, None, &[plan]).iter().map(|context| ("GPU", gpu(context))));
    for (path, (z, h)) in paths {
        for (row, (image, largest, place)) in POOLED.into_iter().enumerate() {
            assert!(same(z[row], largest.into()), "{path}: {image:?} gives {}", z[row]);
            // The signal's h is 2, whatever the loss makes of g.
            let mut there = [0.0; 4];
            there[place] = 2.0;
            let got = &h[4 * row..][..4];
            // A signal of NaN may be multiplied with the zeros of its window's other places, too.
            let ok = got
                .iter()
                .zip(there)
                .all(|(got, want)| *got == want || (!largest.is_finite() && got.is_nan()));
            assert!(ok, "{path}: {image:?} leaves {got:?}");
        }
    }
}

trait MapF64 {
    fn map_f64(&self) -> Vec<f64>;
}

impl MapF64 for Vec<f32> {
    fn map_f64(&self) -> Vec<f64> {
        self.iter().map(|x| f64::from(*x)).collect()
    }
}

/// f'' of elu and selu at exactly 0 is 0, as PyTorch's double backward has it: h of the bias is f'² · 2.
#[test]
fn kinks_have_no_curvature_on_any_path() {
    for (function, slope) in
        [(Activation::Elu { alpha: 1.0 }, 1.0), (Activation::Selu, 1.758_099_340_847_376_9_f64)]
    {
        let model = Model::builder([1])
            .dense(1)
            .act(function)
            .loss(Loss::Mse { reduction: Reduction::Mean })
            .unwrap();
        let (parameters, targets) = (vec![0.0; model.flat_len()], Targets::Values(&[-1.0]));
        let bias = model.parameters()[1].range();
        let want = pass(&model, Mode::HesScale, &parameters.map_f64(), &[0.0], targets).unwrap();
        let mut executor = Executor::new(&model, 1, ExecutorOptions::training(Mode::HesScale)).unwrap();
        executor.pass(Mode::HesScale, &parameters, &[0.0], targets, Noise::default()).unwrap();
        let mut all =
            vec![("reference", want.diagonal[bias.start]), ("CPU", executor.diagonal()[bias.start].into())];
        let plan = [At::Input, At::Layer(0), At::Layer(1)]
            .into_iter()
            .fold(PlanOptions::training(Mode::HesScale), PlanOptions::signal);
        for context in of_classes(&model, 1, None, &[plan]) {
            let got =
                run_with_signals(&context, &model, Mode::HesScale, &parameters, &[0.0], targets).unwrap();
            all.push(("GPU", got.diagonal[bias.start].into()));
        }
        for (path, h) in all {
            assert!((h - 2.0 * slope * slope).abs() < 1e-5, "{function:?} on {path}: {h}");
        }
    }
}
