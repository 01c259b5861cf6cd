//! Small random problems.

use crate::common::golden::OwnedTargets;
use crate::common::inputs;
use hesscale::model::{ClassTargets, Reduction, Variance};
use hesscale::reference::{PassOutput, exact_hessian_diagonal, pass};
use hesscale::{Activation, Loss, Mode, Model};

/// A model with parameters and one batch.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) model: Model,
    pub(crate) parameters: Vec<f64>,
    pub(crate) input: Vec<f64>,
    pub(crate) targets: OwnedTargets,
}

impl Problem {
    /// Everything drawn from `seed`: parameters and input uniform in ±1, targets as the loss takes them.
    pub(crate) fn new(model: Model, batch: usize, seed: u64) -> Problem {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut parameters = vec![0.0; model.flat_len()];
        for p in model.parameters() {
            parameters[p.range()].fill_with(|| random.f64() * 2.0 - 1.0);
        }
        let input = inputs(&model, batch, || random.f64());
        let targets = targets(&model, batch, &mut random);
        Problem { model, parameters, input, targets }
    }

    pub(crate) fn pass(&self, mode: Mode) -> PassOutput<f64> {
        pass(&self.model, mode, &self.parameters, &self.input, self.targets.view()).unwrap()
    }

    pub(crate) fn exact(&self) -> Vec<f64> {
        exact_hessian_diagonal(&self.model, &self.parameters, &self.input, self.targets.view()).unwrap()
    }
}

/// Random targets of the kind that the model's loss takes.
pub(crate) fn targets(model: &Model, batch: usize, random: &mut fastrand::Rng) -> OwnedTargets {
    let (classes, len) = (model.classes() as u32, batch * model.target_len());
    match model.loss() {
        loss if loss.takes_classes() => {
            OwnedTargets::Classes((0..len).map(|_| random.u32(0..classes)).collect())
        }
        Loss::PpoDiscrete { .. } | Loss::PpoGaussian { .. } => {
            let actions = model.target_len() - 2;
            let discrete = matches!(model.loss(), Loss::PpoDiscrete { .. });
            let mut row = || -> Vec<f32> {
                let action = |random: &mut fastrand::Rng| match discrete {
                    true => random.u32(0..classes) as f32,
                    false => random.f32() * 3.0 - 1.5,
                };
                let mut row: Vec<f32> = (0..actions).map(|_| action(random)).collect();
                // An old log-probability that leaves some ratios unclipped, and an advantage.
                row.extend([-(0.5 + 1.5 * random.f32()) * actions as f32, random.f32() * 4.0 - 2.0]);
                row
            };
            OwnedTargets::Values((0..batch).flat_map(|_| row()).collect())
        }
        // In [0, 1): good as binary targets' probabilities, as soft masses, and as numbers.
        _ => OwnedTargets::Values((0..len).map(|_| random.f32()).collect()),
    }
}

/// Weights of samples, of both signs.
pub(crate) fn sample_weights(batch: usize, random: &mut fastrand::Rng) -> Vec<f32> {
    (0..batch).map(|_| random.f32() * 4.0 - 1.5).collect()
}

/// Every loss with every option that changes its formula, for `outputs` logits (even).
pub(crate) fn losses(outputs: usize) -> Vec<Loss> {
    let weights: Vec<f32> = (0..outputs).map(|c| 0.25 * c as f32).collect();
    let cross_entropy = |targets, class_weights, label_smoothing, reduction| Loss::SoftmaxCrossEntropy {
        targets,
        reduction,
        class_weights,
        label_smoothing,
        ignore_index: Some(1),
    };
    vec![
        Loss::cross_entropy().into(),
        cross_entropy(ClassTargets::ClassIndex, Some(weights.clone()), 0.1, Reduction::Mean),
        cross_entropy(ClassTargets::ClassIndex, None, 1.0, Reduction::Sum),
        cross_entropy(ClassTargets::Soft, Some(weights), 0.3, Reduction::Mean),
        cross_entropy(ClassTargets::Soft, None, 0.0, Reduction::Sum),
        Loss::mse(),
        Loss::Mse { reduction: Reduction::Sum },
        Loss::BceWithLogits { reduction: Reduction::Mean, pos_weight: None },
        Loss::BceWithLogits { reduction: Reduction::Sum, pos_weight: None },
        Loss::GaussianNll { reduction: Reduction::Mean, var: Variance::Log },
        Loss::GaussianNll { reduction: Reduction::Sum, var: Variance::Log },
        Loss::GaussianNll { reduction: Reduction::Mean, var: Variance::Softplus },
        Loss::huber(0.6),
        Loss::huber(0.4).sum(),
        Loss::l1(),
        Loss::relative_mse(0.05),
        Loss::bce_with_pos_weight((0..outputs).map(|c| 0.5 + c as f32).collect::<Vec<_>>()),
    ]
}

/// PPO, which has no HesScale-R, over an even number of outputs.
pub(crate) fn policies() -> [Loss; 3] {
    [Loss::ppo_discrete(0.2, 0.0), Loss::ppo_discrete(0.3, 0.05).sum(), Loss::ppo_gaussian(0.2, 0.05)]
}

/// Means over weights of every kind: of samples alone, of classes, without an ignored class, over soft targets.
pub(crate) fn weighted_means(outputs: usize) -> [Loss; 5] {
    let weights: Vec<f32> = (0..outputs).map(|c| 0.5 + 0.25 * c as f32).collect();
    let by_class = Loss::cross_entropy().class_weights(weights).weighted_mean();
    [
        Loss::mse().weighted_mean(),
        Loss::cross_entropy().ignore_index(1).weighted_mean().into(),
        by_class.clone().into(),
        by_class.soft().label_smoothing(0.1).into(),
        Loss::ppo_discrete(0.2, 0.05).weighted_mean(),
    ]
}

/// All of them, and every mode that one of them has.
pub(crate) fn all_losses(outputs: usize) -> impl Iterator<Item = (Loss, Vec<Mode>)> {
    let all = losses(outputs).into_iter().chain(policies()).chain(weighted_means(outputs));
    all.map(|loss| {
        let of_policies = matches!(loss, Loss::PpoDiscrete { .. } | Loss::PpoGaussian { .. });
        let modes = Mode::ALL.into_iter().filter(|mode| !of_policies || mode.rank() == 0);
        (loss, modes.collect())
    })
}

/// Dense layers of these widths with the activation between them, none at the end.
pub(crate) fn mlp(widths: &[usize], activation: Activation, loss: impl Into<Loss>) -> Model {
    let mut builder = Model::builder([widths[0]]);
    for (i, width) in widths[1..].iter().enumerate() {
        if i > 0 {
            builder = builder.act(activation);
        }
        builder = builder.dense(*width);
    }
    builder.loss(loss).unwrap()
}
