//! What curvature costs as networks grow: the cost experiments of the HesScale paper, whole training steps over SGD's.
//!
//! `cargo run --release --example cost` prints tables and writes `cost.svg`; `-- --help` lists options.

#[allow(dead_code)] // what only examples that train use
#[path = "../common/mod.rs"]
mod common;
mod measure;
mod options;
mod picture;
mod report;
mod setting;

use common::arguments::Arguments;
use common::{exit, list, misused, say};
use hesscale::{Context, Request};
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
    let request = Request { adapter: options.adapter.clone(), ..Request::default() };
    let context = pollster::block_on(Context::request_with(&request))?;
    say(&format!("adapter: {}", context.describe()))?;
    let mut all = Vec::new();
    for experiment in setting::EXPERIMENTS {
        say(&report::heading(&experiment))?;
        let mut rows = Vec::new();
        for size in experiment.sizes.iter().copied().filter(|size| *size <= (options.most)(&experiment)) {
            match measure::row(&context, &experiment, size, options.seconds) {
                Ok(row) => {
                    say(&report::line(&row))?;
                    rows.push(row);
                }
                Err(limit @ hesscale::Error::Limit { .. }) => say(&format!("{size}: does not fit: {limit}"))?,
                Err(error) => return Err(error.into()),
            }
        }
        say(&report::growth(&rows))?;
        all.push((experiment, rows));
    }
    say(&format!("\n{}", report::NOTES))?;
    picture::draw(Path::new(PICTURE), &context.describe(), &all)
        .map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    say(&format!("picture: {PICTURE}"))
}
