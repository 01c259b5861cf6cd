//! What a trainer is asked for.

use crate::model::{Init, Mode};
use crate::shader::Dtype;

/// How a [`Trainer`](super::Trainer) goes about it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrainerOptions {
    /// Mode of the backward pass; by default the one the optimiser reads.
    pub mode: Option<Mode>,
    /// Curvature is computed on every k-th step, beginning with the first; plain backprop between.
    pub curvature_every: usize,
    /// How weights start.
    pub init: Init,
    /// Decides the initial weights, and what dropout drops.
    pub seed: u64,
    /// Threads of a trainer on the processor; by default as `cpu::Threads::default`.
    pub threads: Option<usize>,
    /// What activations and signals are stored as on a GPU: [`PlanOptions::storage`](crate::PlanOptions::storage).
    pub storage: Dtype,
}

impl Default for TrainerOptions {
    fn default() -> TrainerOptions {
        TrainerOptions {
            mode: None,
            curvature_every: 1,
            init: Init::default(),
            seed: 0,
            threads: None,
            storage: Dtype::default(),
        }
    }
}

impl TrainerOptions {
    /// Mode of the backward pass.
    #[must_use]
    pub fn mode(self, mode: Mode) -> TrainerOptions {
        TrainerOptions { mode: Some(mode), ..self }
    }

    /// Curvature on every k-th step.
    #[must_use]
    pub fn curvature_every(self, curvature_every: usize) -> TrainerOptions {
        TrainerOptions { curvature_every, ..self }
    }

    /// How weights start.
    #[must_use]
    pub fn init(self, init: Init) -> TrainerOptions {
        TrainerOptions { init, ..self }
    }

    /// Decides the initial weights, and what dropout drops.
    #[must_use]
    pub fn seed(self, seed: u64) -> TrainerOptions {
        TrainerOptions { seed, ..self }
    }

    /// Threads of a trainer on the processor.
    #[must_use]
    pub fn threads(self, threads: usize) -> TrainerOptions {
        TrainerOptions { threads: Some(threads), ..self }
    }

    /// What activations and signals are stored as on a GPU.
    #[must_use]
    pub fn storage(self, storage: Dtype) -> TrainerOptions {
        TrainerOptions { storage, ..self }
    }
}
