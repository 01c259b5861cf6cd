//! Optimisers.

use super::{Operation, is, only_f32};
use crate::model::{Optimizer, Rule};
use crate::ops::optimizer::{Advance, Measure, Scale, Update};
use crate::shader::{DeviceClass, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all,
    stored: only_f32,
    family: |kernel| {
        let counts = is::<Advance>(kernel) || is::<Measure>(kernel) || is::<Scale>(kernel);
        (counts || is::<Update>(kernel)).then_some("optimizer")
    },
};

fn all(_: DeviceClass) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    for update in updates() {
        kernels.extend([Kernel::from(Advance::of(&update)), update.into()]);
        for averages in [false, true] {
            let limited = update.limited(averages);
            let measure = Measure::gradient(limited);
            kernels.extend([Kernel::from(limited), measure.scale().into(), measure.into()]);
            if update.rule.at(0.1).trust(1.0).validate().is_ok() {
                let (measure, rest) = Measure::step(limited);
                kernels.extend([Kernel::from(rest), measure.scale().into(), measure.into()]);
            }
        }
    }
    kernels.extend(bounded());
    kernels
}

/// The rules that are never bare: a sum goes before each step, or a search for the largest.
fn bounded() -> Vec<Kernel> {
    let updates = [
        Update::new(&Optimizer::obgd(0.1).rule, 4096, false),
        Update::new(&Optimizer::adaptive_obgd(0.1).rule, 4096, false),
        Update::new(&Optimizer::upgd(0.1).rule, 4096, false),
        Update::new(&Optimizer::upgd(0.1).rule, 4096, true),
    ];
    let kernels = |(update, averages): (Update, bool)| {
        let limited = update.limited(averages);
        let (measure, rest) = Measure::step(limited);
        [Advance::of(&update).into(), measure.scale().into(), measure.into(), rest.into()]
    };
    updates.into_iter().flat_map(|update| [(update, false), (update, true)]).flat_map(kernels).collect()
}

/// Every rule, in every way it changes the shader.
pub(crate) fn rules() -> Vec<Rule> {
    let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
    vec![
        Rule::Sgd { momentum: 0.9, nesterov: false },
        Rule::Sgd { momentum: 0.9, nesterov: true },
        Rule::Adam { beta1, beta2, eps },
        Rule::AdaHesScale { beta1, beta2, eps },
        Rule::AdaHesScaleGn { beta1, beta2, eps },
        Rule::AdaHesScaleAbs { beta1, beta2, eps, root: true },
        Rule::AdaHesScaleAbs { beta1, beta2, eps, root: false },
        Rule::Sophia { beta1, beta2, gamma: 0.01, eps },
        Rule::RmsProp { beta2, eps, momentum: 0.9 },
        Rule::Lion { beta1, beta2 },
    ]
}

/// The limited updates of one rule, with a diagonal and without, that stand for all where other kernels take updates in.
pub(super) fn limited() -> impl Iterator<Item = Update> {
    let ada = Optimizer::ada_hesscale(0.1).rule;
    [false, true].into_iter().flat_map(move |diagonal| {
        [false, true].map(|averages| Update::new(&ada, 4096, diagonal).limited(averages))
    })
}

/// Every update of the rules, with a diagonal and without, within no limits.
pub(super) fn updates() -> impl Iterator<Item = Update> {
    rules().into_iter().flat_map(|rule| [false, true].map(|diagonal| Update::new(&rule, 4096, diagonal)))
}
