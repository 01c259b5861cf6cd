//! A Gaussian over the weights of the last layer, each by itself: mean `ŵ`, precision `N h + τ`. `h` is the Hessian diagonal of the
//! mean loss over the N training samples, τ the precision of a Gaussian prior around 0 (MacKay, 1992; Daxberger et al., 2021).

use crate::calibration::Predictions;
use crate::common::backend::Backend;
use hesscale::model::{Layer, Parameter, Role};
use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
use hesscale::{Error, Loss, Model, Optimizer, Result};
use std::f64::consts::PI;

const BATCH: usize = 512;

/// What each sample's logits are made of.
#[derive(Debug)]
pub(crate) struct Head {
    /// `N h` of the last layer's weight `[classes, features]` and bias.
    weight: Vec<f64>,
    bias: Vec<f64>,
}

/// Samples as the last layer sees them.
#[derive(Debug)]
pub(crate) struct Seen {
    /// `[N, features]`
    features: Vec<f64>,
    /// `[N, classes]`
    logits: Vec<f64>,
    labels: Vec<u32>,
}

impl Head {
    /// From the training set.
    pub(crate) fn new(trainer: &mut Trainer, train: &Dataset) -> Result<Head> {
        let diagonal = trainer.diagonal_over(train, BATCH)?;
        let samples = train.len() as f64;
        let [weight, bias] = last_layer(trainer.model())?;
        let of = |parameter: &Parameter| {
            diagonal[parameter.range()].iter().map(|h| samples * f64::from(*h)).collect()
        };
        Ok(Head { weight: of(weight), bias: of(bias) })
    }

    /// Probabilities under the posterior with the prior precision `tau`: a logit has variance `v = Σ_j φ_j² σ_j² + σ_b²`, and
    /// `p = softmax(z / √(1 + π v / 8))` is close to its mean over the Gaussian.
    pub(crate) fn predictions(&self, seen: &Seen, tau: f64) -> Predictions {
        let (classes, features) = (self.bias.len(), self.weight.len() / self.bias.len());
        let samples = seen.features.chunks_exact(features).zip(seen.logits.chunks_exact(classes));
        let logits = samples.flat_map(|(phi, logits)| {
            logits.iter().enumerate().map(move |(class, z)| {
                let precisions = &self.weight[class * features..][..features];
                let weights: f64 = phi.iter().zip(precisions).map(|(phi, h)| phi * phi / (h + tau)).sum();
                let variance = weights + 1.0 / (self.bias[class] + tau);
                z / (1.0 + PI / 8.0 * variance).sqrt()
            })
        });
        Predictions::of_logits(logits, &seen.labels)
    }
}

impl Seen {
    /// What the network computes of `data`, at the last layer's input and output.
    pub(crate) fn new(backend: &Backend, trainer: &mut Trainer, data: &Dataset) -> Result<Seen> {
        let model = trainer.model();
        let layers = model.layers();
        // The parameters of the layers before the last come first in the flat layout.
        let body = Model::new(model.input_shape(), layers[..layers.len() - 1].to_vec(), Loss::mse())?;
        let mut features = backend.trainer(&body, Optimizer::sgd(0.0), TrainerOptions::default())?;
        features.set_parameters(&trainer.parameters()?[..body.flat_len()])?;
        let wide = |numbers: Vec<f32>| numbers.into_iter().map(f64::from).collect();
        let labels = if let Labels::Classes(classes) = data.labels() { classes.clone() } else { Vec::new() };
        Ok(Seen {
            features: wide(features.predict(data.inputs())?),
            logits: wide(trainer.predict(data.inputs())?),
            labels,
        })
    }

    /// The network's own probabilities, its logits divided by a temperature.
    pub(crate) fn predictions(&self, temperature: f64) -> Predictions {
        Predictions::of_logits(self.logits.iter().map(|z| z / temperature), &self.labels)
    }
}

/// Weight and bias of the dense layer that the network ends with.
fn last_layer(model: &Model) -> Result<[&Parameter; 2]> {
    let last = model.layers().len() - 1;
    let found = [Role::Weight, Role::Bias].map(|role| model.parameter(last, role));
    match (&model.layers()[last], found) {
        (Layer::Dense { .. }, [Some(weight), Some(bias)]) => Ok([weight, bias]),
        (other, _) => Err(Error::Unsupported { layer: "the last layer".into(), kind: other.kind().into() }),
    }
}
