//! Every kind of layer between others, in every mode: separate with its signals kept, and fused as far as possible.

use crate::harness::{Outcome, Sample, context};
use crate::problem::losses;
use hesscale::model::{
    AvgPool2d, BatchNorm, Builder, Conv1d, Conv2d, ConvTranspose2d, GroupNorm, Interpolation, LayerNorm,
    MaxPool2d, Padding, Upsample2d,
};
use hesscale::{Activation, Layer, Loss, Mode, Model, PlanOptions};

use Activation::{Elu, Relu, Softplus, Tanh};

/// A normalisation of `channels` with distinct parameters per channel.
pub(crate) fn norm(channels: usize) -> BatchNorm {
    let c = || (0..channels).map(|c| c as f32);
    BatchNorm::new(c().map(|c| 0.1 * c - 0.2).collect(), c().map(|c| 0.5 + 0.25 * c).collect())
}

/// Layers below: an image of `channels` × 6 × 7 after a convolution and an activation.
fn image(channels: usize) -> Builder {
    Model::builder([2, 6, 7]).conv2d(channels, 1).act(Tanh)
}

/// Layers above: an activation, and a dense layer at the end.
fn classified(builder: Builder) -> Model {
    builder.act(Softplus).flatten().dense(4).loss(losses(4).swap_remove(1)).unwrap()
}

/// Every kind of layer in one network, with four logits.
pub(crate) fn mixed(loss: impl Into<Loss>) -> Model {
    let builder = Model::builder([3, 8, 9]).conv2d(5, 3).act(Tanh).layer(MaxPool2d::new(2)).layer(norm(5));
    let builder = builder.layer(Conv2d::new(5, 3).groups(5).padding(1)).act(Relu);
    let builder = builder.residual(|b| b.layer(Conv2d::new(5, 3).same()).act(Tanh).dropout(0.25));
    let builder = builder.layer(ConvTranspose2d::new(6, 2).stride(2)).act(Softplus).layer(AvgPool2d::new(2));
    builder.flatten().dense(6).act(Tanh).dense(4).loss(loss).unwrap()
}

/// In all modes if `all`, else in the mode with the most components; with all signals kept, and with none.
fn follow(name: &str, model: Model, all: bool) {
    let sample = Sample::new(model, 3, 1);
    let modes = if all { &Mode::ALL[..] } else { &[Mode::HesScaleR2, Mode::HesScale] };
    for mode in modes {
        for places in [sample.places(), Vec::new()] {
            let kept = if places.is_empty() { "fused" } else { "kept" };
            if let Err(fault) = sample.follows(&context(), *mode, &places) {
                panic!("{name}, {mode:?}, {kept}: {fault}");
            }
        }
    }
}

fn check(layers: Vec<(&str, Builder)>) {
    for (i, (name, builder)) in layers.into_iter().enumerate() {
        follow(name, classified(builder), i == 0);
    }
}

#[test]
fn convolutions() {
    let of = |layer: Conv2d| image(5).layer(layer);
    check(vec![
        ("odd channels, stride 2", of(Conv2d::new(7, 3).stride(2).padding(1))),
        ("1x1 without bias", of(Conv2d::new(8, 1).bias(false))),
        (
            "window and dilation not square, nothing symmetric",
            of(Conv2d::new(3, [2, 3]).dilation([2, 1]).padding([1, 0])),
        ),
        ("same with strides", of(Conv2d::new(4, [3, 4]).same().stride([2, 3]))),
        ("even window, same", of(Conv2d::new(4, [2, 4]).same())),
        ("wider than the image", of(Conv2d::new(4, [3, 9]).padding([1, 4]))),
        ("stride larger than the window", of(Conv2d::new(4, [2, 1]).stride([3, 2]))),
        ("two in a row", of(Conv2d::new(4, 3)).conv2d(1, 2)),
    ]);
}

#[test]
fn grouped_convolutions() {
    check(vec![
        ("three groups of 5 to 7", image(15).layer(Conv2d::new(21, 3).groups(3))),
        ("five groups of 1 to 2", image(5).layer(Conv2d::new(10, 3).groups(5).padding(1))),
        ("two groups of 4 to 4", image(8).layer(Conv2d::new(8, 2).groups(2).stride(2))),
    ]);
}

#[test]
fn depthwise_convolutions() {
    check(vec![
        ("of 5 channels", image(5).layer(Conv2d::new(5, 3).groups(5).padding(1))),
        (
            "stride, dilation, no bias",
            image(5).layer(Conv2d::new(5, [2, 3]).groups(5).stride([2, 1]).dilation(2).bias(false)),
        ),
    ]);
}

#[test]
fn transposed_convolutions() {
    let of = |layer: ConvTranspose2d| image(6).layer(layer);
    check(vec![
        (
            "stride 2, cut and extended",
            of(ConvTranspose2d::new(5, 3).stride(2).padding(1).output_padding([1, 0])),
        ),
        ("groups", of(ConvTranspose2d::new(9, 2).groups(3).stride([1, 2]).bias(false))),
        ("dilation", of(ConvTranspose2d::new(3, 2).dilation([2, 1]))),
    ]);
}

