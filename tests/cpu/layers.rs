//! Every kind of layer between others, in every mode, beside the reference in f64; and what must not depend on how the work is
//! cut.

use crate::common::{compare, to_f64};
use crate::problem::{Problem, losses};
use cpu_time::ThreadTime;
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::{
    Attention, AvgPool2d, BatchNorm, Builder, Conv1d, Conv2d, ConvTranspose2d, GroupNorm, Gru, HashGrid,
    Init, Interpolation, LayerNorm, Lstm, MaxPool2d, Noise, PRelu, Padding, PositionEmbedding, RmsNorm,
    Targets, Upsample2d,
};
use hesscale::reference::{PassOutput, pass_with_noise};
use hesscale::{Activation, At, Error, Layer, Loss, Mode, Model};
use std::time::Duration;

use Activation::{Elu, Relu, Softplus, Tanh};

const NOISE: Noise = Noise { seed: 7, step: 3 };

/// A normalisation of `channels` with distinct parameters per channel.
pub(crate) fn norm(channels: usize) -> BatchNorm {
    let c = || (0..channels).map(|c| c as f32);
    BatchNorm::new(c().map(|c| 0.1 * c - 0.2).collect(), c().map(|c| 0.5 + 0.25 * c).collect())
}

/// A random problem whose values are exact in f32.
fn problem(model: Model, batch: usize) -> Problem {
    let mut problem = Problem::new(model, batch, 5);
    let round = |numbers: &mut Vec<f64>| numbers.iter_mut().for_each(|x| *x = f64::from(*x as f32));
    round(&mut problem.parameters);
    round(&mut problem.input);
    problem
}

fn to_f32(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|x| *x as f32).collect()
}

/// The bound on a tensor's relative max-norm, three times the golden vectors': with weights this large a signed diagonal cancels to
/// a few per cent of its terms.
pub(crate) const BOUND: f64 = 3e-5;

/// The differences, if any.
fn difference(
    problem: &Problem,
    executor: &Executor,
    loss: f32,
    want: &PassOutput<f64>,
) -> Result<(), String> {
    compare("loss", &[loss.into()], &[want.loss], BOUND)?;
    compare("logits", &to_f64(executor.logits()), &want.logits, BOUND)?;
    for p in problem.model.parameters() {
        let (name, range) = (p.name(), p.range());
        let gradient = to_f64(&executor.gradient()[range.clone()]);
        compare(&format!("gradient of {name}"), &gradient, &want.gradient[range.clone()], BOUND)?;
        if !want.diagonal.is_empty() {
            let diagonal = to_f64(&executor.diagonal()[range.clone()]);
            compare(&format!("diagonal of {name}"), &diagonal, &want.diagonal[range], BOUND)?;
        }
    }
    Ok(())
}

fn follows(name: &str, model: Model, batch: usize) {
    let problem = problem(model, batch);
    let (parameters, input) = (to_f32(&problem.parameters), to_f32(&problem.input));
    let (model, targets) = (&problem.model, problem.targets.view());
    for mode in Mode::ALL {
        if mode.rank() > 0
            && model.positions() > 1
            && matches!(model.loss(), Loss::SoftmaxCrossEntropy { .. })
        {
            continue;
        }
        let want = pass_with_noise(model, mode, &problem.parameters, &problem.input, targets, NOISE).unwrap();
        for threads in [1, 3] {
            let threads_of_any_use = Threads::new(threads).unwrap().least_work(1);
            let options = ExecutorOptions::training(mode).threads(threads_of_any_use);
            let layers = (0..model.layers().len()).map(At::Layer);
            let places: Vec<At> = layers.chain([At::Input]).collect();
            let kept = places.iter().fold(options.clone(), |options, at| options.signal(*at));
            for options in [options, kept] {
                // With room for more than comes.
                let mut executor = Executor::new(model, batch + 2, options.clone()).unwrap();
                let loss = executor.pass(mode, &parameters, &input, targets, NOISE).unwrap();
                let outcome = difference(&problem, &executor, loss, &want).and_then(|()| {
                    if options.signals.is_empty() {
                        return Ok(());
                    }
                    for (at, signal) in places.iter().zip(want.signals.iter().chain([&want.input_signal])) {
                        let (g, d) = executor.signal(*at).unwrap();
                        compare(&format!("g at {at:?}"), &to_f64(&g), &signal.g, BOUND)?;
                        compare(&format!("d at {at:?}"), &to_f64(&d), &signal.h, BOUND)?;
                    }
                    Ok(())
                });
                outcome.unwrap_or_else(|fault| panic!("{name}, {mode:?}, {threads} threads: {fault}"));
                // Plain backprop by the same executor. HesScale-R keeps samples separate, so it sums in another order.
                let gradient = executor.gradient().to_vec();
                executor.pass(Mode::None, &parameters, &input, targets, NOISE).unwrap();
                let bound = if mode.rank() == 0 { 0.0 } else { BOUND };
                let plain = to_f64(executor.gradient());
                compare(&format!("{name}, {mode:?}: plain"), &plain, &to_f64(&gradient), bound).unwrap();
            }
        }
    }
    let mut executor = Executor::new(model, batch + 2, ExecutorOptions::inference()).unwrap();
    let want = hesscale::reference::predict(model, &problem.parameters, &problem.input).unwrap();
    let got = to_f64(executor.predict(&parameters, &input).unwrap());
    compare(&format!("{name}: outputs"), &got, &want, BOUND).unwrap();
}

