//! The networks of the paper's experiments, and networks of later years beside them, with their data and default settings.

use crate::common::method::Rates;
use hesscale::model::{
    Attention, BatchNorm, Builder, Conv2d, GroupNorm, LayerNorm, MaxPool2d, PositionEmbedding, Upsample2d,
};
use hesscale::train::{self, Dataset, Labels, Normalization};
use hesscale::{Activation, Layer, Loss, Model, Result};
use std::path::Path;

/// One network and its data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Problem {
    pub(crate) name: &'static str,
    pub(crate) network: fn() -> Result<Model>,
    /// Training and test set from a directory; photographs are normalized.
    pub(crate) load: fn(&Path) -> Result<(Dataset, Dataset)>,
    pub(crate) batch: usize,
    pub(crate) epochs: u64,
    /// Untuned.
    pub(crate) rates: Rates,
    /// ε of the two optimizers that divide by second derivatives. These span many orders of magnitude in a deep network; where they
    /// are far below ε, the optimizers act like SGD with momentum at rate / ε.
    pub(crate) eps: f32,
    /// Standard deviation of the noise that the network is to take out of images; `None`: it classifies them.
    pub(crate) noise: Option<f32>,
}

const MLP_RATES: Rates = [0.1, 1e-3, 1e-3, 1e-3];
// Second derivatives of a deeper network span many orders of magnitude: at 1e-3 the two optimizers that divide by them diverge.
const CNN_RATES: Rates = [1e-3, 1e-3, 1e-4, 3e-5];

pub(crate) const PROBLEMS: [Problem; 9] = [
    Problem {
        name: "mnist-mlp",
        network: mlp,
        load: |directory| train::mnist(directory),
        batch: 128,
        epochs: 10,
        rates: MLP_RATES,
        eps: 1e-8,
        noise: None,
    },
    Problem {
        name: "fashion-mlp",
        network: mlp,
        load: |directory| train::fashion_mnist(directory),
        batch: 128,
        epochs: 10,
        rates: MLP_RATES,
        eps: 1e-8,
        noise: None,
    },
    Problem {
        name: "cifar10-3c3d",
        network: || network_3c3d(10),
        load: |directory| normalized(train::cifar10(directory)?),
        batch: 128,
        epochs: 50,
        rates: CNN_RATES,
        eps: 1e-8,
        noise: None,
    },
    Problem {
        name: "cifar100-3c3d",
        network: || network_3c3d(100),
        load: |directory| normalized(train::cifar100(directory)?),
        batch: 128,
        epochs: 50,
        rates: CNN_RATES,
        eps: 1e-8,
        noise: None,
    },
    Problem {
        name: "cifar100-allcnnc",
        network: all_cnn_c,
        load: |directory| normalized(train::cifar100(directory)?),
        batch: 256,
        epochs: 100,
        rates: [1e-3, 1e-3, 3e-4, 3e-4],
        eps: 1e-2, // at 1e-8 both diverge, at any rate
        noise: None,
    },
    Problem {
        name: "cifar10-resnet20",
        network: || resnet_20(32, || BatchNorm::of_batch().into()),
        load: |directory| normalized(train::cifar10(directory)?),
        batch: 128,
        epochs: 100,
        rates: CNN_RATES,
        eps: 1e-8,
        noise: None,
    },
    Problem {
        name: "cifar10-resnet20-groups",
        network: || resnet_20(32, || GroupNorm::new(8).into()),
        load: |directory| normalized(train::cifar10(directory)?),
        batch: 128,
        epochs: 100,
        rates: CNN_RATES,
        eps: 1e-8,
        noise: None,
    },
    Problem {
        name: "cifar10-vit",
        network: || vit(32, 4, [192, 3, 12]),
        load: |directory| normalized(train::cifar10(directory)?),
        batch: 128,
        epochs: 100,
        rates: CNN_RATES,
        eps: 1e-8,
        noise: None,
    },
    Problem {
        name: "cifar10-unet",
        network: || u_net(32, 32),
        load: |directory| train::cifar10(directory),
        batch: 64,
        epochs: 20,
        rates: CNN_RATES,
        eps: 1e-8,
        noise: Some(0.1),
    },
];

/// Each colour by its mean and deviation in the training set.
fn normalized((train, test): (Dataset, Dataset)) -> Result<(Dataset, Dataset)> {
    let normalization = Normalization::of(&train, 3)?;
    Ok((normalization.apply(train)?, normalization.apply(test)?))
}

/// The images with normal noise of that deviation, and as labels the images themselves.
pub(crate) fn noisy(images: Dataset, deviation: f32, seed: u64) -> Result<Dataset> {
    let mut random = fastrand::Rng::with_seed(seed);
    // By Box and Muller; 1 - f32() is not 0.
    let mut normal =
        || (-2.0 * (1.0 - random.f32()).ln()).sqrt() * (std::f32::consts::TAU * random.f32()).cos();
    let width = images.inputs().len() / images.len();
    let clean = images.inputs().to_vec();
    let noisy = clean.iter().map(|x| x + deviation * normal()).collect();
    Dataset::new(noisy, width, Labels::Values(clean))
}

/// 784-1000-500-100-10.
fn mlp() -> Result<Model> {
    let tanh = Activation::Tanh;
    let hidden = [1000, 500, 100].into_iter();
    let model = hidden.fold(Model::builder([784]), |model, size| model.dense(size).act(tanh));
    model.dense(10).loss(Loss::cross_entropy())
}

