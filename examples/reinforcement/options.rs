//! The command line.

use crate::common::arguments::Arguments;
use crate::common::backend::Device;

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
Usage: reinforcement [options]

Trains a policy to balance a pole (CartPole) by PPO, with AdaHesScale and with Adam; prints a table
and writes reinforcement.svg.

Options:
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: the CPU, which
                   is faster than a GPU at networks of this size)
  --list           list the adapters and stop
  --steps N        steps of the environment for each seed (default: 100000)
  --seeds N        random seeds (default: 3)
  --rate X         learning rate of both optimizers (default: each its own)
  --help           print this";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    List,
    Train(Options),
}

/// How to train.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) device: Device,
    pub(crate) steps: usize,
    pub(crate) seeds: u32,
    pub(crate) rate: Option<f32>,
}

/// Reads the arguments; the error is a message for the user.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let (mut adapter, mut steps, mut seeds, mut rate) = (None, 100_000, 3, None);
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--adapter" => adapter = Some(arguments.value()?),
            "--steps" => steps = arguments.count()? as usize,
            "--seeds" => seeds = arguments.count()?,
            "--rate" => {
                let good = |rate: &f32| rate.is_finite() && *rate > 0.0;
                rate = Some(arguments.parsed("a positive number", good)?);
            }
            "--list" => return Ok(Command::List),
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    let device = Device::new(adapter.is_none(), adapter)?;
    Ok(Command::Train(Options { device, steps, seeds, rate }))
}