/// Corners with rows of their own, and such that share them.
fn grid(log2_table: usize) -> HashGrid {
    HashGrid::new().levels(3).log2_table(log2_table).base(2).growth(1.7)
}

/// Networks with named values.
pub(crate) fn branches() -> Vec<(&'static str, Builder)> {
    let u_net = image(5).name("top").layer(MaxPool2d::new(2)).conv2d(7, 1).act(Relu);
    let u_net = u_net.layer(Upsample2d::bilinear(2)).layer(Layer::ReplicationPad2d { padding: [0, 1, 0, 0] });
    let excited = image(4).name("image").layer(Layer::global_avg_pool()).conv2d(4, 1).act(Softplus);
    let rows = Model::builder([6]).dense(5).name("x").dense(7).act(Tanh).name("y").from("x").dense(7);
    vec![
        ("u-net", u_net.concat("top").conv2d(3, 2)),
        ("squeeze and excitation", excited.layer(Upsample2d::nearest([6, 7])).multiply("image")),
        ("gated rows", rows.multiply("y").name("z").concat("x").dense(7).plus("z")),
        ("an image by itself", image(3).name("x").multiply("x")),
        ("an image behind itself, first", Model::builder([1, 3, 4]).name("x").concat("x").conv2d(3, 2)),
        (
            "names across blocks",
            image(3).residual(|b| b.conv2d(3, 1).name("inner").act(Tanh)).concat("inner").conv2d(4, 1),
        ),
    ]
}

/// Networks in which several layers have the same parameters: one after the other, apart, within blocks.
pub(crate) fn shared() -> Vec<(&'static str, Builder)> {
    let rows = Model::builder([6]).dense(6).act(Tanh).shared("0").act(Tanh).name("x").dense_no_bias(6);
    let images = image(5).layer(Conv2d::new(5, 3).same()).layer(PRelu::per_channel()).shared("2");
    let norms = image(4).group_norm(2).act(Tanh).layer(PositionEmbedding::new()).shared("2");
    vec![
        ("shared rows", rows.act(Tanh).shared("5").plus("x").shared("0")),
        ("shared images", images.residual(|b| b.shared("3").act(Tanh)).conv2d(3, 2)),
        ("shared norms", norms.shared("4").residual(|b| b.shared("2").conv2d(4, 1)).shared("7.body.1")),
    ]
}

/// Networks with sums of products that nothing else reads.
fn sums_of_products() -> Vec<(&'static str, Builder)> {
    let wide = |b: Builder| b.layer(Conv2d::new(7, 3).same());
    let turned = |b: Builder| b.layer(ConvTranspose2d::new(7, 3).padding(1));
    let narrow = |b: Builder| b.layer(Conv2d::new(7, 1).bias(false));
    let rows = Model::builder([6]).dense(5).act(Tanh);
    let named = rows.clone().name("x").dense(7).name("y").from("x").dense_no_bias(7).plus("y");
    vec![
        ("two convolutions", image(5).residual_projected(wide, narrow)),
        ("a convolution and a transposed one", image(5).residual_projected(wide, turned)),
        ("a transposed one without bias", image(5).residual_projected(narrow, turned).act(Tanh)),
        ("rows", rows.residual_projected(|b| b.dense_no_bias(7), |b| b.dense(7))),
        ("rows, one of them named", named),
        ("of three", image(5).residual_projected(wide, |b| b.residual_projected(narrow, turned))),
    ]
}