#[test]
fn sequences() {
    let of = |layer: Conv1d| Model::builder([3, 17]).layer(Conv1d::new(5, 3)).act(Tanh).layer(layer);
    check(vec![
        ("stride and padding", of(Conv1d::new(6, 4).stride(2).padding(1))),
        ("dilation and groups", of(Conv1d::new(5, 3).dilation(3).groups(5))),
    ]);
}

#[test]
fn max_pooling() {
    let of = |layer: MaxPool2d| image(5).layer(layer);
    check(vec![
        ("overlapping, padded", of(MaxPool2d::new(3).stride(2).padding(1))),
        ("not square", of(MaxPool2d::new([2, 3]).stride([1, 2]))),
        ("stride larger than the window", of(MaxPool2d::new(2).stride(3))),
        ("past the end", of(MaxPool2d::new([3, 2]).stride([2, 3]).ceil_mode(true))),
        ("same with strides", of(MaxPool2d::new(2).stride([2, 4]).padding(Padding::SAME))),
        (
            "over a convolution, with no activation between",
            of(MaxPool2d::new(2)).conv2d(3, 2).layer(MaxPool2d::new([1, 2])),
        ),
    ]);
}

#[test]
fn average_pooling() {
    let of = |layer: AvgPool2d| image(5).layer(layer);
    check(vec![
        ("overlapping, padding counts", of(AvgPool2d::new(3).stride(2).padding(1))),
        (
            "overlapping, padding does not count",
            of(AvgPool2d::new([3, 2]).stride([1, 2]).padding(1).count_include_pad(false)),
        ),
        ("past the end, padding counts", of(AvgPool2d::new(3).stride([2, 3]).padding(1).ceil_mode(true))),
        ("adaptive", image(5).layer(Layer::AdaptiveAvgPool2d { output: [4, 3] })),
        ("adaptive, larger than the image", image(3).layer(Layer::AdaptiveAvgPool2d { output: [7, 7] })),
        ("global, of 5", image(5).layer(Layer::global_avg_pool())),
        ("global, of 8: rows and image at once", image(8).layer(Layer::global_avg_pool()).conv2d(4, 1)),
    ]);
}

#[test]
fn images_of_another_size() {
    let aligned = |scale: [usize; 2]| Upsample2d::nearest(scale).mode(Interpolation::BilinearAligned);
    let reflection = |padding| Layer::ReflectionPad2d { padding };
    let replication = |padding| Layer::ReplicationPad2d { padding };
    check(vec![
        ("bilinear, not square", image(5).layer(Upsample2d::bilinear([3, 2])).conv2d(3, 3)),
        ("bilinear, corners on corners", image(5).layer(aligned([2, 4])).conv2d(3, 3)),
        ("of a single pixel", image(8).layer(Layer::global_avg_pool()).layer(aligned([3, 5])).conv2d(2, 2)),
        (
            "nearest, first in the network",
            Model::builder([3, 4, 5]).layer(Upsample2d::nearest(2)).conv2d(3, 3),
        ),
        ("reflected as far as it goes", image(5).layer(reflection([6, 1, 0, 5])).conv2d(3, 3)),
        ("edges repeated", image(5).layer(replication([9, 0, 1, 2])).conv2d(3, 3)),
        // A corner has a part in 34 × 33 pixels, which a workgroup shares.
        ("edges repeated often", image(3).layer(replication([33, 0, 0, 32]))),
    ]);
}

#[test]
fn pixel_shuffle() {
    let (shuffle, unshuffle) =
        (|factor| Layer::PixelShuffle { factor }, |factor| Layer::PixelUnshuffle { factor });
    check(vec![
        ("channels to pixels", image(18).layer(shuffle(3)).conv2d(3, 2)),
        (
            "pixels to channels",
            image(5).layer(MaxPool2d::new([1, 2]).stride(1)).layer(unshuffle(2)).conv2d(4, 1),
        ),
        (
            "there and back, first in the network",
            Model::builder([4, 5, 3]).layer(shuffle(2)).layer(unshuffle(2)),
        ),
    ]);
}

#[test]
fn padding_and_normalisation() {
    let flat = image(5).layer(Layer::global_avg_pool()).flatten();
    check(vec![
        ("padding on four sides", image(5).layer(Layer::ZeroPad2d { padding: [1, 0, 2, 3] }).conv2d(3, 3)),
        ("norm of images", image(5).layer(norm(5))),
        ("norm of rows", flat.clone().layer(norm(5)).act(Tanh).dense(4).layer(norm(4))),
        ("norm between convolutions", image(5).conv2d(6, 2).layer(norm(6)).conv2d(3, 1)),
        ("norm of a sequence", Model::builder([3, 9]).layer(Conv1d::new(5, 2)).layer(norm(5))),
    ]);
}

