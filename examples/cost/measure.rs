//! The measurement: each contender's steps interleaved with SGD's.

use crate::common::backend::Backend;
use crate::contender::{self, CONTENDERS, Contender};
use crate::network::{Axis, Network};
use hesscale::Result;
use hesscale::model::Targets;
use hesscale::train::{Trainer, TrainerOptions};
use std::time::{Duration, Instant};

/// Numbers of repetitions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    least: usize,
    most: usize,
    /// Within these bounds, one contender's turns take about this long.
    about: Duration,
}

impl Effort {
    pub(crate) const FULL: Effort = Effort { least: 5, most: 200, about: Duration::from_secs(3) };
    pub(crate) const QUICK: Effort = Effort { least: 5, most: 50, about: Duration::from_millis(500) };

    pub(crate) fn exactly(turns: usize) -> Effort {
        Effort { least: turns, most: turns, about: Duration::ZERO }
    }

    fn turns(self, one: Duration) -> usize {
        let fitting = self.about.as_secs_f64() / one.as_secs_f64().max(1e-6);
        (fitting as usize).clamp(self.least, self.most)
    }
}

/// Timed steps of a turn, of which the fastest counts, because others are interrupted on a busy machine. One untimed step before
/// them reloads the caches after the other's turn.
const TIMED: usize = 4;

/// Medians over turns: of a contender's milliseconds, of SGD's, and of their ratio in each turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    pub(crate) own: f64,
    pub(crate) sgd: f64,
    pub(crate) ratio: f64,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) axis: Axis,
    pub(crate) size: usize,
    pub(crate) network: String,
    pub(crate) parameters: usize,
    pub(crate) pairs: [Comparison; CONTENDERS],
}

impl Row {
    pub(crate) fn sgd(&self) -> f64 {
        median(self.pairs.map(|pair| pair.sgd).to_vec())
    }
}

/// All contenders, one at a time, so that memory holds two trainers. `threads`: CPU threads, if it runs on the CPU.
pub(crate) fn measure(
    backend: &Backend,
    network: &Network,
    effort: Effort,
    threads: Option<usize>,
) -> Result<Row> {
    let mut pairs = [Comparison { own: f64::NAN, sgd: f64::NAN, ratio: f64::NAN }; CONTENDERS];
    for (pair, contender) in pairs.iter_mut().zip(contender::all()) {
        let trainer = |contender: Contender| {
            let mut options = TrainerOptions::default().mode(contender.mode);
            options.threads = threads;
            backend.trainer(&network.model, contender.optimizer, options)
        };
        *pair = contest([trainer(contender::sgd())?, trainer(contender)?], effort)?;
    }
    let (axis, size, parameters) = (network.axis, network.size(), network.model.parameter_count());
    Ok(Row { axis, size, network: network.name(), parameters, pairs })
}

/// SGD against a contender.
fn contest([mut sgd, mut own]: [Trainer; 2], effort: Effort) -> Result<Comparison> {
    let mut turn = || -> Result<[f64; 2]> { Ok([steps(&mut sgd)?, steps(&mut own)?]) };
    // Warm-up: compiles, allocates, fills caches.
    turn()?;
    let start = Instant::now();
    turn()?;
    let turns = effort.turns(start.elapsed());
    let times = (0..turns).map(|_| turn()).collect::<Result<Vec<_>>>()?;
    let median_of = |of: fn(&[f64; 2]) -> f64| median(times.iter().map(of).collect());
    Ok(Comparison { own: median_of(|t| t[1]), sgd: median_of(|t| t[0]), ratio: median_of(|t| t[1] / t[0]) })
}

/// Milliseconds of a step: write the batch, record, submit and wait.
fn steps(trainer: &mut Trainer) -> Result<f64> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut numbers = |count| -> Vec<f32> { (0..count).map(|_| random.f32()).collect() };
    let (inputs, targets) = (numbers(trainer.model().inputs()), numbers(trainer.model().outputs()));
    let mut fastest = f64::INFINITY;
    for step in 0..=TIMED {
        let start = Instant::now();
        trainer.step(&inputs, Targets::Values(&targets))?;
        trainer.wait()?;
        if step > 0 {
            fastest = fastest.min(1e3 * start.elapsed().as_secs_f64());
        }
    }
    Ok(fastest)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
