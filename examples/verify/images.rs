//! Networks over images and sequences.

use crate::Job;
use crate::networks::job;
use hesscale::model::{
    Attention, AvgPool2d, BatchNorm, Builder, Conv1d, Conv2d, ConvTranspose2d, HashGrid, Interpolation,
    LayerNorm, MaxPool2d, PRelu, PositionEmbedding, Upsample2d,
};
use hesscale::{Activation, Layer, Loss, Model};

const TANH: Activation = Activation::Tanh;

/// A row: layers over inputs of this shape, a dense layer behind them.
fn classifier<const D: usize>(
    name: &str,
    batch: usize,
    shape: [usize; D],
    layers: impl Fn(Builder) -> Builder + 'static,
) -> Job {
    job(format!("{name}, batch {batch}"), batch, move || {
        layers(Model::builder(shape)).flatten().dense(5).loss(Loss::cross_entropy())
    })
}

/// The same with the loss directly on the layers' output.
fn images(
    name: &str,
    batch: usize,
    loss: impl Into<Loss>,
    shape: [usize; 3],
    layers: impl Fn(Builder) -> Builder + 'static,
) -> Job {
    let loss = loss.into();
    job(format!("{name}, batch {batch}"), batch, move || layers(Model::builder(shape)).loss(loss.clone()))
}

/// Non-trivial statistics for this many channels.
fn norm(channels: usize) -> BatchNorm {
    let of = |scale: f32, least: f32| (0..channels).map(|c| least + scale * (c % 5) as f32).collect();
    BatchNorm::new(of(0.1, -0.2), of(0.4, 0.3))
}

pub(crate) fn jobs() -> Vec<Job> {
    let mut jobs = convolutions();
    jobs.extend(pools());
    jobs.extend(sizes());
    jobs.extend(around());
    jobs
}

fn convolutions() -> Vec<Job> {
    let bce = Loss::bce_with_logits().sum();
    vec![
        classifier("conv 3x3, 1 to 16 to 7 channels", 37, [1, 8, 8], |m| {
            m.layer(Conv2d::new(16, 3).same()).act(TANH).conv2d(7, 3).act(TANH)
        }),
        classifier("conv, 33 to 65 channels, relu", 3, [33, 6, 5], |m| m.conv2d(65, 3).act(Activation::Relu)),
        classifier("conv 1x1, no bias", 37, [6, 3, 3], |m| {
            m.layer(Conv2d::new(10, 1).bias(false)).act(TANH).conv2d(4, 1)
        }),
        classifier("conv, strides, dilation, padding", 5, [3, 11, 9], |m| {
            let first = Conv2d::new(6, (3, 2)).stride((2, 1)).padding((1, 2)).dilation((1, 2));
            m.conv2d(5, 2).act(TANH).layer(first).act(Activation::Silu)
        }),
        classifier("conv in 2 and in 3 groups", 5, [4, 7, 7], |m| {
            m.layer(Conv2d::new(6, 3).groups(2)).act(TANH).layer(Conv2d::new(9, 2).groups(3)).act(TANH)
        }),
        classifier("depthwise, then 1x1", 5, [2, 9, 8], |m| {
            let depthwise = Conv2d::new(6, 3).padding(1).stride(2).groups(6);
            m.conv2d(6, 2).act(TANH).layer(depthwise).act(TANH).conv2d(5, 1).act(TANH)
        }),
        classifier("conv of sequences", 37, [3, 33], |m| {
            let second = Conv1d::new(4, 3).stride(2).padding(1).dilation(2);
            m.layer(Conv1d::new(8, 5)).act(TANH).layer(second).act(TANH)
        }),
        images("transposed conv, bce", 5, bce, [3, 4, 5], |m| {
            let first = ConvTranspose2d::new(6, 3).stride(2).padding(1).output_padding(1);
            m.layer(first).act(TANH).layer(ConvTranspose2d::new(2, (2, 3)).dilation((2, 1)))
        }),
        images("transposed conv in groups, mse", 3, Loss::mse(), [4, 3, 3], |m| {
            let grouped = ConvTranspose2d::new(6, 2).stride((2, 1)).groups(2).bias(false);
            m.conv2d(4, 1).act(TANH).layer(grouped)
        }),
        classifier("rows of a table, then conv of sequences", 37, [33], |m| {
            m.embedding(70, 6).layer(Conv1d::new(8, 5)).act(TANH)
        }),
        classifier("grid of a space, frequencies, one-blob", 37, [3], |m| {
            let m = m.layer(HashGrid::new().levels(5).log2_table(6).base(2)).dense(7).act(TANH);
            m.layer(Layer::FrequencyEncoding { octaves: 2 }).dense(4).layer(Layer::OneBlob { bins: 8 })
        }),
        // HesScale-R has no rule for these, so it is left out.
        images("cross-entropy at every position", 5, Loss::cross_entropy(), [2, 5, 6], |m| {
            m.layer(Conv2d::new(6, 3).same()).act(TANH).conv2d(4, 1)
        }),
    ]
}

