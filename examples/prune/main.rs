//! Prunes a network that has learnt handwritten digits: which weights can go? By size, by the gradient, or by the curvature as
//! optimal brain damage (LeCun, Denker & Solla, 1989) has it, with the Hessian diagonal of each mode of this crate.
//!
//! `cargo run --release --example prune` prints a table and writes `prune.svg`; `-- --help` lists options.

#[path = "../common/chart.rs"]
mod chart;
#[path = "../common/mod.rs"]
mod common;
mod criterion;
mod experiment;
mod options;
mod report;

use common::arguments::Arguments;
use common::backend::Backend;
use common::{exit, files, list, misused, say};
use experiment::Experiment;
use options::{Command, Options};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const PICTURE: &str = "prune.svg";

fn main() -> ExitCode {
    match options::parse(Arguments::of_process()) {
        Err(message) => misused(&message, options::USAGE),
        Ok(Command::Help) => exit(say(options::USAGE)),
        Ok(Command::List) => exit(list()),
        Ok(Command::Prune(options)) => exit(run(&options)),
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    files::can_write(Path::new(PICTURE))?;
    let begin = Instant::now();
    let experiment = Experiment::new(Backend::new(&options.device)?, options.epochs)?;
    say(&report::heading(&experiment, options.starts))?;
    let outcomes = experiment.run(options.starts)?;
    say(&report::table(&outcomes))?;
    say(&format!("{:.1} s", begin.elapsed().as_secs_f64()))?;
    chart::draw(Path::new(PICTURE), report::TITLE, &report::panels(&outcomes))
        .map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    say(&format!("picture: {PICTURE}"))
}
