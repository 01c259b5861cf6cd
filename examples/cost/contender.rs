//! What is compared with plain SGD.

use crate::common::method::{METHODS, Rates};
use hesscale::{Mode, Optimizer};

/// A training step: an optimiser after a pass in a mode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) optimizer: Optimizer,
    pub(crate) mode: Mode,
}

pub(crate) const CONTENDERS: usize = 5;

/// So small that thousands of steps on one sample leave the network as it is, and no gradient vanishes.
const RATES: Rates = [1e-6; METHODS.len()];

/// What all are measured beside: no momentum.
pub(crate) fn sgd() -> Contender {
    Contender { name: "SGD", optimizer: Optimizer::sgd(RATES[0]), mode: Mode::None }
}

/// Curvature alone, its diagonal written and not used, and the optimisers that adapt.
pub(crate) fn all() -> [Contender; CONTENDERS] {
    let [_, adam, full, gauss_newton] = [0, 1, 2, 3].map(|i| {
        let optimizer = (METHODS[i].at)(RATES[i]);
        Contender { name: METHODS[i].name, optimizer, mode: optimizer.rule.mode() }
    });
    let passes = |name, mode| Contender { name, mode, ..sgd() };
    [
        adam,
        passes("HesScaleGN+SGD", Mode::HesScaleGn),
        passes("HesScale+SGD", Mode::HesScale),
        gauss_newton,
        full,
    ]
}
