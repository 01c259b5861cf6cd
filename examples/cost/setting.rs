//! The paper's networks, the contenders, and the paper's own figures.

use hesscale::{Activation, Loss, Model, Optimizer, Result};

/// Networks that grow in one direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Experiment {
    pub(crate) name: &'static str,
    /// What grows.
    pub(crate) grows: &'static str,
    pub(crate) sizes: &'static [usize],
    pub(crate) model: fn(usize) -> Result<Model>,
    /// Size, and the paper's ratios in the order of [`CONTENDERS`] (its published data; its own program and machine).
    pub(crate) published: &'static [(usize, [f64; 3])],
}

pub(crate) const EXPERIMENTS: [Experiment; 2] = [
    Experiment {
        name: "64-512x(L+1)-100 tanh",
        grows: "L",
        sizes: &[1, 2, 4, 8, 16, 32, 64, 128],
        model: |depth| network(depth + 1, 100),
        published: &[(1, [2.7, 3.5, 5.9]), (8, [2.5, 3.2, 5.6]), (128, [2.5, 3.2, 5.4])],
    },
    Experiment {
        name: "64-512-N tanh",
        grows: "N",
        sizes: &[256, 512, 1024, 2048, 4096, 8192],
        model: |outputs| network(1, outputs),
        published: &[],
    },
];

/// Without biases and under the mean squared error.
fn network(hidden: usize, outputs: usize) -> Result<Model> {
    let layer = |builder: hesscale::model::Builder, _| builder.dense_no_bias(512).act(Activation::Tanh);
    (0..hidden).fold(Model::builder([64]), layer).dense_no_bias(outputs).loss(Loss::mse())
}

/// What is measured, by its name in the paper, and what it is here.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) optimizer: fn(f32) -> Optimizer,
}

pub(crate) const CONTENDERS: [Contender; 3] = [
    Contender { name: "Adam", optimizer: Optimizer::adam },
    Contender { name: "HesScaleGN", optimizer: Optimizer::ada_hesscale_gn },
    Contender { name: "HesScale", optimizer: Optimizer::ada_hesscale },
];