/// An image of `channels` × 6 × 7 after a convolution and an activation.
pub(crate) fn image(channels: usize) -> Builder {
    Model::builder([2, 6, 7]).conv2d(channels, 1).act(Tanh)
}

fn classified(builder: Builder) -> Model {
    builder.act(Softplus).flatten().dense(4).loss(losses(4).swap_remove(1)).unwrap()
}

/// Every kind of layer in one network, with four logits.
fn mixed(loss: impl Into<Loss>) -> Model {
    let builder = Model::builder([3, 8, 9]).conv2d(5, 3).act(Tanh).layer(MaxPool2d::new(2)).layer(norm(5));
    let builder = builder.layer(Conv2d::new(5, 3).groups(5).padding(1)).act(Relu);
    let builder = builder.residual(|b| b.layer(Conv2d::new(5, 3).same()).act(Tanh).dropout(0.25));
    let builder = builder.layer(ConvTranspose2d::new(6, 2).stride(2)).act(Softplus).layer(AvgPool2d::new(2));
    builder.flatten().dense(6).act(Tanh).dense(4).loss(loss).unwrap()
}

#[test]
fn convolutions() {
    let of = |layer: Conv2d| image(6).layer(layer);
    for (name, builder) in [
        ("stride 2", of(Conv2d::new(7, 3).stride(2).padding(1))),
        ("1x1 without bias", of(Conv2d::new(8, 1).bias(false))),
        ("1x1 in groups", of(Conv2d::new(8, 1).groups(2))),
        ("nothing square", of(Conv2d::new(3, [2, 3]).dilation([2, 1]).padding([1, 0]))),
        ("dilated along rows", of(Conv2d::new(3, 2).dilation([1, 2]).padding([0, 1]))),
        ("even window, same", of(Conv2d::new(4, [2, 4]).same())),
        ("same with strides", of(Conv2d::new(4, [3, 4]).same().stride([2, 3]))),
        ("wider than the image", of(Conv2d::new(4, [3, 9]).padding([1, 4]))),
        ("stride larger than the window", of(Conv2d::new(4, [2, 1]).stride([3, 2]))),
        ("to a single position", of(Conv2d::new(5, [6, 7]))),
        ("two groups", of(Conv2d::new(4, 2).groups(2).stride(2))),
        ("groups of 1 to 2", of(Conv2d::new(12, 3).groups(6).padding(1))),
        ("depthwise", of(Conv2d::new(6, 3).groups(6).padding(1).stride(2))),
        ("transposed", image(6).layer(ConvTranspose2d::new(5, 3).stride(2).padding(1).output_padding(1))),
        ("transposed, groups", image(6).layer(ConvTranspose2d::new(4, 2).groups(2).dilation(2).bias(false))),
        ("transposed, depthwise", image(6).layer(ConvTranspose2d::new(6, 2).groups(6))),
        ("sequences", Model::builder([3, 20]).layer(Conv1d::new(4, 3).stride(2).padding(1)).act(Tanh)),
    ] {
        follows(name, classified(builder), 5);
    }
}

