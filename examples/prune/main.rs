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

const PICTURE: &str = "prune.svg";

const EPOCHS: u32 = 40;

const USAGE: &str = "\
Usage: prune [options]

Trains a network on handwritten digits for 40 epochs and prunes it by magnitude, gradient and curvature; prints a
table of accuracies and writes prune.svg.

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
    let outcomes = experiment.run(options.starts)?;
    say(&report::table(&outcomes))?;
    say(&format!("{:.1} s", begin.elapsed().as_secs_f64()))?;
    chart::draw(Path::new(PICTURE), report::TITLE, &report::panels(&outcomes))
        .map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    say(&format!("picture: {PICTURE}"))
}
