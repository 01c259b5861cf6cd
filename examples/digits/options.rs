//! The command line.

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Usage: digits [options]

Trains a 64-128-64-10 tanh network on handwritten digits by SGD, Adam, AdaHesScale and
AdaHesScaleGN; prints a table and writes learning_curves.svg.

Options:
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: wgpu's choice)
  --cpu            no GPU: the CPU reference in f32, on one core
  --list           list the adapters and stop
  --json           one JSON object per optimizer, each on a line, and nothing else on the standard output
  --epochs N       epochs of training (default: 40)
  --starts N       random starts, over which results are averaged (default: 3)
  --help           print this";

/// A command line, understood.
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
    pub(crate) epochs: usize,
    pub(crate) starts: u64,
}

/// What to train on.
#[derive(Debug)]
pub(crate) enum Device {
    /// An adapter by a part of its name, or wgpu's choice.
    Gpu(Option<String>),
    Cpu,
}

/// Reads the arguments; a value may follow its option as the next argument or after `=`. The error is for the user.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let (mut adapter, mut cpu, mut list) = (None, false, false);
    let (mut json, mut epochs, mut starts) = (false, 40, 3);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match name {
            "--adapter" | "--epochs" | "--starts" => {
                let value = attached.or_else(|| arguments.next()).ok_or(format!("{name} needs a value"))?;
                match name {
                    "--adapter" => adapter = Some(value),
                    "--epochs" => epochs = count(name, &value)?,
                    _ => starts = count(name, &value)?,
                }
            }
            _ if attached.is_some() => return Err(format!("unknown option `{argument}`")),
            "--cpu" => cpu = true,
            "--list" => list = true,
            "--json" => json = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{argument}`")),
        }
    }
    let device = match (cpu, adapter) {
        (true, Some(_)) => return Err("--cpu and --adapter exclude each other".into()),
        (true, None) => Device::Cpu,
        (false, adapter) => Device::Gpu(adapter),
    };
    let train = Options { device, json, epochs: epochs as usize, starts: starts.into() };
    Ok(if list { Command::List } else { Command::Train(train) })
}

fn count(name: &str, value: &str) -> Result<u32, String> {
    let number = value.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{name} must be a whole number of at least 1, not `{value}`"))
}
