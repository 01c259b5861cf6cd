//! What an executor is made for.

use crate::host::Threads;
use crate::model::Mode;

/// What an [`Executor`](super::Executor) is for.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ExecutorOptions {
    /// Mode of the backward pass; `None` for inference.
    pub mode: Option<Mode>,
    /// Whether the signals of all layers are saved: see [`Executor::signal`](super::Executor::signal).
    pub signals: bool,
    /// The threads to use; by default its own, as of [`Threads::default`].
    pub threads: Option<Threads>,
}

impl ExecutorOptions {
    /// Forward and backward passes in `mode`.
    #[must_use]
    pub fn training(mode: Mode) -> ExecutorOptions {
        ExecutorOptions { mode: Some(mode), ..ExecutorOptions::default() }
    }

    /// Forward passes only, as the network predicts: dropout does nothing.
    #[must_use]
    pub fn inference() -> ExecutorOptions {
        ExecutorOptions::default()
    }

    /// Saves the signals of all layers and of the input.
    #[must_use]
    pub fn signals(self) -> ExecutorOptions {
        ExecutorOptions { signals: true, ..self }
    }

    /// Uses these threads.
    #[must_use]
    pub fn threads(self, threads: Threads) -> ExecutorOptions {
        ExecutorOptions { threads: Some(threads), ..self }
    }
}
