//! The options of an executor.

use crate::At;
use crate::host::Threads;
use crate::model::{Groups, Mode, Optimizer};

/// What an [`Executor`](super::Executor) is for.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[must_use]
pub struct ExecutorOptions {
    /// Mode of the backward pass; `None` for inference.
    pub mode: Option<Mode>,
    /// The signals to save: see [`Executor::signal`](super::Executor::signal).
    pub signals: Vec<At>,
    /// The activations to keep: see [`Executor::activation`](super::Executor::activation).
    pub activations: Vec<At>,
    /// The threads to use; by default its own, as of [`Threads::default`].
    pub threads: Option<Threads>,
    /// Groups of parameters: of a layer all of whose parameters are frozen no gradient is computed, and it stays 0.
    pub groups: Groups,
    /// Whether to look for NaN and infinities in what a pass is given, as a context does with
    /// [`ContextOptions::checked`](crate::gpu::ContextOptions::checked): parameters, inputs, targets and signals, each number once a pass.
    pub checked: bool,
}

impl ExecutorOptions {
    /// Forward and backward passes in `mode`.
    pub fn training(mode: Mode) -> ExecutorOptions {
        ExecutorOptions { mode: Some(mode), ..ExecutorOptions::default() }
    }

    /// The same in the mode whose diagonal the optimiser reads: [`Rule::mode`](crate::model::Rule::mode).
    pub fn for_optimizer(optimizer: &Optimizer) -> ExecutorOptions {
        ExecutorOptions::training(optimizer.rule.mode())
    }

    /// Forward passes only, as the network predicts: dropout does nothing.
    pub fn inference() -> ExecutorOptions {
        ExecutorOptions::default()
    }

    /// Saves the signal at `at`, in a buffer that it shares with no signal that comes after it in the backward pass.
    pub fn signal(mut self, at: At) -> ExecutorOptions {
        self.signals.push(at);
        self
    }

    /// Keeps the activation at `at`.
    pub fn activation(mut self, at: At) -> ExecutorOptions {
        self.activations.push(at);
        self
    }

    setters! {
        /// Uses these threads.
        threads(threads: Threads) => Some(threads);
        /// Looks for NaN and infinities: see [`ExecutorOptions::checked`].
        checked() => true;
        /// Groups of parameters, of which some are frozen.
        groups(groups: Groups) => groups;
    }
}