#[test]
fn normalisation_of_samples() {
    let flat = image(5).layer(Layer::global_avg_pool()).flatten();
    check(vec![
        ("groups of images", image(6).group_norm(3)),
        ("groups of single channels", image(5).layer(GroupNorm::new(5).affine(false))),
        ("all channels, padded", image(5).group_norm(1).conv2d(3, 2)),
        ("whole images", image(5).layer_norm().conv2d(3, 2)),
        ("rows", flat.clone().layer_norm().act(Tanh).dense(7).rms_norm()),
        ("rows in groups", flat.dense(6).act(Tanh).group_norm(2)),
        ("a sequence", Model::builder([3, 9]).layer(Conv1d::new(6, 2)).group_norm(2)),
        ("first", Model::builder([3, 4, 5]).layer(LayerNorm::new().affine(false)).conv2d(3, 2)),
        ("in a block", image(6).residual(|b| b.group_norm(2).act(Relu).layer(Conv2d::new(6, 3).same()))),
    ]);
}

#[test]
fn dropout() {
    check(vec![
        (
            "of images and rows",
            image(5).dropout(0.4).conv2d(3, 2).dropout(0.2).act(Elu { alpha: 1.0 }).flatten().dropout(0.5),
        ),
        ("between dense layers", image(3).flatten().dense(7).dropout(0.3).act(Relu).dropout(0.3)),
    ]);
}

#[test]
fn residual_blocks() {
    let body = |b: Builder| b.layer(Conv2d::new(5, 3).same()).act(Tanh).layer(Conv2d::new(5, 3).same());
    let nested = |b: Builder| b.residual(body).act(Softplus);
    let down = |b: Builder| b.layer(Conv2d::new(7, 2).stride(2)).act(Tanh);
    let projection = |b: Builder| b.layer(Conv2d::new(7, [1, 2]).stride(2).bias(false));
    check(vec![
        ("projection, body ends in an activation", image(5).residual_projected(down, projection)),
        ("two in a row", image(5).residual(body).residual(body)),
        ("nested", image(5).residual(nested)),
        ("first in the network", Model::builder([5, 4, 4]).residual(body)),
        ("empty", image(5).residual(|b| b)),
        ("pooling in the body", image(5).residual(|b| b.layer(MaxPool2d::new(3).stride(1).padding(1)))),
        (
            "of rows",
            image(3).flatten().dense(6).residual(|b| b.act(Tanh).dense(6)).residual(|b| b.dense(6).act(Relu)),
        ),
        (
            "rows into an image's shape",
            image(4).layer(Layer::global_avg_pool()).residual(|b| b.conv2d(4, 1).act(Tanh)),
        ),
    ]);
}

#[test]
fn places_of_flatten_and_activations() {
    check(vec![
        (
            "an activation before and behind a pool",
            image(5).layer(MaxPool2d::new(2)).act(Relu).layer(AvgPool2d::new([1, 2])).act(Tanh),
        ),
        ("two activations", image(5).act(Relu).conv2d(3, 2).act(Softplus)),
        ("flattened twice, activations between", image(3).flatten().act(Tanh).flatten().dense(5)),
        (
            "nothing but pooling first",
            Model::builder([3, 6, 6]).layer(MaxPool2d::new(2)).act(Tanh).conv2d(4, 2),
        ),
        ("an activation and a flatten first", Model::builder([3, 4, 4]).act(Tanh).flatten().dense(3)),
        ("identities", image(3).layer(Layer::Identity).conv2d(4, 2).layer(Layer::Identity)),
    ]);
}

#[test]
fn what_stands_before_the_loss() {
    let last = |builder: Builder, loss: usize| builder.loss(losses(4).swap_remove(loss)).unwrap();
    follow("a convolution", last(image(5).conv2d(3, 2), 5), true);
    follow("an activation", last(image(5).conv2d(3, 2).act(Tanh), 6), false);
    follow("a pool", last(image(5).layer(MaxPool2d::new(2)), 7), false);
    follow("a block", last(image(5).residual(|b| b.conv2d(5, 1).act(Tanh)), 5), false);
    follow("a global pool", last(image(4).layer(Layer::global_avg_pool()), 0), false);
    follow("a flatten", last(image(4).layer(AvgPool2d::new([6, 7])).flatten(), 1), false);
    follow("the input", Model::builder([2, 2, 3]).layer(Layer::Identity).loss(Loss::mse()).unwrap(), false);
}

/// The comparison detects an error planted into any tensor.
#[test]
fn planted_errors_are_found() {
    let sample = Sample::new(classified(image(3).layer(MaxPool2d::new(2))), 2, 1);
    let (mode, places) = (Mode::HesScale, sample.places());
    let plants: [fn(&mut Outcome); 6] = [
        |o| o.loss *= 1.0001,
        |o| o.logits[3] += 1e-3,
        |o| o.gradient[1] += 1e-3,
        |o| o.diagonal[1] += 1e-3,
        |o| o.signals[2].1[5] += 1e-3,
        |o| o.input_signal.0[0] = f32::NAN,
    ];
    for (i, plant) in plants.iter().enumerate() {
        let options = places.iter().fold(PlanOptions::training(mode), |options, at| options.signal(*at));
        let mut outcome = sample.on(&context(), options);
        sample.judge(&outcome, mode, &places).unwrap();
        plant(&mut outcome);
        assert!(sample.judge(&outcome, mode, &places).is_err(), "{i}");
    }
}
