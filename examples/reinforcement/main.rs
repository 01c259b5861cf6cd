//! Reinforcement learning: PPO, and an actor-critic from a stream, on CartPole and on a pendulum, with AdaHesScale in three forms, Adam and
//! ObGD.
//!
//! `cargo run --release --example reinforcement` prints a table and writes `reinforcement.svg`; `-- --help` lists options.

mod cart_pole;
#[path = "../common/chart.rs"]
mod chart;
#[path = "../common/mod.rs"]
mod common;
mod experiment;
mod options;
mod pendulum;
mod policy;
mod ppo;
mod streaming;
mod task;

use chart::{Curve, Panel};
use common::arguments::Arguments;
use common::backend::{Backend, Device};
use common::outcome::{exit, misused};
use common::{files, list, say};
use experiment::{Episodes, Learning, RECENT, TRIALS, moments, recent, solved};
use hesscale::train::TrainerOptions;
use hesscale::{Optimizer, Result};
use options::{Command, Options};
use plotters::prelude::SeriesLabelPosition;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use task::Task;

const PICTURE: &str = "reinforcement.svg";
/// Points of a curve.
const POINTS: usize = 40;

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
    let seeds = options.seeds;
    say(&format!("{seeds} seeds; {}", backend.name()))?;
    say(&format!(
        "\n| learning, task, steps | optimizer | return, mean ± deviation (each seed) | step at which {TRIALS} episodes had solved it |"
    ))?;
    say("|---|---|---|---|")?;
    let mut panels = Vec::new();
    for learning in Learning::ALL.into_iter().filter(|one| options.learning.is_none_or(|only| *one == only)) {
        let steps = options.steps.unwrap_or(learning.steps());
        for task in Task::ALL.into_iter().filter(|one| options.task.is_none_or(|only| *one == only)) {
            let mut curves = Vec::new();
            for (name, optimizer) in learning.methods() {
                let optimizer = options.changed(optimizer);
                let runs = experiment::train_all(&backend, (learning, task), optimizer, seeds, steps)?;
                say(&row(learning, task, name, &runs, steps))?;
                curves.push(curve(name, &runs, steps));
            }
            let (x, y) = ("step of the environment", panel_of(learning, task));
            panels.push(Panel { x, y, curves, log: (false, false), legend: SeriesLabelPosition::LowerRight });
        }
    }
    say("\n| one action, batch 1 | median, µs |\n|---|---|")?;
    say(&latency(&Backend::new(&Device::Cpu)?)?)?;
    if let Backend::Gpu(_) = backend {
        say(&latency(&backend)?)?;
    }
    let title = format!("Return, mean of {RECENT} episodes and {seeds} seeds, with the deviation of these");
    chart::draw(Path::new(PICTURE), &title, &panels)
        .map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    say(&format!("\npicture: {PICTURE}"))
}

fn panel_of(learning: Learning, task: Task) -> &'static str {
    match (learning, task) {
        (Learning::Ppo, Task::CartPole) => "PPO, CartPole",
        (Learning::Ppo, Task::Pendulum) => "PPO, pendulum",
        (Learning::Streaming, Task::CartPole) => "streaming, CartPole",
        (Learning::Streaming, Task::Pendulum) => "streaming, pendulum",
    }
}

/// Mean and deviation of the seeds, where all have a mean of episodes.
fn curve(name: &str, runs: &[Episodes], steps: usize) -> Curve {
    let at = |point: usize| {
        let step = steps * point / POINTS;
        let values: Option<Vec<f64>> = runs.iter().map(|run| recent(run, step)).collect();
        let (mean, deviation) = moments(&values?);
        Some(((step as f64, mean), deviation))
    };
    let (points, spread) = (1..=POINTS).filter_map(at).unzip();
    Curve { name: name.into(), points, spread }
}

fn row(learning: Learning, task: Task, name: &str, runs: &[Episodes], steps: usize) -> String {
    let ends: Vec<f64> = runs.iter().filter_map(|run| recent(run, steps)).collect();
    let (mean, deviation) = moments(&ends);
    let each: Vec<String> = ends.iter().map(|end| format!("{end:.0}")).collect();
    let solved = task.solved().map(|enough| {
        let when = runs.iter().map(|run| solved(run, enough).map_or("never".into(), |step| step.to_string()));
        when.collect::<Vec<_>>().join(", ")
    });
    let what = format!("{}, {}, {steps}", learning.name(), task.name());
    let (each, solved) = (each.join(", "), solved.unwrap_or_default());
    format!("| {what} | {name} | {mean:.0} ± {deviation:.0} ({each}) | {solved} |")
}

/// The time of one action.
fn latency(backend: &Backend) -> Result<String> {
    let model = ppo::actor(Task::CartPole)?;
    let mut policy = backend.trainer(&model, Optimizer::sgd(0.0), TrainerOptions::default())?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        policy.predict(&[0.01; cart_pole::OBSERVED])?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let median: Duration = times[times.len() / 2];
    Ok(format!("| {} | {:.1} |", policy.device(), 1e6 * median.as_secs_f64()))
}