fn pools() -> Vec<Job> {
    vec![
        classifier("max pool, windows that touch", 37, [1, 8, 8], |m| {
            m.conv2d(6, 3).act(TANH).layer(MaxPool2d::new(2)).act(TANH)
        }),
        classifier("max pool, windows that overlap, padding", 5, [2, 9, 9], |m| {
            let first = MaxPool2d::new(3).stride(2).padding(1);
            m.conv2d(5, 2)
                .act(TANH)
                .layer(first)
                .conv2d(6, 2)
                .act(TANH)
                .layer(MaxPool2d::new((2, 1)).stride(1))
        }),
        classifier("average pool, padding counted and not", 5, [2, 9, 9], |m| {
            let (counted, rest) = (AvgPool2d::new(3).stride(2).padding(1), AvgPool2d::new(2).padding(1));
            let m = m.conv2d(5, 2).act(TANH).layer(counted).act(TANH);
            m.layer(rest.count_include_pad(false)).act(TANH)
        }),
        classifier("adaptive pool 7x5 to 3x2", 5, [2, 7, 5], |m| {
            m.layer(Conv2d::new(5, 3).same()).act(TANH).layer(Layer::AdaptiveAvgPool2d { output: [3, 2] })
        }),
        classifier("global average pool", 37, [2, 7, 5], |m| {
            m.conv2d(9, 3).act(TANH).layer(Layer::global_avg_pool())
        }),
    ]
}

/// Layers that make an image of another size.
fn sizes() -> Vec<Job> {
    let bce = Loss::bce_with_logits().sum();
    vec![
        classifier("pools with a last window past the end, same padding", 5, [2, 10, 11], |m| {
            let m = m
                .layer(Conv2d::new(5, 3).same().stride(2))
                .act(TANH)
                .layer(MaxPool2d::new(2).ceil_mode(true));
            m.act(TANH).layer(AvgPool2d::new(3).stride(2).padding(1).ceil_mode(true))
        }),
        images("upsampling, nearest and bilinear, bce", 5, bce, [2, 4, 3], |m| {
            let m =
                m.conv2d(5, 2).act(TANH).layer(Upsample2d::nearest([2, 3])).layer(Conv2d::new(6, 3).same());
            m.act(TANH).layer(Upsample2d::bilinear(2)).conv2d(3, 3)
        }),
        classifier("bilinear upsampling, corners on corners", 37, [3, 5, 4], |m| {
            m.act(TANH).layer(Upsample2d::bilinear([3, 2]).mode(Interpolation::BilinearAligned)).conv2d(4, 3)
        }),
        classifier("reflected and repeated edges", 5, [3, 6, 5], |m| {
            let m =
                m.conv2d(5, 1).act(TANH).layer(Layer::ReflectionPad2d { padding: [4, 1, 2, 5] }).conv2d(6, 3);
            m.act(TANH).layer(Layer::ReplicationPad2d { padding: [0, 3, 2, 1] }).conv2d(4, 3)
        }),
        images("pixel shuffle and back, mse", 5, Loss::mse(), [3, 5, 4], |m| {
            let m = m.conv2d(18, 2).act(TANH).layer(Layer::PixelShuffle { factor: 3 }).conv2d(5, 2);
            let m = m.act(TANH).layer(Layer::ZeroPad2d { padding: [0, 0, 1, 0] });
            m.layer(Layer::PixelUnshuffle { factor: 4 })
        }),
    ]
}

