//! The optimizers to compare.

use hesscale::Optimizer;
use hesscale::model::Rule;

/// An optimizer's name, and its constructor from a learning rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) at: fn(f32) -> Optimizer,
}

pub(crate) const METHODS: [Method; 4] = [
    Method { name: "SGD", at: |rate| Rule::Sgd { momentum: 0.9, nesterov: false }.at(rate) },
    Method { name: "Adam", at: Optimizer::adam },
    Method { name: "AdaHesScale", at: Optimizer::ada_hesscale },
    Method { name: "AdaHesScaleGN", at: Optimizer::ada_hesscale_gn },
];

/// A learning rate for each of [`METHODS`].
pub(crate) type Rates = [f32; METHODS.len()];
