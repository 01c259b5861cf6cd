//! The options of a trainer.

use crate::model::{Groups, Init, Mode, Schedule};
use crate::shader::Dtype;

/// How a [`Trainer`](super::Trainer) goes about it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct TrainerOptions {
    /// Mode of the backward pass; by default the one the optimiser reads.
    pub mode: Option<Mode>,
    /// Curvature is computed on every k-th step, beginning with the first; plain backprop between.
    pub curvature_every: usize,
    /// How weights start.
    pub init: Init,
    /// Decides the initial weights, and what dropout drops.
    pub seed: u64,
    /// Threads of a trainer on the CPU; by default as `cpu::Threads::default`.
    pub threads: Option<usize>,
    /// What activations and signals are stored as on a GPU: [`PlanOptions::storage`](crate::PlanOptions::storage).
    pub storage: Dtype,
    /// How the learning rate changes over the steps; by default it does not.
    pub schedule: Option<Schedule>,
    /// Groups of parameters: which are trained, and how.
    pub groups: Groups,
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
            schedule: None,
            groups: Groups::default(),
        }
    }
}

impl TrainerOptions {
    setters! {
        /// Mode of the backward pass.
        mode(mode: Mode) => Some(mode);
        /// Curvature on every k-th step.
        curvature_every(curvature_every: usize) => curvature_every;
        /// How weights start.
        init(init: Init) => init;
        /// Decides the initial weights, and what dropout drops.
        seed(seed: u64) => seed;
        /// Threads of a trainer on the CPU.
        threads(threads: usize) => Some(threads);
        /// What activations and signals are stored as on a GPU.
        storage(storage: Dtype) => storage;
        /// How the learning rate changes over the steps.
        schedule(schedule: Schedule) => Some(schedule);
        /// Groups of parameters.
        groups(groups: Groups) => groups;
    }
}
