//! The networks to choose from, with settings for each.

use crate::common::method::Rates;
use hesscale::model::{Conv2d, MaxPool2d};
use hesscale::{Activation, Loss, Model, Result};

/// A network with its settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    /// As `--model` takes it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) model: fn() -> Result<Model>,
    /// The default, which the user may override.
    pub(crate) epochs: usize,
    pub(crate) rates: Rates,
    /// How the learning rates were chosen.
    pub(crate) note: &'static str,
}

pub(crate) const NETWORKS: [Network; 2] = [
    // The adaptive three share one learning rate, which was not tuned. SGD's steps have another scale: its momentum and
    // rate have the best mean test accuracy among 0 and 0.9, and 0.01, 0.03, 0.1, 0.3 and 1 (0.3 is as good, 1 diverges).
    Network {
        name: "mlp",
        title: "64-128-64-10 tanh",
        model: mlp,
        epochs: 40,
        rates: [0.1, 1e-3, 1e-3, 1e-3],
        note: "SGD has momentum 0.9 and a tuned learning rate, the others' is untuned",
    },
    // Of two or three rates each, the one with the lowest training loss from one start.
    Network {
        name: "cnn",
        title: "conv 16-32 silu, each with max pool, dropout, dense 10",
        model: cnn,
        epochs: 15,
        rates: [0.1, 1e-2, 5e-3, 5e-3],
        note: "SGD has momentum 0.9; learning rates are roughly tuned",
    },
];

fn mlp() -> Result<Model> {
    let tanh = Activation::Tanh;
    let model = Model::builder([64]).dense(128).act(tanh).dense(64).act(tanh).dense(10);
    model.loss(Loss::cross_entropy())
}

fn cnn() -> Result<Model> {
    let channels = [16, 32].into_iter();
    let model = channels.fold(Model::builder([1, 8, 8]), |model, channels| {
        model.layer(Conv2d::new(channels, 3).same()).act(Activation::Silu).layer(MaxPool2d::new(2))
    });
    model.flatten().dropout(0.3).dense(10).loss(Loss::cross_entropy())
}
