//! The command line.

use crate::common::arguments::Arguments;
use crate::common::backend::Device;

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
Usage: laplace [options]

Trains a network on few handwritten digits and fits a posterior over its last layer; prints how well calibrated
it is before and after, and writes laplace.svg.

Options:
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: a GPU, or else the CPU)
  --cpu            no GPU: the CPU, on all threads
  --list           list the adapters and stop
  --epochs N       epochs of training (default: 300)
  --starts N       random starts, over which results are averaged (default: 3)
  --help           print this";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    List,
    Fit(Options),
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
    let (mut epochs, mut starts) = (300, 3);
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
    let fit = Options { device, epochs: epochs.into(), starts: starts.into() };
    Ok(if list { Command::List } else { Command::Fit(fit) })
}
