//! The interface to the device that a trainer uses: a GPU, or the CPU.

use super::Between;
use crate::Result;
#[cfg(feature = "cpu")]
use crate::cpu::Threads;
use crate::model::{Limits, Mode, Noise, OptimizerState, Targets, Transition};
use crate::plan::State;
use std::fmt::Debug;

/// Parameters, gradient, diagonal and the optimiser's memory of one model, wherever they lie, and the passes over them.
///
/// What a caller gave has been checked by the trainer: slices have the lengths of the model, targets are of its kind.
pub(super) trait Engine: Debug + wgpu::WasmNotSendSync {
    fn describe(&self) -> String;

    /// A forward and a backward pass, and the optimiser's step if it is asked for: without it running statistics stay as they are.
    fn pass(&mut self, task: &Task<'_>) -> Result<()>;

    /// How many passes over a [`Part`] each may be added up before their results are read.
    fn most_parts(&self) -> usize;

    /// The same with the optimiser's step, and `act` before it. Where `act` fails nothing is updated.
    fn step_with(&mut self, task: &Task<'_>, act: Act<'_>) -> Result<()>;

    /// What lies on a GPU, if this is one.
    fn state(&self) -> Option<&State>;

    /// The threads of the CPU, if this is one.
    #[cfg(feature = "cpu")]
    fn threads(&self) -> Option<&Threads> {
        None
    }

    /// Gradient and diagonal of the last [`Engine::pass`] without an update; they may be longer than the model's.
    fn results(&self, diagonal: bool) -> Result<(Vec<f32>, Vec<f32>)>;

    /// How many passes [`Engine::each`] may take at a time.
    fn most_each(&self) -> usize {
        1
    }

    /// Gradient and diagonal of each of these passes without an update, one row behind the other; a row may be longer than the model's.
    /// For models without running statistics.
    fn each(&mut self, tasks: &[Task<'_>], diagonal: bool) -> Result<(Vec<f32>, Vec<f32>)> {
        let (mut gradients, mut diagonals) = (Vec::new(), Vec::new());
        for task in tasks {
            self.pass(task)?;
            let (gradient, diagonal) = self.results(diagonal)?;
            gradients.extend(gradient);
            diagonals.extend(diagonal);
        }
        Ok((gradients, diagonals))
    }

    /// The loss of the last pass; `None` before the first. `Error::Diverged` where an update has left something not finite.
    fn loss(&self, wait: Wait) -> Answer<'_, Option<f32>>;

    /// The outputs for `inputs`, at most `batch` samples at a time.
    fn predict<'a>(&'a mut self, inputs: &'a [f32], batch: usize, wait: Wait) -> Answer<'a, Vec<f32>>;

    fn parameters(&self, wait: Wait) -> Answer<'_, Vec<f32>>;

    fn set_parameters(&mut self, flat: &[f32]) -> Result<()>;

    fn statistics(&self, wait: Wait) -> Answer<'_, Vec<f32>>;

    fn set_statistics(&mut self, flat: &[f32]) -> Result<()>;

    /// The mean of the parameters; `None` where none is kept.
    fn average(&self, wait: Wait) -> Answer<'_, Option<Vec<f32>>>;

    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<()>;

    fn set_limits(&mut self, limits: Limits) -> Result<()>;

    fn set_transition(&mut self, transition: Transition) -> Result<()>;

    /// What else a checkpoint holds: the optimiser's moments and counts, and the state of random numbers.
    fn memory(&self) -> Result<(OptimizerState<f32>, Noise)>;

    /// The state of random numbers alone.
    fn noise(&self) -> Result<Noise>;

    fn set_noise(&mut self, noise: Noise) -> Result<()>;

    /// Continues from what [`Engine::memory`] returned.
    fn restore(&mut self, memory: OptimizerState<f32>, noise: Noise) -> Result<()>;

    /// Blocks until all passes are done.
    fn wait(&self) -> Result<()>;
}

#[derive(Debug)]
pub(super) struct Task<'a> {
    /// The trainer's mode.
    pub mode: Mode,
    /// Whether this pass has the mode's curvature, or is plain backprop.
    pub curvature: bool,
    /// Whether other passes of this trainer have no curvature.
    pub lazy: bool,
    /// Whether the optimiser's step follows.
    pub update: bool,
    pub batch: usize,
    pub inputs: &'a [f32],
    pub targets: Targets<'a>,
    /// One for each sample.
    pub weights: Option<&'a [f32]>,
    /// Of a batch that is a part of a whole.
    pub part: Option<Part>,
}

/// A batch whose gradient and diagonal are added to those of others. Its weights are the samples' shares of the loss of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The largest share of all, without its sign.
    pub share: f32,
    /// How many samples they all are.
    pub samples: usize,
    /// Whether it begins the sum.
    pub first: bool,
}

/// What happens between gradient and update.
pub(super) type Act<'a> = &'a mut dyn FnMut(Between<'_>) -> Result<()>;

/// How an answer of the device is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    /// The future is ready when it is first polled.
    Block,
    Yield,
}

/// A result that arrives once the device has answered.
#[cfg(not(target_arch = "wasm32"))]
pub(super) type Answer<'a, T> = futures::future::BoxFuture<'a, Result<T>>;
/// A result that arrives once the device has answered. In a browser it stays on its thread.
#[cfg(target_arch = "wasm32")]
pub(super) type Answer<'a, T> = futures::future::LocalBoxFuture<'a, Result<T>>;

/// The random numbers of a seed, from the first.
pub(super) fn noise(seed: u64) -> Noise {
    Noise { seed: (seed ^ (seed >> 32)) as u32, step: 0 }
}
