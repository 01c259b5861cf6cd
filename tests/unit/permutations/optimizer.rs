//! Optimisers.

use super::{Operation, is, only_f32};
use crate::model::Rule;
use crate::ops::optimizer::{Advance, Update};
use crate::shader::Kernel;

pub(super) const OPERATION: Operation = Operation {
    all: |_| updates().flat_map(|update| [Kernel::from(Advance::of(&update)), update.into()]).collect(),
    stored: only_f32,
    family: |kernel| (is::<Advance>(kernel) || is::<Update>(kernel)).then_some("optimizer"),
};

/// Every rule, in every way it changes the shader.
pub(crate) fn rules() -> Vec<Rule> {
    let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
    vec![
        Rule::Sgd { momentum: 0.9, nesterov: false },
        Rule::Sgd { momentum: 0.9, nesterov: true },
        Rule::Adam { beta1, beta2, eps },
        Rule::AdaHesScale { beta1, beta2, eps },
        Rule::AdaHesScaleGn { beta1, beta2, eps },
    ]
}

/// Every update of theirs, with a diagonal and without.
pub(super) fn updates() -> impl Iterator<Item = Update> {
    rules().into_iter().flat_map(|rule| [false, true].map(|diagonal| Update::new(&rule, 4096, diagonal)))
}
