//! The command line.

use std::path::PathBuf;

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
Usage: verify [options]

Compares what this machine's GPU computes with the reference in f64, tensor by tensor, by
max|got - want| / max|want|. Exit status: 0 all within the bound, 1 not all (or no adapter),
2 wrong usage or vectors that cannot be read.

Options:
  --vectors DIR    compare with the vectors of DIR instead (format: tests/golden/README.md);
                   a network that is not supported counts as a failure
  --only TEXT      only checks with TEXT in their name
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: wgpu's choice)
  --list           list the adapters and stop
  --plant-error    self-test of the comparison: in every check one value from the GPU is moved by
                   1e-3 of its tensor's largest. All must fail: exit status 1; 3 if one does not
  --help           print this";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    List,
    Verify(Options),
}

#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) adapter: Option<String>,
    pub(crate) vectors: Option<PathBuf>,
    pub(crate) only: Option<String>,
    pub(crate) plant: bool,
}

/// Reads the arguments; a value may follow its option as the next argument or after `=`. The error is a message for the user.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let (mut options, mut list) = (Options::default(), false);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match name {
            "--adapter" | "--vectors" | "--only" => {
                let value = attached.or_else(|| arguments.next()).ok_or(format!("{name} needs a value"))?;
                match name {
                    "--adapter" => options.adapter = Some(value),
                    "--only" => options.only = Some(value),
                    _ => options.vectors = Some(value.into()),
                }
            }
            _ if attached.is_some() => return Err(format!("unknown option `{argument}`")),
            "--list" => list = true,
            "--plant-error" => options.plant = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{argument}`")),
        }
    }
    Ok(if list { Command::List } else { Command::Verify(options) })
}
