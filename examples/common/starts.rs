//! The command line of what trains on the digits from several starts.

use super::arguments::Arguments;
use super::backend::Device;

/// Its options, for `--help`.
pub(crate) const OPTIONS: &str = "\
Options:
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: a GPU, or else the CPU)
  --cpu            no GPU: the CPU, on all threads
  --list           list the adapters and stop
  --epochs N       epochs of training
  --starts N       random starts, over which results are averaged (default: 3)
  --help           print this";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    List,
    Run(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) device: Device,
    pub(crate) epochs: u64,
    pub(crate) starts: u64,
}

/// Reads the arguments; the error is a message for the user.
pub(crate) fn parse(mut arguments: Arguments, mut epochs: u32) -> Result<Command, String> {
    let (mut adapter, mut cpu, mut list, mut starts) = (None, false, false, 3);
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
    let run = Options { device: Device::new(cpu, adapter)?, epochs: epochs.into(), starts: starts.into() };
    Ok(if list { Command::List } else { Command::Run(run) })
}