#[test]
fn all_other_layers() {
    for (name, builder) in [
        ("overlapping maxima", image(5).layer(MaxPool2d::new(3).stride(2).padding(1))),
        ("means", image(5).layer(AvgPool2d::new([2, 3]).stride(2).padding(1))),
        ("means of what is there", image(5).layer(AvgPool2d::new(3).padding(1).count_include_pad(false))),
        ("adaptive means", image(5).layer(Layer::AdaptiveAvgPool2d { output: [4, 2] })),
        ("global means", image(5).layer(Layer::global_avg_pool())),
        ("padding", image(5).layer(Layer::ZeroPad2d { padding: [1, 0, 2, 3] }).conv2d(3, 3)),
        ("maxima past the end", image(5).layer(MaxPool2d::new([3, 2]).stride([2, 3]).ceil_mode(true))),
        (
            "means past the end, padding counts",
            image(5).layer(AvgPool2d::new(3).stride([2, 3]).padding(1).ceil_mode(true)),
        ),
        (
            "means of what is there past the end",
            image(5).layer(AvgPool2d::new([2, 3]).stride(4).ceil_mode(true).count_include_pad(false)),
        ),
        ("maxima, same", image(5).layer(MaxPool2d::new(2).stride([2, 4]).padding(Padding::SAME))),
        ("reflection", image(5).layer(Layer::ReflectionPad2d { padding: [6, 1, 2, 5] }).conv2d(3, 3)),
        ("replication", image(5).layer(Layer::ReplicationPad2d { padding: [4, 0, 1, 9] }).conv2d(3, 3)),
        ("nearest", image(5).layer(Upsample2d::nearest([2, 3])).conv2d(3, 3)),
        ("bilinear", image(5).layer(Upsample2d::bilinear([3, 2])).conv2d(3, 3)),
        (
            "bilinear, corners on corners",
            image(5).layer(Upsample2d::nearest([2, 4]).mode(Interpolation::BilinearAligned)).conv2d(3, 3),
        ),
        ("rows of a table", Model::builder([7]).embedding(9, 5).layer(Conv1d::new(4, 2))),
        ("a row of a table", Model::builder([1]).embedding(11, 5)),
        ("grid of a plane", Model::builder([2]).layer(grid(4))),
        ("grid of a space", Model::builder([3]).layer(grid(2)).dense(5)),
        ("frequencies", image(3).layer(Layer::FrequencyEncoding { octaves: 2 }).conv2d(4, 2)),
        ("one-blob", image(3).layer(Layer::OneBlob { bins: 3 }).conv2d(4, 2)),
        ("pixel shuffle", image(18).layer(Layer::PixelShuffle { factor: 3 }).conv2d(3, 3)),
        (
            "pixel unshuffle",
            Model::builder([2, 6, 8]).conv2d(3, 1).act(Tanh).layer(Layer::PixelUnshuffle { factor: 2 }),
        ),
        ("normalisation", image(5).layer(norm(5))),
        (
            "by the batch",
            image(5).layer(BatchNorm::of_batch()).act(Tanh).layer(BatchNorm::of_batch()).conv2d(3, 2),
        ),
        ("rows by the batch", Model::builder([6]).dense_no_bias(5).layer(BatchNorm::of_batch()).act(Tanh)),
        (
            "an image by the batch, read twice",
            image(4)
                .name("x")
                .layer(BatchNorm::of_batch())
                .act(Tanh)
                .multiply("x")
                .layer(BatchNorm::of_batch()),
        ),
        ("slopes of channels", image(5).layer(PRelu::per_channel()).conv2d(3, 2)),
        ("one slope", image(5).layer(PRelu::new()).conv2d(3, 2)),
        ("slopes of features", Model::builder([6]).layer(PRelu::new()).dense(5).layer(PRelu::per_channel())),
        ("groups", image(6).group_norm(3)),
        ("groups of single channels", image(4).layer(GroupNorm::new(4).affine(false))),
        ("whole images", image(3).layer_norm()),
        ("attention", Model::builder([12, 7]).layer(Attention::new(2)).layer(Conv1d::new(3, 1)).act(Tanh)),
        ("causal attention of pixels", image(9).layer(Attention::new(3).causal(true)).act(Tanh)),
        ("gru", Model::builder([5, 9]).gru(7).layer(Conv1d::new(3, 1)).act(Tanh)),
        ("two of lstm", Model::builder([3, 6]).lstm(4).act(Tanh).lstm(5).last()),
        (
            "gru of the input",
            Model::builder([9, 4]).layer(Gru::new(3).bias(false)).name("x").act(Tanh).plus("x"),
        ),
        ("lstm of one position", Model::builder([8, 1]).layer(Lstm::new(2).bias(false))),
        (
            "learned positions",
            image(3).layer(PositionEmbedding::new()).act(Tanh).layer(PositionEmbedding::new()),
        ),
        ("positions by themselves", image(5).layer(LayerNorm::of_channels()).act(Tanh)),
        ("positions by their squares", image(5).layer(RmsNorm::of_channels().affine(false)).conv2d(3, 2)),
        ("whole images by their squares", image(3).rms_norm().conv2d(2, 2)),
        ("dropout", image(5).dropout(0.5)),
        ("identity", image(5).layer(Layer::Identity)),
        ("x + x", image(3).layer(Layer::Residual { body: vec![], projection: vec![] })),
        ("one channel", Model::builder([1, 4, 4]).act(Tanh).conv2d(1, 3).act(Tanh)),
        (
            "rows by themselves",
            Model::builder([6]).dense_no_bias(5).layer_norm().act(Tanh).dense(7).rms_norm(),
        ),
        ("rows in groups", Model::builder([6]).dense(9).act(Tanh).group_norm(3)),
        ("normalised rows", Model::builder([6]).dense(5).layer(norm(5)).dropout(0.3)),
        (
            "dense in a block",
            Model::builder([6]).residual(|b| b.dense(6).act(Tanh).dense(6)).act(Elu { alpha: 1.0 }),
        ),
    ] {
        follows(name, classified(builder), 5);
    }
    for (name, builder) in branches().into_iter().chain(shared()).chain(sums_of_products()) {
        follows(name, classified(builder), 5);
    }
    let nested =
        image(4).residual(|b| b.layer(Conv2d::new(4, 3).same()).residual(|b| b.conv2d(4, 1).act(Relu)));
    follows("blocks in a block", classified(nested.residual(|b| b.layer(norm(4)).act(Tanh))), 5);
}