/// Layers around convolutions.
fn around() -> Vec<Job> {
    vec![
        classifier("zeros around, identity", 5, [2, 5, 6], |m| {
            let pad = Layer::ZeroPad2d { padding: [1, 2, 0, 3] };
            m.conv2d(3, 2).act(TANH).layer(pad).layer(Layer::Identity).conv2d(4, 3).act(TANH)
        }),
        classifier("prelu of channels, and with one slope", 37, [2, 5, 6], |m| {
            let m = m
                .conv2d(6, 3)
                .layer(PRelu::per_channel())
                .layer(Conv2d::new(5, 3).same())
                .layer(PRelu::new());
            m.flatten().dense(9).layer(PRelu::per_channel())
        }),
        classifier("attention between positions", 37, [2, 5, 6], |m| {
            let m = m.conv2d(24, 3).act(TANH).layer(PositionEmbedding::new()).layer(Attention::new(2));
            m.layer(LayerNorm::of_channels()).conv2d(9, 1).layer(Attention::new(3).causal(true))
        }),
        classifier("recurrent layers over a sequence", 37, [5, 9], |m| {
            m.gru(12).act(TANH).residual(|b| b.lstm(12)).gru(7).last()
        }),
        classifier("batch norm of images and of features", 37, [2, 5, 6], |m| {
            let m = m.conv2d(6, 3).layer(norm(6)).act(TANH).flatten();
            m.dense(9).layer(norm(9)).act(TANH)
        }),
        classifier("batch norm by the statistics of the batch", 37, [2, 5, 6], |m| {
            let m = m.conv2d(6, 3).layer(BatchNorm::of_batch()).act(TANH).flatten();
            m.dense(9).layer(BatchNorm::of_batch()).act(TANH)
        }),
        classifier("layer norm of features and of an image, rms norm", 37, [2, 5, 6], |m| {
            let m = m.layer(Conv2d::new(6, 3).bias(false)).layer_norm().act(TANH).flatten();
            m.dense_no_bias(33).layer_norm().act(TANH).dense(20).rms_norm().act(TANH)
        }),
        classifier("group norm, from one group to single channels", 37, [3, 7, 8], |m| {
            let conv = |channels| Conv2d::new(channels, 3).bias(false);
            let m =
                m.layer(conv(6)).group_norm(1).act(TANH).residual(|body| {
                    body.layer(Conv2d::new(6, 3).same().bias(false)).group_norm(2).act(TANH)
                });
            m.layer(conv(7)).group_norm(7).act(TANH)
        }),
        classifier("layer norm of 3000 features, group norm of 2400 numbers", 3, [3, 20, 30], |m| {
            let m = m.layer(Conv2d::new(8, 1).bias(false)).group_norm(2).act(TANH);
            m.layer(Conv2d::new(5, 1).bias(false)).flatten().layer_norm()
        }),
        classifier("dropout of images and of features", 37, [2, 5, 6], |m| {
            m.conv2d(6, 3).act(TANH).dropout(0.25).flatten().dense(9).act(TANH).dropout(0.5)
        }),
        classifier("residual blocks, with a projection", 5, [3, 8, 7], |m| {
            let conv = |channels| Conv2d::new(channels, 3).same();
            let m = m.layer(conv(6)).act(TANH).residual(move |body| {
                body.layer(conv(6)).layer(norm(6)).act(TANH).layer(conv(6)).layer(norm(6))
            });
            let half =
                move |body: Builder| body.layer(conv(10).padding(1).stride(2)).act(TANH).layer(conv(10));
            let m = m.act(TANH).residual_projected(half, |m| m.layer(Conv2d::new(10, 1).stride(2)));
            m.act(TANH).layer(Layer::global_avg_pool())
        }),
        classifier("named values: down and up again, a gate", 5, [3, 8, 7], |m| {
            let conv = |channels| Conv2d::new(channels, 3).same();
            let m = m.layer(conv(6)).act(TANH).name("top").layer(MaxPool2d::new(2).ceil_mode(true));
            let m = m.layer(conv(9)).act(TANH).name("low").layer(conv(9)).plus("low");
            let m = m.layer(Upsample2d::bilinear(2)).conv2d(6, (1, 2)).name("risen");
            let m = m.act(Activation::Sigmoid).multiply("top").concat("risen").layer(conv(5)).act(TANH);
            m.layer(Layer::global_avg_pool())
        }),
        classifier("gated dense layers", 37, [33], |m| {
            let m = m.name("x").dense(20).name("value").from("x").dense(20).act(Activation::Sigmoid);
            m.multiply("value").concat("x").dense(9).act(TANH)
        }),
        classifier("residual blocks of dense layers, one in another", 37, [9], |m| {
            let inner = |body: Builder| body.dense(7).act(TANH).dense(12).act(TANH);
            m.dense(12).act(TANH).residual(move |body| body.dense(12).act(TANH).residual(inner).dense(12))
        }),
    ]
}
