//! The training steps compared with plain SGD.

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

/// So small that thousands of steps on one sample hardly change the network and no gradient vanishes.
const RATES: Rates = [1e-6; METHODS.len()];

/// The baseline: SGD without momentum.
pub(crate) fn sgd() -> Contender {
    Contender { name: "SGD", optimizer: Optimizer::sgd(RATES[0]), mode: Mode::None }
}

/// Curvature alone, with the diagonal stored but unused, and the adaptive optimisers.
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