/// Normalisations of numbers whose squares f32 does not hold, and of such around a mean that is far from 0.
#[test]
fn normalisations_of_large_numbers() {
    for layer in [LayerNorm::new().into(), RmsNorm::new().into(), Layer::from(GroupNorm::new(2))] {
        let model = Model::builder([4, 3, 3]).layer(layer).loss(Loss::mse()).unwrap();
        for (scale, mean) in [(1e30, 0.0), (1.0, 1e5), (1e-3, 0.0), (1e24, 1e26)] {
            let mut problem = problem(model.clone(), 3);
            problem.input.iter_mut().for_each(|x| *x = f64::from((*x * scale + mean) as f32));
            let (parameters, input) = (to_f32(&problem.parameters), to_f32(&problem.input));
            let mut executor = Executor::new(&model, 3, ExecutorOptions::inference()).unwrap();
            let got = to_f64(executor.predict(&parameters, &input).unwrap());
            let want = hesscale::reference::predict(&model, &problem.parameters, &problem.input).unwrap();
            compare(&format!("{:?} {scale} {mean}", model.layers()), &got, &want, 1e-6).unwrap();
        }
    }
}

/// One number far from all others, the first of its group: those stay where they are among themselves.
#[test]
fn a_first_number_that_is_far_off() {
    let model = Model::builder([64]).layer_norm().loss(Loss::mse()).unwrap();
    let mut problem = problem(model.clone(), 1);
    problem.input[0] = 1e6;
    let parameters: Vec<f32> = (0..model.flat_len()).map(|i| f32::from(u8::from(i < 64))).collect();
    let mut executor = Executor::new(&model, 1, ExecutorOptions::inference()).unwrap();
    let got = to_f64(executor.predict(&parameters, &to_f32(&problem.input)).unwrap());
    let want = hesscale::reference::predict(&model, &to_f64(&parameters), &problem.input).unwrap();
    let mean = |z: &[f64]| z[1..].iter().sum::<f64>() / 63.0;
    // They are 1e-5 apart around a mean of -0.13.
    assert!((mean(&got) - mean(&want)).abs() < 2e-8, "{} {}", mean(&got), mean(&want));
}

#[test]
fn all_losses_behind_all_layers() {
    for (i, loss) in losses(4).into_iter().enumerate() {
        follows(&format!("loss {i}"), mixed(loss), 6);
    }
    let segmentation = Model::builder([2, 5, 4]).conv2d(3, 3).act(Tanh).conv2d(4, 1);
    follows("positions", segmentation.loss(Loss::cross_entropy()).unwrap(), 3);
    let nothing = Model::builder([4]).act(Tanh).loss(Loss::mse()).unwrap();
    follows("no parameters", nothing, 3);
}

#[test]
fn all_activations() {
    for activation in Activation::ALL {
        let model = Model::builder([5]).dense(9).act(activation).dense(7).act(activation).dense(4);
        follows(activation.name(), model.loss(Loss::cross_entropy()).unwrap(), 9);
    }
}

