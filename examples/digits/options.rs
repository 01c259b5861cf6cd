//! The command line.

use crate::common::arguments::{Arguments, named};
use crate::common::backend::Device;
use crate::network::{NETWORKS, Network};

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
Usage: digits [options]

Trains a network on handwritten digits by SGD, Adam, AdaHesScale and AdaHesScaleGN; prints a
table and writes learning_curves.svg.

Options:
  --model NAME     mlp: 64-128-64-10 tanh, or cnn: two convolutions, one dense layer (default: mlp)
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: a GPU, or else the CPU)
  --cpu            no GPU: the CPU, on all threads
  --list           list the adapters and stop
  --json           one JSON object per optimizer, each on a line, and nothing else on the standard output
  --epochs N       epochs of training (default: 40; 15 for cnn)
  --starts N       random starts, over which results are averaged (default: 3)
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
    pub(crate) json: bool,
    pub(crate) network: Network,
    pub(crate) epochs: usize,
    pub(crate) starts: u64,
}

/// Reads the arguments; the error is a message for the user.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let (mut adapter, mut cpu, mut list, mut json) = (None, false, false, false);
    let (mut model, mut epochs, mut starts) = (NETWORKS[0].name.to_owned(), None, 3);
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--model" => model = arguments.value()?,
            "--adapter" => adapter = Some(arguments.value()?),
            "--epochs" => epochs = Some(arguments.count()? as usize),
            "--starts" => starts = arguments.count()?,
            "--cpu" => cpu = true,
            "--list" => list = true,
            "--json" => json = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    let network = *named("model", &model, &NETWORKS, |network| network.name)?;
    let (device, epochs) = (Device::new(cpu, adapter)?, epochs.unwrap_or(network.epochs));
    let train = Options { device, json, network, epochs, starts: starts.into() };
    Ok(if list { Command::List } else { Command::Train(train) })
}
