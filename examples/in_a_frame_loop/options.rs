//! The command line.

use crate::arguments::Arguments;
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Usage: in_a_frame_loop [options]

Renders offscreen, and trains between frames: a network learns a photograph by AdaHesScale, Adam
and SGD. Writes strip.png, its tiles as step_N.png, and psnr.svg.

Options:
  --steps N      steps of training by each optimizer (default: 1000)
  --budget MS    milliseconds that a frame may take, drawing and training together (default: 100)
  --out DIR      where the pictures go (default: the current directory)
  --help         print this";

/// A command line, understood.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Run(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) steps: u32,
    pub(crate) budget: Duration,
    pub(crate) out: PathBuf,
}

/// Reads the arguments; the error is for the user.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let mut options = Options { steps: 1000, budget: Duration::from_millis(100), out: PathBuf::new() };
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--steps" => options.steps = arguments.count()?,
            "--budget" => options.budget = Duration::from_millis(arguments.count()?.into()),
            "--out" => options.out = arguments.value()?.into(),
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    Ok(Command::Run(options))
}