/// Work large enough for several threads: the same bits each time, and close to one thread's result.
#[test]
fn the_same_bits_each_time() {
    let body = Model::builder([3, 20, 20]).conv2d(16, 3).act(Tanh).layer(MaxPool2d::new(2)).conv2d(24, 3);
    let model = body.act(Tanh).flatten().dense(300).act(Tanh).dropout(0.1).dense(10);
    let problem = problem(model.loss(Loss::cross_entropy()).unwrap(), 40);
    let (parameters, input) = (to_f32(&problem.parameters), to_f32(&problem.input));
    for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
        let want = problem.model.clone();
        let want =
            pass_with_noise(&want, mode, &problem.parameters, &problem.input, problem.targets.view(), NOISE);
        let want = want.unwrap();
        for threads in [1, 2, 3] {
            let run = || {
                let options = ExecutorOptions::training(mode).threads(Threads::new(threads).unwrap());
                let mut executor = Executor::new(&problem.model, 40, options).unwrap();
                let mut pass =
                    || executor.pass(mode, &parameters, &input, problem.targets.view(), NOISE).unwrap();
                assert_eq!(pass().to_bits(), pass().to_bits());
                let loss = pass();
                (executor, loss)
            };
            let ((first, loss), (second, _)) = (run(), run());
            assert_eq!((first.gradient(), first.diagonal()), (second.gradient(), second.diagonal()));
            difference(&problem, &first, loss, &want).unwrap();
        }
    }
}

/// The comparison detects a single wrong value.
#[test]
fn a_planted_error_is_found() {
    let problem = problem(mixed(Loss::mse()), 3);
    let (parameters, input) = (to_f32(&problem.parameters), to_f32(&problem.input));
    let (mode, targets) = (Mode::HesScale, problem.targets.view());
    let mut executor = Executor::new(&problem.model, 3, ExecutorOptions::training(mode)).unwrap();
    let loss = executor.pass(mode, &parameters, &input, targets, NOISE).unwrap();
    let want = pass_with_noise(&problem.model, mode, &problem.parameters, &problem.input, targets, NOISE);
    let mut want = want.unwrap();
    difference(&problem, &executor, loss, &want).unwrap();
    let last = problem.model.parameters().last().unwrap().offset;
    want.diagonal[last] *= 1.001;
    difference(&problem, &executor, loss, &want).unwrap_err();
}

