//! The clockwork: each contender's steps next to SGD's, again and again.

use crate::common::backend::Backend;
use crate::contender::{self, CONTENDERS, Contender};
use crate::network::{Axis, Network};
use hesscale::Result;
use hesscale::model::Targets;
use hesscale::train::{Trainer, TrainerOptions};
use std::time::{Duration, Instant};

/// How often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    least: usize,
    most: usize,
    /// Between these two, the turns of one contender take about this long.
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

/// Timed steps of a turn. One more before them is not timed: it brings back what the other's turn drove from the caches.
const TIMED: usize = 4;

/// Medians of a contender's steps, and of SGD's next to them, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) own: f64,
    pub(crate) sgd: f64,
}

impl Pair {
    pub(crate) fn ratio(self) -> f64 {
        self.own / self.sgd
    }
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) axis: Axis,
    pub(crate) size: usize,
    pub(crate) network: String,
    pub(crate) parameters: usize,
    pub(crate) pairs: [Pair; CONTENDERS],
}

impl Row {
    pub(crate) fn sgd(&self) -> f64 {
        median(self.pairs.map(|pair| pair.sgd).to_vec())
    }
}

/// All contenders, one at a time, so that memory holds two trainers.
pub(crate) fn measure(backend: &Backend, network: &Network, effort: Effort) -> Result<Row> {
    let mut pairs = [Pair { own: f64::NAN, sgd: f64::NAN }; CONTENDERS];
    for (pair, contender) in pairs.iter_mut().zip(contender::all()) {
        *pair = contest(backend, network, contender, effort)?;
    }
    let (axis, size, parameters) = (network.axis, network.size(), network.model.parameter_count());
    Ok(Row { axis, size, network: network.name(), parameters, pairs })
}

fn contest(backend: &Backend, network: &Network, contender: Contender, effort: Effort) -> Result<Pair> {
    let trainer = |contender: Contender| {
        let options = TrainerOptions::default().mode(contender.mode);
        backend.trainer(&network.model, contender.optimizer, options)
    };
    let mut trainers = [trainer(contender::sgd())?, trainer(contender)?];
    let mut times = [Vec::new(), Vec::new()];
    let mut turn = |times: &mut [Vec<f64>; 2]| -> Result<()> {
        trainers.iter_mut().zip(times).try_for_each(|(trainer, times)| steps(trainer, times))
    };
    // Compiles, allocates, fills caches.
    turn(&mut times)?;
    let start = Instant::now();
    turn(&mut times)?;
    let turns = effort.turns(start.elapsed());
    times = Default::default();
    for _ in 0..turns {
        turn(&mut times)?;
    }
    let [sgd, own] = times.map(median);
    Ok(Pair { own, sgd })
}

/// One step that is not timed, then [`TIMED`] that are: written, recorded, submitted and waited for, each by itself.
fn steps(trainer: &mut Trainer, times: &mut Vec<f64>) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut numbers = |count| -> Vec<f32> { (0..count).map(|_| random.f32()).collect() };
    let (inputs, targets) = (numbers(trainer.model().inputs()), numbers(trainer.model().outputs()));
    for step in 0..=TIMED {
        let start = Instant::now();
        trainer.step(&inputs, Targets::Values(&targets))?;
        trainer.wait()?;
        if step > 0 {
            times.push(1e3 * start.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
