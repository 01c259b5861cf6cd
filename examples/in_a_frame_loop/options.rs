//! The command line.

use crate::arguments::Arguments;
use std::path::PathBuf;
use std::time::Duration;

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
Usage: in_a_frame_loop [options]

Renders offscreen, and trains between frames: a network learns a photograph by AdaHesScale, Adam
and SGD. Writes strip.png, its tiles as step_N.png, and psnr.svg.

Options:
  --window       show it in a window instead: AdaHesScale, until the window is closed
  --steps N      steps of training by each optimizer (default: 1000)
  --budget MS    milliseconds that a frame may take, drawing and training together (default: 100,
                 in a window 16)
  --out DIR      where the pictures go (default: the current directory)
  --help         print this";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Run(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) window: bool,
    pub(crate) steps: u32,
    pub(crate) budget: Duration,
    pub(crate) out: PathBuf,
}

/// Reads the arguments; the error is a message for the user.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let (mut window, mut steps, mut budget, mut out) = (false, 1000, None, PathBuf::new());
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--window" => window = true,
            "--steps" => steps = arguments.count()?,
            "--budget" => budget = Some(arguments.count()?),
            "--out" => out = arguments.value()?.into(),
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    let budget = budget.unwrap_or(if window { 16 } else { 100 });
    Ok(Command::Run(Options { window, steps, budget: Duration::from_millis(budget.into()), out }))
}