/// Alone, with all others' memory reused: the signal at any place.
#[test]
fn one_signal_of_many() {
    let started = Model::builder([4]).act(Tanh).act(Softplus).dense(5).residual(|b| b.dense(5).act(Tanh));
    let started = started.act(Relu).dense(5).act(Tanh).dense(3).loss(Loss::mse()).unwrap();
    for (problem, mode) in [
        (problem(mixed(Loss::mse()), 5), Mode::HesScale),
        (problem(mixed(Loss::cross_entropy()), 5), Mode::HesScaleR2),
        (problem(started, 5), Mode::HesScaleR1),
    ] {
        let (parameters, input) = (to_f32(&problem.parameters), to_f32(&problem.input));
        let (model, targets) = (&problem.model, problem.targets.view());
        let want = pass_with_noise(model, mode, &problem.parameters, &problem.input, targets, NOISE).unwrap();
        let places = (0..model.layers().len()).map(At::Layer).chain([At::Input]);
        for (at, signal) in places.zip(want.signals.iter().chain([&want.input_signal])) {
            let options = ExecutorOptions::training(mode).signal(at);
            let threads = Threads::new(2).unwrap().least_work(1);
            let mut executor = Executor::new(model, 6, options.threads(threads)).unwrap();
            let loss = executor.pass(mode, &parameters, &input, targets, NOISE).unwrap();
            difference(&problem, &executor, loss, &want).unwrap_or_else(|fault| panic!("{at:?}: {fault}"));
            let (g, d) = executor.signal(at).unwrap();
            compare(&format!("g at {at:?}"), &to_f64(&g), &signal.g, BOUND).unwrap();
            compare(&format!("d at {at:?}"), &to_f64(&d), &signal.h, BOUND).unwrap();
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let model = Model::builder([2]).dense(3).loss(Loss::cross_entropy()).unwrap();
    let length = |tensor: &str, got, needed| Error::Length { tensor: tensor.into(), got, needed };
    let zero = Error::ZeroSize { place: "batch".into(), what: "the number of samples" };
    let mode = Mode::HesScale;
    assert_eq!(Executor::new(&model, 0, ExecutorOptions::training(mode)).unwrap_err(), zero);
    assert!(matches!(Threads::new(0), Err(Error::ZeroSize { .. })));
    let mut executor = Executor::new(&model, 2, ExecutorOptions::training(mode)).unwrap();
    let parameters = vec![0.5; model.flat_len()];
    let mut pass = |mode, parameters: &[f32], x: &[f32], y: &[u32]| {
        executor.pass(mode, parameters, x, Targets::Classes(y), NOISE).unwrap_err()
    };
    assert_eq!(pass(mode, &parameters[1..], &[0.0; 4], &[0, 1]), length("parameters", 127, 128));
    assert_eq!(pass(mode, &parameters, &[], &[]), zero);
    assert_eq!(pass(mode, &parameters, &[0.0; 3], &[0]), length("input", 3, 4));
    assert_eq!(pass(mode, &parameters, &[0.0; 6], &[0, 1, 2]), length("input", 6, 4));
    assert_eq!(pass(mode, &parameters, &[0.0; 4], &[0]), length("targets", 1, 2));
    assert!(matches!(pass(Mode::Bl89, &parameters, &[0.0; 4], &[0, 1]), Error::NotPlanned { .. }));
    assert!(matches!(executor.predict(&parameters, &[0.0; 4]), Err(Error::NotPlanned { .. })));
    assert!(matches!(executor.signal(At::Input), Err(Error::NotPlanned { .. })));
    let at = |at| Executor::new(&model, 2, ExecutorOptions::training(mode).signal(at));
    assert!(matches!(at(At::Input).unwrap().signal(At::Layer(0)), Err(Error::NotPlanned { .. })));
    assert!(matches!(at(At::Layer(1)), Err(Error::Unknown { .. })));
    let inference = |at| Executor::new(&model, 2, ExecutorOptions::inference().signal(at));
    let no_signal = inference(At::Layer(0)).unwrap().signal(At::Layer(0));
    let ask = "ExecutorOptions::training";
    assert_eq!(no_signal, Err(Error::NotPlanned { what: "the signal at Layer(0)".into(), ask }));
    assert!(matches!(inference(At::Layer(1)), Err(Error::Unknown { .. })));
    let segmentation = Model::builder([2, 5, 4]).conv2d(3, 3).loss(Loss::cross_entropy()).unwrap();
    let refused = Executor::new(&segmentation, 2, ExecutorOptions::training(Mode::HesScaleR1));
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
}

/// An executor of a network that is nothing but its loss checks targets before the loss sees them.
#[test]
fn targets_that_do_not_fit_are_refused() {
    let model = Model::builder([3, 2]).act(Activation::Identity).loss(Loss::cross_entropy()).unwrap();
    let mut executor = Executor::new(&model, 1, ExecutorOptions::training(Mode::None)).unwrap();
    let parameters = vec![0.0; model.flat_len()];
    let mut pass = |targets: Targets<'_>| executor.pass(Mode::None, &parameters, &[0.0; 6], targets, NOISE);
    let refused = pass(Targets::Classes(&[0, 3])).unwrap_err();
    assert!(matches!(refused, Error::TargetOutOfRange { .. }), "{refused:?}");
    let refused = pass(Targets::Classes(&[0])).unwrap_err();
    assert!(matches!(refused, Error::Length { got: 1, needed: 2, .. }), "{refused:?}");
    let refused = pass(Targets::Values(&[0.0; 6])).unwrap_err();
    assert!(matches!(refused, Error::TargetKind { .. }), "{refused:?}");
    pass(Targets::Classes(&[0, 1])).unwrap();
}

/// The cost of a deep network is linear in its layers. Quadratic code took a quarter of a minute here.
#[test]
fn time_is_linear_in_the_layers() {
    let layers = |builder: Builder, _| builder.dense(1).act(Tanh).residual(|block| block.act(Tanh));
    let model = (0..4000).fold(Model::builder([1]), layers).loss(Loss::mse()).unwrap();
    let parameters = model.init(Init::Auto, 1).unwrap();
    let start = ThreadTime::now();
    for options in [ExecutorOptions::training(Mode::HesScale), ExecutorOptions::inference()] {
        let training = options.mode.is_some();
        let mut executor = Executor::new(&model, 2, options.threads(Threads::new(1).unwrap())).unwrap();
        if training {
            let targets = Targets::Values(&[1.0, 0.5]);
            executor.pass(Mode::HesScale, &parameters, &[0.5, -0.5], targets, NOISE).unwrap();
        } else {
            executor.predict(&parameters, &[0.5, -0.5]).unwrap();
        }
    }
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(2), "{taken:?}");
}
