//! How sure may a network be? A Gaussian posterior over the last layer's weights, from the Hessian diagonal that this crate
//! computes exactly there (a diagonal Laplace approximation after training), against the plain network and a tuned temperature.
//!
//! `cargo run --release --example laplace` prints a table and writes `laplace.svg`; `-- --help` lists options.

mod calibration;
#[path = "../common/chart.rs"]
mod chart;
#[path = "../common/mod.rs"]
mod common;
mod experiment;
mod options;
mod posterior;
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

const PICTURE: &str = "laplace.svg";

fn main() -> ExitCode {
    match options::parse(Arguments::of_process()) {
        Err(message) => misused(&message, options::USAGE),
        Ok(Command::Help) => exit(say(options::USAGE)),
        Ok(Command::List) => exit(list()),
        Ok(Command::Fit(options)) => exit(run(&options)),
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    files::can_write(Path::new(PICTURE))?;
    let begin = Instant::now();
    let experiment = Experiment::new(Backend::new(&options.device)?, options.epochs)?;
    say(&report::heading(&experiment, options.starts))?;
    let outcome = experiment.run(options.starts)?;
    say(&report::table(&outcome))?;
    say(&format!("{:.1} s", begin.elapsed().as_secs_f64()))?;
    chart::draw(Path::new(PICTURE), report::TITLE, &report::panels(&outcome))
        .map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    say(&format!("picture: {PICTURE}"))
}
