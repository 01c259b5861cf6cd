//! Reinforcement learning: PPO on CartPole with AdaHesScale and with Adam, by the same program.
//!
//! `cargo run --release --example reinforcement` prints a table and writes `reinforcement.svg`; `-- --help` lists options.

mod cart_pole;
#[path = "../common/chart.rs"]
mod chart;
#[path = "../common/mod.rs"]
mod common;
mod options;
mod ppo;

use cart_pole::{OBSERVED, SOLVED};
use chart::{Curve, Panel};
use common::arguments::Arguments;
use common::backend::{Backend, Device};
use common::outcome::{exit, misused};
use common::{files, list, say};
use hesscale::train::TrainerOptions;
use hesscale::{Optimizer, Result};
use options::{Command, Options};
use plotters::prelude::SeriesLabelPosition;
use ppo::Agent;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const PICTURE: &str = "reinforcement.svg";

/// Each at the best of the learning rates 3e-4, 1e-3, 3e-3 and 1e-2.
fn methods() -> [(&'static str, Optimizer); 2] {
    [("AdaHesScale", Optimizer::ada_hesscale(1e-3)), ("Adam", Optimizer::adam(3e-3))]
}

/// What became of one seed.
#[derive(Debug, Clone)]
struct Run {
    /// The mean return of the last 20 episodes, as training went on; none before there are as many.
    curve: Vec<(usize, Option<f64>)>,
    /// Environment steps until the last 100 episodes had the mean return that counts as solved.
    solved: Option<usize>,
    /// The mean return of the likeliest actions afterwards.
    end: f64,
}

fn main() -> ExitCode {
    match options::parse(Arguments::of_process()) {
        Err(message) => misused(&message, options::USAGE),
        Ok(Command::Help) => exit(say(options::USAGE)),
        Ok(Command::List) => exit(list()),
        Ok(Command::Train(options)) => exit(train(&options)),
    }
}

fn train(options: &Options) -> std::result::Result<(), Box<dyn std::error::Error>> {
    files::can_write(Path::new(PICTURE))?;
    let backend = Backend::new(&options.device)?;
    say(&format!("CartPole, PPO, {} steps, {} seeds; {}", options.steps, options.seeds, backend.name()))?;
    say("\n| optimizer | return, mean (each seed) | steps until solved |\n|---|---|---|")?;
    let mut curves = Vec::new();
    for (name, optimizer) in methods() {
        let optimizer = options.rate.map_or(optimizer, |rate| optimizer.learning_rate(rate));
        let seeds = 0..u64::from(options.seeds);
        let runs =
            seeds.map(|seed| run(&backend, optimizer, seed, options.steps)).collect::<Result<Vec<_>>>()?;
        say(&row(name, &runs))?;
        curves.push(Curve { name: name.into(), points: mean(&runs) });
    }
    say("\n| one action, batch 1 | median, µs |\n|---|---|")?;
    say(&latency(&Backend::new(&Device::Cpu)?)?)?;
    if let Backend::Gpu(_) = backend {
        say(&latency(&backend)?)?;
    }
    let (x, y) = ("step of the environment", "return, mean of 20 episodes and all seeds");
    let panel = Panel { x, y, curves, log: (false, false), legend: SeriesLabelPosition::LowerRight };
    chart::draw(Path::new(PICTURE), "CartPole by PPO", &[panel])
        .map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    say(&format!("\npicture: {PICTURE}"))
}

fn run(backend: &Backend, optimizer: Optimizer, seed: u64, steps: usize) -> Result<Run> {
    let mut agent = Agent::new(backend, optimizer, seed, steps)?;
    let (mut curve, mut solved) = (Vec::new(), None);
    while !agent.is_done() {
        agent.update()?;
        curve.push((agent.steps(), recent(&agent, 20)));
        if recent(&agent, 100).is_some_and(|mean| mean >= SOLVED) {
            solved.get_or_insert(agent.steps());
        }
    }
    Ok(Run { curve, solved, end: agent.evaluate(20)? })
}

/// The mean of the seeds' curves, every few updates, where all have one.
fn mean(runs: &[Run]) -> Vec<(f64, f64)> {
    let updates = runs.iter().map(|run| run.curve.len()).min().unwrap_or(0);
    let at = |update: usize| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| run.curve[update].1).collect();
        let values = values?;
        let step = runs.first()?.curve[update].0;
        Some((step as f64, values.iter().sum::<f64>() / values.len() as f64))
    };
    (0..updates).step_by(8).filter_map(at).collect()
}

/// The mean return of the last `count` episodes.
fn recent(agent: &Agent, count: usize) -> Option<f64> {
    let first = agent.episodes.len().checked_sub(count)?;
    let sum: u32 = agent.episodes[first..].iter().map(|(_, steps)| steps).sum();
    Some(f64::from(sum) / count as f64)
}

fn row(name: &str, runs: &[Run]) -> String {
    let mean = runs.iter().map(|run| run.end).sum::<f64>() / runs.len() as f64;
    let each: Vec<String> = runs.iter().map(|run| format!("{:.0}", run.end)).collect();
    let solved = runs.iter().map(|run| run.solved.map_or("never".into(), |steps| steps.to_string()));
    format!("| {name} | {mean:.0} ({}) | {} |", each.join(", "), solved.collect::<Vec<_>>().join(", "))
}

/// The time of one action.
fn latency(backend: &Backend) -> Result<String> {
    let mut policy = backend.trainer(&ppo::actor()?, Optimizer::sgd(0.0), TrainerOptions::default())?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        policy.predict(&[0.01; OBSERVED])?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let median: Duration = times[times.len() / 2];
    Ok(format!("| {} | {:.1} |", policy.device(), 1e6 * median.as_secs_f64()))
}
