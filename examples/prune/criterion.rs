//! What says how much a weight matters.

use crate::common::backend::Backend;
use hesscale::train::{Dataset, TrainerOptions};
use hesscale::{Mode, Model, Optimizer, Result};

/// Batch size of the passes over the training set.
const BATCH: usize = 512;

/// The weights with the least saliency go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Criterion {
    /// `|w|`
    Magnitude,
    /// `|g w|`, the loss's change to first order.
    Gradient,
    /// `½ g² w²`, the mean of g² over samples: the empirical Fisher matrix in place of the Hessian.
    Fisher,
    /// `½ |h| w²`, the loss's change to second order where the gradient is 0. A loss that curves downwards changes as well.
    Curvature(Mode),
}

impl Criterion {
    pub(crate) const ALL: [Criterion; 6] = [
        Criterion::Magnitude,
        Criterion::Gradient,
        Criterion::Fisher,
        Criterion::Curvature(Mode::HesScale),
        Criterion::Curvature(Mode::HesScaleGn),
        Criterion::Curvature(Mode::HesScaleR2),
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Criterion::Magnitude => "|w|",
            Criterion::Gradient => "|g w|",
            Criterion::Fisher => "½ g² w², Fisher",
            Criterion::Curvature(Mode::HesScale) => "½ |h| w², HesScale",
            Criterion::Curvature(Mode::HesScaleGn) => "½ |h| w², HesScaleGN",
            Criterion::Curvature(Mode::HesScaleR2) => "½ |h| w², HesScale-R(2)",
            Criterion::Curvature(mode) => mode.name(),
        }
    }

    /// Of each parameter, from all training samples, in the flat layout.
    pub(crate) fn saliency(
        self,
        backend: &Backend,
        model: &Model,
        parameters: &[f32],
        train: &Dataset,
    ) -> Result<Vec<f32>> {
        let mode = if let Criterion::Curvature(mode) = self { mode } else { Mode::None };
        let options = TrainerOptions::default().mode(mode);
        let mut trainer = backend.trainer(model, Optimizer::sgd(0.0), options)?;
        trainer.set_parameters(parameters)?;
        let with = |numbers: Vec<f32>, saliency: fn(f32, f32) -> f32| {
            numbers.into_iter().zip(parameters).map(|(x, w)| saliency(x, *w)).collect()
        };
        Ok(match self {
            Criterion::Magnitude => parameters.iter().map(|w| w.abs()).collect(),
            Criterion::Gradient => with(trainer.gradient_over(train, BATCH)?.0, |g, w| (g * w).abs()),
            Criterion::Fisher => with(trainer.squared_gradients(train)?, |squares, w| 0.5 * squares * w * w),
            Criterion::Curvature(_) => {
                with(trainer.diagonal_over(train, BATCH)?, |h, w| 0.5 * h.abs() * w * w)
            }
        })
    }
}
