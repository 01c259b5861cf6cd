//! Trains a network on handwritten digits, on the GPU if there is one: the same network from the same start with SGD, Adam,
//! AdaHesScale and AdaHesScaleGN.
//!
//! `cargo run --release --example digits` prints a table and writes `learning_curves.svg`; `-- --model cnn` trains a
//! convolutional network instead, `-- --help` lists options.

#[path = "../common/mod.rs"]
mod common;
mod experiment;
mod network;
mod options;
mod picture;
mod report;

use common::arguments::Arguments;
use common::backend::Backend;
use common::method::METHODS;
use common::outcome::{exit, misused};
use common::{files, list, say};
use experiment::{Experiment, Point};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use options::{Command, Options};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

const PICTURE: &str = "learning_curves.svg";

fn main() -> ExitCode {
    match options::parse(Arguments::of_process()) {
        Err(message) => misused(&message, options::USAGE),
        Ok(Command::Help) => exit(say(options::USAGE)),
        Ok(Command::List) => exit(list()),
        Ok(Command::Train(options)) => exit(train(&options)),
    }
}

fn train(options: &Options) -> Result<(), Box<dyn Error>> {
    files::can_write(Path::new(PICTURE))?;
    let backend = Backend::new(&options.device)?;
    let experiment = Experiment::new(backend, options.network, options.epochs)?;
    if !options.json {
        say(&report::heading(&experiment, options.starts))?;
    }

    // On standard error; indicatif draws nothing if that is not a terminal.
    let all = MultiProgress::new();
    if options.json {
        all.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{prefix:14} {bar:22} {pos:>3}/{len} epochs  {msg}")?;
    let bar = |name| {
        let bar = ProgressBar::new(options.starts * options.epochs as u64).with_style(style.clone());
        all.add(bar.with_prefix(name))
    };
    let bars = METHODS.map(|method| bar(method.name));
    let outcomes = experiment.run(options.starts, |index, point| {
        let Point { test_accuracy, train_loss } = point;
        bars[index].set_message(format!("{:.1}% right, loss {train_loss:.4}", 100.0 * test_accuracy));
        bars[index].inc(1);
    })?;
    bars.iter().for_each(ProgressBar::finish_and_clear);

    // Print the results first, in case the picture cannot be written.
    if options.json {
        outcomes.iter().try_for_each(|outcome| say(&report::json(outcome, &experiment)?))?;
    } else {
        say(&report::table(&outcomes, &experiment))?;
    }
    picture::draw(Path::new(PICTURE), &experiment, &outcomes)
        .map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    if options.json { Ok(()) } else { say(&format!("picture: {PICTURE}")) }
}
