//! The cost of a whole training step relative to plain SGD's: the cost experiment of the HesScale paper, on the GPU if there is
//! one and else on the CPU.
//!
//! `cargo run --release --example cost` prints a table and writes `cost.svg`; `-- --quick` stops at small networks,
//! `-- --help` lists options.

#[path = "../common/mod.rs"]
mod common;
mod contender;
mod line;
mod measure;
mod network;
mod options;
mod picture;
mod report;

use common::arguments::Arguments;
use common::backend::Backend;
use common::outcome::{exit, misused};
use common::{files, list, say};
use measure::Row;
use options::{Command, Options};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

const PICTURE: &str = "cost.svg";

fn main() -> ExitCode {
    match options::parse(Arguments::of_process()) {
        Err(message) => misused(&message, options::USAGE),
        Ok(Command::Help) => exit(say(options::USAGE)),
        Ok(Command::List) => exit(list()),
        Ok(Command::Measure(options)) => exit(run(&options)),
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    files::can_write(Path::new(PICTURE))?;
    let backend = Backend::new(&options.device)?;
    say(&report::heading(&device(&backend, options.threads)))?;
    let mut series: Vec<Vec<Row>> = Vec::new();
    for &axis in &options.axes {
        let mut rows = Vec::new();
        for network in network::along(axis, options.most)? {
            match measure::measure(&backend, &network, options.effort, options.threads) {
                Ok(row) => {
                    say(&report::line(&row))?;
                    rows.push(row);
                }
                // A large network may not fit on the device; the smaller ones still make a table.
                Err(error) if !rows.is_empty() => {
                    eprintln!("notice: nothing larger than this: {}: {error}", network.name());
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        series.push(rows);
    }
    say(report::NOTES)?;
    say(&report::growth(&series))?;
    picture::draw(Path::new(PICTURE), &series).map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    say(&format!("picture: {PICTURE}"))
}

fn device(backend: &Backend, threads: Option<usize>) -> String {
    match (backend, threads) {
        (Backend::Cpu, Some(threads)) => format!("none: the CPU, {threads} threads"),
        _ => backend.name(),
    }
}
