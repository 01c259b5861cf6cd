//! A network learns to read handwritten digits on the GPU: the same network from the same start, by SGD, Adam,
//! AdaHesScale and AdaHesScaleGN.
//!
//! `cargo run --release --example digits` prints a table and writes `learning_curves.svg`; `-- --help` lists options.

mod experiment;
mod options;
mod picture;
mod report;

use experiment::{Backend, CONTENDERS, Experiment, Point};
use hesscale::Context;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use options::{Command, Device, Options};
use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

const PICTURE: &str = "learning_curves.svg";

const CPU_NOTICE: &str = "notice: training on the CPU reference in f32 (--cpu), in plain loops on one core; no GPU is \
used, and the times say nothing about one";

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let command = match options::parse(arguments) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("{message}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let outcome = match command {
        Command::Help => say(options::USAGE),
        Command::List => list(),
        Command::Train(options) => train(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hesscale::Error::NoAdapter { .. }) = error.downcast_ref() {
                eprintln!("`--list` shows what there is; `--cpu` trains on the CPU reference instead.");
            }
            ExitCode::FAILURE
        }
    }
}

/// `println!`, but for a reader that has gone away, which is an error and no panic.
fn say(text: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

fn list() -> Result<(), Box<dyn Error>> {
    let adapters = pollster::block_on(Context::adapters());
    if adapters.is_empty() {
        eprintln!("no adapter; `cargo xtask demo` installs a software one on Debian and Ubuntu");
    }
    adapters.iter().try_for_each(|adapter| say(adapter))
}

fn train(options: &Options) -> Result<(), Box<dyn Error>> {
    let backend = match &options.device {
        Device::Cpu => {
            eprintln!("{CPU_NOTICE}");
            Backend::Cpu
        }
        Device::Gpu(adapter) => Backend::gpu(adapter.clone())?,
    };
    let experiment = Experiment::new(backend, options.epochs)?;
    if !options.json {
        say(&report::heading(&experiment, options.starts))?;
    }

    // On the standard error; indicatif itself draws nothing where that is no terminal.
    let all = MultiProgress::new();
    if options.json {
        all.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{prefix:14} {bar:22} {pos:>3}/{len} epochs  {msg}")?;
    let bar = |name| {
        let bar = ProgressBar::new(options.starts * options.epochs as u64).with_style(style.clone());
        all.add(bar.with_prefix(name))
    };
    let bars = CONTENDERS.map(|contender| bar(contender.name));
    let outcomes = experiment.run(options.starts, |index, point| {
        let Point { test_accuracy, train_loss } = point;
        bars[index].set_message(format!("{:.1}% right, loss {train_loss:.4}", 100.0 * test_accuracy));
        bars[index].inc(1);
    })?;
    bars.iter().for_each(ProgressBar::finish_and_clear);

    // Results first: they outlive a picture that cannot be written.
    if options.json {
        outcomes.iter().try_for_each(|outcome| say(&report::json(outcome, &experiment)?))?;
    } else {
        say(&report::table(&outcomes))?;
    }
    picture::draw(Path::new(PICTURE), &outcomes)
        .map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    if options.json { Ok(()) } else { say(&format!("picture: {PICTURE}")) }
}
