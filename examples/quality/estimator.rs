//! The estimators to compare.

use hesscale::model::{Noise, Targets};
use hesscale::reference::{exact_ggn_diagonal, hutchinson_diagonal, pass, pass_with_noise};
use hesscale::{Mode, Model, Result};

/// An estimator of the Hessian diagonal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Estimator {
    /// A mode of this crate.
    Pass(Mode),
    /// The exact diagonal of the generalised Gauss-Newton matrix: one reverse pass per logit.
    ExactGgn,
    /// Hutchinson's estimate from this many samples; AdaHessian uses one.
    Hutchinson(usize),
    /// `g²`, as in Adam.
    SquaredGradient,
    /// Zero: an estimator above this line is worse than none.
    Zero,
}

impl Estimator {
    /// In the order of the table; HesScale first, because the others are relative to it.
    pub(crate) const ALL: [Estimator; 12] = [
        Estimator::Pass(Mode::HesScale),
        Estimator::Pass(Mode::HesScaleGn),
        Estimator::Pass(Mode::HesScaleR1),
        Estimator::Pass(Mode::HesScaleR2),
        Estimator::Pass(Mode::HesScaleS1),
        Estimator::Pass(Mode::HesScaleS2),
        Estimator::Pass(Mode::Bl89),
        Estimator::ExactGgn,
        Estimator::Hutchinson(1),
        Estimator::Hutchinson(50),
        Estimator::SquaredGradient,
        Estimator::Zero,
    ];

    /// For the picture.
    pub(crate) fn name(self) -> String {
        match self {
            Estimator::Pass(Mode::HesScale) => "HesScale".into(),
            Estimator::Pass(Mode::HesScaleGn) => "HesScaleGN".into(),
            Estimator::Pass(Mode::HesScaleR1) => "HesScale-R(1)".into(),
            Estimator::Pass(Mode::HesScaleR2) => "HesScale-R(2)".into(),
            Estimator::Pass(Mode::Bl89) => "BL89".into(),
            Estimator::Pass(Mode::HesScaleS1) => "HesScale-S(1)".into(),
            Estimator::Pass(Mode::HesScaleS2) => "HesScale-S(2)".into(),
            Estimator::Pass(mode) => mode.name().into(),
            Estimator::ExactGgn => "exact GGN".into(),
            Estimator::Hutchinson(1) => "Hutchinson, 1 sample".into(),
            Estimator::Hutchinson(samples) => format!("Hutchinson, {samples} samples"),
            Estimator::SquaredGradient => "squared gradient".into(),
            Estimator::Zero => "zero".into(),
        }
    }

    /// For the table's head.
    pub(crate) fn short(self) -> String {
        match self {
            Estimator::Pass(Mode::HesScaleGn) => "GN".into(),
            Estimator::Pass(Mode::HesScaleR1) => "R(1)".into(),
            Estimator::Pass(Mode::HesScaleR2) => "R(2)".into(),
            Estimator::Pass(Mode::HesScaleS1) => "S(1)".into(),
            Estimator::Pass(Mode::HesScaleS2) => "S(2)".into(),
            Estimator::Hutchinson(samples) => format!("Hutch {samples}"),
            Estimator::SquaredGradient => "g²".into(),
            other => other.name(),
        }
    }

    /// The estimate in the model's flat layout. `seed` is for the random ones.
    pub(crate) fn diagonal(
        self,
        model: &Model,
        parameters: &[f64],
        input: &[f64],
        targets: Targets<'_>,
        seed: u64,
    ) -> Result<Vec<f64>> {
        match self {
            Estimator::Pass(mode) => {
                let noise = Noise { seed: seed as u32, step: 0 };
                Ok(pass_with_noise(model, mode, parameters, input, targets, noise)?.diagonal)
            }
            Estimator::ExactGgn => exact_ggn_diagonal(model, parameters, input, targets),
            Estimator::Hutchinson(samples) => {
                hutchinson_diagonal(model, parameters, input, targets, samples, seed)
            }
            Estimator::SquaredGradient => {
                let gradient = pass(model, Mode::None, parameters, input, targets)?.gradient;
                Ok(gradient.into_iter().map(|g| g * g).collect())
            }
            Estimator::Zero => Ok(vec![0.0; model.flat_len()]),
        }
    }
}
