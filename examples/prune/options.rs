//! The command line.

use crate::common::arguments::Arguments;
use crate::common::backend::Device;

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
Usage: prune [options]

Trains a network on handwritten digits and prunes it by magnitude, gradient and curvature; prints a table of
accuracies and writes prune.svg.

Options:
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: a GPU, or else the CPU)
  --cpu            no GPU: the CPU, on all threads
  --list           list the adapters and stop
  --epochs N       epochs of training (default: 40)
  --starts N       random starts, over which results are averaged (default: 3)
  --help           print this";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    List,
    Prune(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) device: Device,
    pub(crate) epochs: u64,
    pub(crate) starts: u64,
}

/// Reads the arguments; the error is a message for the user.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let (mut adapter, mut cpu, mut list) = (None, false, false);
    let (mut epochs, mut starts) = (40, 3);
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--adapter" => adapter = Some(arguments.value()?),
            "--epochs" => epochs = arguments.count()?,
            "--starts" => starts = arguments.count()?,
            "--cpu" => cpu = true,
            "--list" => list = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    let device = Device::new(cpu, adapter)?;
    let prune = Options { device, epochs: epochs.into(), starts: starts.into() };
    Ok(if list { Command::List } else { Command::Prune(prune) })
}
