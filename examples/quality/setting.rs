//! The networks, their data and training, and the measurement.

use crate::estimator::Estimator;
use hesscale::model::{
    Attention, BatchNorm, Builder, Conv1d, Conv2d, Init, LayerNorm, MaxPool2d, PositionEmbedding, Role,
    Targets,
};
use hesscale::reference::{OptimizerState, exact_hessian_diagonal, pass};
use hesscale::{Activation, Layer, Loss, Mode, Model, Optimizer, Result};
use indicatif::ProgressBar;
use std::f64::consts::TAU;
use std::thread;

/// The networks, and the size of the experiment.
pub(crate) struct Effort {
    /// Those for the digits.
    networks: &'static [Named],
    /// Draws of the paper's network.
    seeds: u64,
    /// Samples for each of them.
    samples: usize,
    /// Epochs after which the digits' networks are measured.
    epochs: &'static [usize],
    /// Batch sizes on the digits, and how many batches of each.
    batches: &'static [(usize, usize)],
    /// The file of the picture.
    pub(crate) picture: &'static str,
}

/// A network and its name.
type Named = (&'static str, fn() -> Result<Model>);

const NETWORKS: [Named; 5] = [
    ("digits tanh", || network(&[64, 64, 64, 10], Activation::Tanh)),
    ("digits relu", || network(&[64, 64, 64, 10], Activation::Relu)),
    ("digits layer norm", normalised),
    ("digits conv tanh", convolutional),
    ("digits all conv", all_convolutional),
];

/// Layers that drop more than others, between few enough numbers for the exact diagonal of a batch whose samples meet.
const LAYERS: [Named; 7] = [
    ("digits tanh, batch norm", || normed(BatchNorm::of_batch(), Activation::Tanh)),
    ("digits relu, batch norm", || normed(BatchNorm::of_batch(), Activation::Relu)),
    ("digits tanh, layer norm", || normed(LayerNorm::new(), Activation::Tanh)),
    ("digits gates", gated),
    ("digits attention", attentive),
    ("digits gru", || recurrent(|builder| builder.gru(12))),
    ("digits lstm", || recurrent(|builder| builder.lstm(12))),
];

impl Effort {
    pub(crate) const FULL: Effort = Effort {
        networks: &NETWORKS,
        seeds: 5,
        samples: 40,
        epochs: &[0, 2, 20],
        batches: &[(1, 100), (32, 12)],
        picture: "quality.svg",
    };
    pub(crate) const QUICK: Effort =
        Effort { seeds: 2, samples: 10, epochs: &[0, 2], batches: &[(1, 20), (32, 2)], ..Effort::FULL };
    /// What single layers drop.
    pub(crate) const LAYERS: Effort = Effort {
        networks: &LAYERS,
        seeds: 0,
        samples: 0,
        epochs: &[0, 5, 20],
        batches: &[(32, 3)],
        picture: "quality-layers.svg",
    };

    /// Number of batches measured in all.
    pub(crate) fn points(&self) -> u64 {
        let digits: usize = self.batches.iter().map(|(_, count)| count).sum();
        self.seeds * self.samples as u64 + (self.networks.len() * self.epochs.len() * digits) as u64
    }
}

/// One line of the table.
pub(crate) struct Row {
    /// The network's name.
    pub(crate) network: String,
    pub(crate) batch: usize,
    /// Epochs of training and the resulting training accuracy; `None` for the paper's network, which is not trained.
    pub(crate) trained: Option<(usize, f64)>,
    /// HesScale's distance over the L1 norm of the exact diagonal.
    pub(crate) own: f64,
    /// Each estimator's distance over HesScale's, in the order of [`Estimator::ALL`].
    pub(crate) ratios: Vec<f64>,
}

impl Row {
    pub(crate) fn name(&self) -> String {
        let trained =
            self.trained.map(|(epochs, accuracy)| format!(", {epochs} ep ({:.0}%)", 100.0 * accuracy));
        format!("{}, batch {}{}", self.network, self.batch, trained.unwrap_or_default())
    }
}

/// L1 distances summed over batches.
#[derive(Default)]
struct Distances {
    exact: f64,
    estimates: [f64; Estimator::ALL.len()],
}

impl Distances {
    fn add(
        &mut self,
        model: &Model,
        parameters: &[f64],
        input: &[f64],
        classes: &[u32],
        seed: u64,
    ) -> Result<()> {
        let targets = Targets::Classes(classes);
        let exact = exact_hessian_diagonal(model, parameters, input, targets)?;
        self.exact += exact.iter().map(|e| e.abs()).sum::<f64>();
        for (sum, estimator) in self.estimates.iter_mut().zip(Estimator::ALL) {
            let estimate = estimator.diagonal(model, parameters, input, targets, seed)?;
            *sum += exact.iter().zip(&estimate).map(|(a, b)| (a - b).abs()).sum::<f64>();
        }
        Ok(())
    }

    fn row(&self, network: &str, batch: usize, trained: Option<(usize, f64)>) -> Row {
        let hesscale = self.estimates[0];
        let ratios = self.estimates.iter().map(|distance| distance / hesscale).collect();
        Row { network: network.into(), batch, trained, own: hesscale / self.exact, ratios }
    }
}

/// All rows of the table; each network on a thread of its own.
pub(crate) fn measure(effort: &Effort, progress: &ProgressBar) -> Result<Vec<Row>> {
    thread::scope(|scope| {
        let paper = (effort.seeds > 0).then(|| scope.spawn(|| Ok(vec![paper(effort, progress)?])));
        let digits =
            effort.networks.iter().map(|network| scope.spawn(move || digits(effort, *network, progress)));
        let parts: Vec<_> = paper.into_iter().chain(digits).collect();
        let rows = parts.into_iter().map(|part| part.join().expect("a measuring thread panicked"));
        Ok(rows.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })
}

/// The paper's network, untrained: 6 inputs, three tanh layers of 16, 10 classes, batch 1; inputs are normal, labels
/// random.
fn paper(effort: &Effort, progress: &ProgressBar) -> Result<Row> {
    let model = network(&[6, 16, 16, 16, 10], Activation::Tanh)?;
    let mut distances = Distances::default();
    for seed in 0..effort.seeds {
        let mut random = fastrand::Rng::with_seed(seed);
        let parameters = uniform_start(&model, &mut random);
        for _ in 0..effort.samples {
            let input: Vec<f64> = (0..model.inputs()).map(|_| normal(&mut random)).collect();
            distances.add(&model, &parameters, &input, &[random.u32(0..10)], random.u64(..))?;
            progress.inc(1);
        }
    }
    Ok(distances.row("paper tanh", 1, None))
}

/// A network on the digits, measured before, during and after training with Adam on batches it has seen.
fn digits(effort: &Effort, (name, network): Named, progress: &ProgressBar) -> Result<Vec<Row>> {
    let (pixels, labels) = digit_images();
    let model = network()?;
    let mut random = fastrand::Rng::with_seed(1);
    let mut parameters = uniform_start(&model, &mut random);
    let mut state = OptimizerState::new(parameters.len());
    let (mut rows, mut epoch) = (Vec::new(), 0);
    for &until in effort.epochs {
        while epoch < until {
            train_epoch(&model, &mut parameters, &mut state, &pixels, &labels, &mut random)?;
            epoch += 1;
        }
        let accuracy = accuracy(&model, &parameters, &pixels, &labels)?;
        for &(batch, count) in effort.batches {
            let mut distances = Distances::default();
            // The same images at every epoch.
            let mut choice = fastrand::Rng::with_seed(2);
            for _ in 0..count {
                let picked: Vec<usize> = (0..batch).map(|_| choice.usize(0..labels.len())).collect();
                let (input, classes) = gather(&pixels, &labels, &picked);
                distances.add(&model, &parameters, &input, &classes, choice.u64(..))?;
                progress.inc(1);
            }
            rows.push(distances.row(name, batch, Some((epoch, accuracy))));
        }
    }
    rows.sort_by_key(|row| row.batch);
    Ok(rows)
}

fn network(widths: &[usize], activation: Activation) -> Result<Model> {
    let mut builder = Model::builder([widths[0]]).dense(widths[1]);
    for width in &widths[2..] {
        builder = builder.act(activation).dense(*width);
    }
    builder.loss(Loss::cross_entropy())
}

/// Layer normalisation before each ReLU.
fn normalised() -> Result<Model> {
    let hidden = |m: Builder| m.dense(64).layer_norm().act(Activation::Relu);
    hidden(hidden(Model::builder([64]))).dense(10).loss(Loss::cross_entropy())
}

fn normed(norm: impl Into<Layer>, activation: Activation) -> Result<Model> {
    let norm = norm.into();
    let hidden = |m: Builder| m.dense(24).layer(norm.clone()).act(activation);
    hidden(hidden(Model::builder([64]))).dense(10).loss(Loss::cross_entropy())
}

/// Two hidden layers of 24, each `x σ(x W)`.
fn gated() -> Result<Model> {
    let hidden =
        |m: Builder, name: &str| m.dense(24).name(name).dense(24).act(Activation::Sigmoid).multiply(name);
    hidden(hidden(Model::builder([64]), "one"), "two").dense(10).loss(Loss::cross_entropy())
}

/// A Transformer's block over the eight columns of an image.
fn attentive() -> Result<Model> {
    let line = |channels| Conv1d::new(channels, 1);
    let model = Model::builder([8, 8]).layer(line(12)).layer(PositionEmbedding::new()).residual(|b| {
        b.layer(LayerNorm::of_channels()).layer(line(36)).layer(Attention::new(2)).layer(line(12))
    });
    let model = model.residual(|b| {
        b.layer(LayerNorm::of_channels()).layer(line(24)).act(Activation::Gelu).layer(line(12))
    });
    model.flatten().dense(10).loss(Loss::cross_entropy())
}

/// One recurrent layer over the eight columns of an image.
fn recurrent(layer: fn(Builder) -> Builder) -> Result<Model> {
    layer(Model::builder([8, 8])).last().dense(10).loss(Loss::cross_entropy())
}

/// Small enough for the exact diagonal, which takes a pass for each weight of a convolution: 1,626 parameters.
fn convolutional() -> Result<Model> {
    let tanh = Activation::Tanh;
    let model = Model::builder([1, 8, 8]).layer(Conv2d::new(4, 3).same()).act(tanh).layer(MaxPool2d::new(2));
    let model = model.layer(Conv2d::new(8, 3).same()).act(tanh).flatten().dense(10);
    model.loss(Loss::cross_entropy())
}

/// Nothing but convolutions below a mean over the image: 1,394 parameters, used at many positions each.
fn all_convolutional() -> Result<Model> {
    let relu = Activation::Relu;
    let model = Model::builder([1, 8, 8]).layer(Conv2d::new(8, 3).same()).act(relu);
    let model = model.layer(Conv2d::new(8, 3).padding(1).stride(2)).act(relu);
    let model = model.layer(Conv2d::new(10, 3).same()).act(relu);
    model.layer(Layer::global_avg_pool()).flatten().loss(Loss::cross_entropy())
}

/// Weights and biases uniform in ±1/√in, a normalisation's 1 and 0, as PyTorch starts its layers.
fn uniform_start(model: &Model, random: &mut fastrand::Rng) -> Vec<f64> {
    let mut parameters = vec![0.0; model.flat_len()];
    // What starts with 1 is a normalisation's.
    let usual = model.init(Init::Auto, 0).expect("the model has room");
    let weight = |path: &str| model.parameters().iter().find(|p| p.path == path && p.role == Role::Weight);
    for p in model.parameters() {
        let weight = weight(&p.path);
        if weight.is_some_and(|weight| usual[weight.range()].iter().all(|w| *w == 1.0)) {
            parameters[p.range()].fill(if p.role == Role::Weight { 1.0 } else { 0.0 });
            continue;
        }
        let inputs: usize = weight.map_or(1, |weight| weight.shape[1..].iter().product());
        let bound = 1.0 / (inputs as f64).sqrt();
        parameters[p.range()].fill_with(|| (random.f64() * 2.0 - 1.0) * bound);
    }
    parameters
}

/// A standard normal sample by the Box–Muller method.
fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (TAU * random.f64()).cos()
}

/// Pixels in 0..=1, 64 an image, and labels: see `data/README.md` for source and licence.
fn digit_images() -> (Vec<f64>, Vec<u32>) {
    let records = include_bytes!("../../data/digits.bin").chunks_exact(65);
    let pixels = records.clone().flat_map(|r| &r[..64]).map(|p| f64::from(*p) / 16.0).collect();
    (pixels, records.map(|r| u32::from(r[64])).collect())
}

fn gather(pixels: &[f64], labels: &[u32], picked: &[usize]) -> (Vec<f64>, Vec<u32>) {
    let input = picked.iter().flat_map(|i| &pixels[i * 64..][..64]).copied().collect();
    (input, picked.iter().map(|i| labels[*i]).collect())
}

/// One epoch of Adam, batch 32, learning rate 1e-3.
fn train_epoch(
    model: &Model,
    parameters: &mut [f64],
    state: &mut OptimizerState<f64>,
    pixels: &[f64],
    labels: &[u32],
    random: &mut fastrand::Rng,
) -> Result<()> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    random.shuffle(&mut order);
    for picked in order.chunks(32) {
        let (input, classes) = gather(pixels, labels, picked);
        let gradient = pass(model, Mode::None, parameters, &input, Targets::Classes(&classes))?.gradient;
        state.step(&Optimizer::adam(1e-3), parameters, &gradient, &[])?;
    }
    Ok(())
}

/// The share of images whose largest logit is that of their label.
fn accuracy(model: &Model, parameters: &[f64], pixels: &[f64], labels: &[u32]) -> Result<f64> {
    // Normalised by the statistics of all images, where a network is by those of a batch.
    let logits = pass(model, Mode::None, parameters, pixels, Targets::Classes(labels))?.logits;
    let right = logits.chunks_exact(10).zip(labels).filter(|(z, label)| {
        let best = (0..10).reduce(|best, c| if z[c] > z[best] { c } else { best });
        best == Some(**label as usize)
    });
    Ok(right.count() as f64 / labels.len() as f64)
}
