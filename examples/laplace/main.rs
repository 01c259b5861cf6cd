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
mod posterior;
mod report;

use common::arguments::Arguments;
use common::backend::Backend;
use common::outcome::{exit, misused};
use common::starts::{self, Command, Options};
use common::{files, list, say};
use experiment::Experiment;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const PICTURE: &str = "laplace.svg";

const EPOCHS: u32 = 300;

const USAGE: &str = "\
Usage: laplace [options]

Trains a network on few handwritten digits for 300 epochs and fits a posterior over its last layer; prints how well
calibrated it is before and after, and writes laplace.svg.

";

fn usage() -> String {
    [USAGE, starts::OPTIONS].concat()
}

fn main() -> ExitCode {
    match starts::parse(Arguments::of_process(), EPOCHS) {
        Err(message) => misused(&message, &usage()),
        Ok(Command::Help) => exit(say(&usage())),
        Ok(Command::List) => exit(list()),
        Ok(Command::Run(options)) => exit(run(&options)),
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
