//! Who learns what, and how well.

use crate::common::backend::Backend;
use crate::task::Task;
use crate::{ppo, streaming};
use hesscale::{Optimizer, Result};
use std::panic::resume_unwind;
use std::thread;

/// How experience becomes steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learning {
    /// From batches, by [`ppo`].
    Ppo,
    /// From each transition as it comes, by [`streaming`].
    Streaming,
}

impl Learning {
    pub(crate) const ALL: [Learning; 2] = [Learning::Ppo, Learning::Streaming];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Learning::Ppo => "PPO",
            Learning::Streaming => "streaming",
        }
    }

    /// Of the environment, for each seed.
    pub(crate) fn steps(self) -> usize {
        match self {
            Learning::Ppo => 100_000,
            Learning::Streaming => 20_000,
        }
    }

    /// The optimisers to compare. The three forms of AdaHesScale scale their steps.
    pub(crate) fn methods(self) -> Vec<(&'static str, Optimizer)> {
        let trust = match self {
            Learning::Ppo => 1e-2,
            Learning::Streaming => 1e-4,
        };
        let rate = match self {
            Learning::Ppo => 1e-3,
            Learning::Streaming => 3e-4,
        };
        let mut methods = vec![
            ("Adam", Optimizer::adam(rate)),
            ("AdaHesScale", Optimizer::ada_hesscale(rate).trust(trust)),
            ("AdaHesScaleGN", Optimizer::ada_hesscale_gn(rate).trust(trust)),
            ("AdaHesScale, |h|", Optimizer::ada_hesscale_abs(rate).root().trust(trust)),
        ];
        if self == Learning::Streaming {
            methods.push(("ObGD", Optimizer::obgd(1.0)));
            methods.push(("adaptive ObGD", Optimizer::adaptive_obgd(1.0)));
        }
        methods
    }
}

/// Returns of episodes, and at which step of the environment they ended.
pub(crate) type Episodes = Vec<(usize, f64)>;

/// Each seed in a thread of its own.
pub(crate) fn train_all(
    backend: &Backend,
    (learning, task): (Learning, Task),
    optimizer: Optimizer,
    seeds: u32,
    steps: usize,
) -> Result<Vec<Episodes>> {
    let run = &|seed: u32| train(backend, learning, task, optimizer, seed.into(), steps);
    thread::scope(|scope| {
        let runs: Vec<_> = (0..seeds).map(|seed| scope.spawn(move || run(seed))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// All episodes that ended within so many steps.
pub(crate) fn train(
    backend: &Backend,
    learning: Learning,
    task: Task,
    optimizer: Optimizer,
    seed: u64,
    steps: usize,
) -> Result<Episodes> {
    match learning {
        Learning::Ppo => {
            let mut agent = ppo::Agent::new(backend, task, optimizer, seed, steps)?;
            while !agent.is_done() {
                agent.update()?;
            }
            Ok(agent.episodes)
        }
        Learning::Streaming => {
            let mut agent = streaming::Agent::new(task, optimizer, seed)?;
            (0..steps).try_for_each(|_| agent.step())?;
            Ok(agent.episodes)
        }
    }
}

/// How many episodes a mean is of.
pub(crate) const RECENT: usize = 20;

/// The mean return of the last [`RECENT`] episodes by then; none before there are as many.
pub(crate) fn recent(episodes: &[(usize, f64)], step: usize) -> Option<f64> {
    let ended = episodes.partition_point(|(when, _)| *when <= step);
    Some(mean(&episodes[ended.checked_sub(RECENT)?..ended]))
}

/// How many episodes show that a task is solved.
pub(crate) const TRIALS: usize = 100;

/// The step at which the last [`TRIALS`] episodes first had a mean return of `enough`.
pub(crate) fn solved(episodes: &[(usize, f64)], enough: f64) -> Option<usize> {
    let last = episodes.windows(TRIALS).find(|last| mean(last) >= enough)?;
    Some(last[TRIALS - 1].0)
}

fn mean(episodes: &[(usize, f64)]) -> f64 {
    episodes.iter().map(|(_, sum)| sum).sum::<f64>() / episodes.len() as f64
}

/// Mean and deviation of the sample.
pub(crate) fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}