/// Three convolutions, each followed by a pool, and three dense layers.
fn network_3c3d(classes: usize) -> Result<Model> {
    let elu = Activation::Elu { alpha: 1.0 };
    let convolutions = [(64, 5), (96, 3), (128, 3)].into_iter();
    let model = convolutions.fold(Model::builder([3, 32, 32]), |model, (channels, kernel)| {
        model.conv2d(channels, kernel).act(elu).layer(MaxPool2d::new(3).stride(2))
    });
    let model = model.flatten().dense(512).act(elu).dense(256).act(elu).dense(classes);
    model.loss(Loss::cross_entropy())
}

/// Nine convolutions for a hundred classes, with strides instead of pools.
fn all_cnn_c() -> Result<Model> {
    let relu = Activation::Relu;
    let same = |channels| Conv2d::new(channels, 3).padding(1);
    let model = Model::builder([3, 32, 32]).dropout(0.2);
    let model = model.layer(same(96)).act(relu).layer(same(96)).act(relu);
    let model = model.layer(same(96).stride(2)).act(relu).dropout(0.5);
    let model = model.layer(same(192)).act(relu).layer(same(192)).act(relu);
    let model = model.layer(same(192).stride(2)).act(relu).dropout(0.5);
    let model = model.conv2d(192, 3).act(relu).conv2d(192, 1).act(relu).conv2d(100, 1).act(relu);
    model.layer(Layer::global_avg_pool()).flatten().loss(Loss::cross_entropy())
}

/// ResNet-20 (He, Zhang, Ren & Sun, 2015, arXiv 1512.03385, section 4.2) on square images, with a normalisation behind each
/// convolution. Three stages of three blocks, 16, 32 and 64 channels; where a stage halves the image, the shortcut is a convolution
/// of 1×1 (their option B; with batch normalisation 272,474 parameters).
pub(crate) fn resnet_20(image: usize, norm: fn() -> Layer) -> Result<Model> {
    let relu = Activation::Relu;
    let conv = |channels, stride| Conv2d::new(channels, 3).padding(1).stride(stride).bias(false);
    let mut model = Model::builder([3, image, image]).layer(conv(16, 1)).layer(norm()).act(relu);
    for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..3 {
            let shrinks = stage > 0 && block == 0;
            let stride = if shrinks { 2 } else { 1 };
            let body = |b: Builder| {
                let b = b.layer(conv(channels, stride)).layer(norm()).act(relu);
                b.layer(conv(channels, 1)).layer(norm())
            };
            let shortcut = |b: Builder| {
                let projection = Conv2d::new(channels, 1).stride(stride).bias(false);
                if shrinks { b.layer(projection).layer(norm()) } else { b }
            };
            model = model.residual_projected(body, shortcut).act(relu);
        }
    }
    model.layer(Layer::global_avg_pool()).flatten().dense(10).loss(Loss::cross_entropy())
}

/// A vision transformer (Dosovitskiy et al., 2021, arXiv 2010.11929) of that width, so many heads and blocks, on patches of square
/// images; classified by the mean of all patches. With 192, 3 and 12 it has the sizes of DeiT-Ti (Touvron et al., 2021, arXiv
/// 2012.12877).
pub(crate) fn vit(image: usize, patch: usize, [width, heads, blocks]: [usize; 3]) -> Result<Model> {
    let of = |channels| Conv2d::new(channels, 1);
    let patches = Conv2d::new(width, patch).stride(patch);
    let mut model = Model::builder([3, image, image]).layer(patches).layer(PositionEmbedding::new());
    for _ in 0..blocks {
        model = model.residual(|b| {
            let b = b.layer(LayerNorm::of_channels()).layer(of(3 * width));
            b.layer(Attention::new(heads)).layer(of(width))
        });
        model = model.residual(|b| {
            let b = b.layer(LayerNorm::of_channels()).layer(of(4 * width));
            b.act(Activation::Gelu).layer(of(width))
        });
    }
    let model = model.layer(LayerNorm::of_channels()).layer(Layer::global_avg_pool()).flatten();
    model.dense(10).loss(Loss::cross_entropy())
}

/// A U-Net (Ronneberger, Fischer & Brox, 2015, arXiv 1505.04597) of two steps down and up again on square images, `width` channels
/// at full size, which says what to add to a noisy image.
pub(crate) fn u_net(image: usize, width: usize) -> Result<Model> {
    let twice = |model: Builder, channels: usize| {
        (0..2).fold(model, |model, _| {
            let groups = (1..=8).rev().find(|groups| channels.is_multiple_of(*groups)).unwrap_or(1);
            let model = model.layer(Conv2d::new(channels, 3).same()).group_norm(groups);
            model.act(Activation::Silu)
        })
    };
    let down = |model: Builder, name: &str| model.name(name).layer(MaxPool2d::new(2));
    let up = |model: Builder, name: &str| model.layer(Upsample2d::bilinear(2)).concat(name);
    let model = twice(Model::builder([3, image, image]).name("noisy"), width);
    let model = twice(down(model, "full"), 2 * width);
    let model = twice(down(model, "half"), 4 * width);
    let model = twice(up(model, "half"), 2 * width);
    let model = twice(up(model, "full"), width);
    model.conv2d(3, 1).plus("noisy").loss(Loss::mse())
}
