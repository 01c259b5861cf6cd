//! The command line.

use crate::measure::Effort;
use std::path::PathBuf;

/// Printed by `--help`, and when started by `cargo test`.
pub(crate) const USAGE: &str = "\
Usage: cargo bench --bench vs_backprop [-- options]

Times a full step in each mode beside plain backprop; prints a table and writes vs_backprop.svg.

Options:
  --json             one JSON object per row, each on a line, and nothing else on the standard output
  --quick            fewer repetitions: rougher figures
  --reps N           exactly N repetitions
  --only SUBSTRING   only workloads with SUBSTRING in their name (`512x9`, `batch 32`)
  --adapter NAME     the first adapter with NAME in its name, driver or backend (default: wgpu's choice)
  --cpu              no GPU: the crate's executor for the processor, on one thread and on all, taking turns; no picture
  --threads N        with --cpu: on N threads only
  --norms            normalisations on the CPU beside copies of as many bytes, and nothing else
  --trace FILE       also the first workload's HesScale pass by kernel: a table, and FILE for chrome://tracing or Perfetto
  --help             print this";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Measure(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) json: bool,
    pub(crate) effort: Effort,
    pub(crate) only: Option<String>,
    pub(crate) adapter: Option<String>,
    pub(crate) cpu: bool,
    pub(crate) norms: bool,
    pub(crate) threads: Option<usize>,
    pub(crate) trace: Option<PathBuf>,
}

/// Reads the arguments; a value may follow its option as the next argument or after `=`. The error is a message for the user.
///
/// `cargo bench` adds `--bench`. `cargo test` does not: without it and any option of ours there is nothing to do.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut options = Options {
        json: false,
        effort: Effort::FULL,
        only: None,
        adapter: None,
        cpu: false,
        norms: false,
        threads: None,
        trace: None,
    };
    let (mut known, mut unknown) = (false, None);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match name {
            "--reps" | "--only" | "--adapter" | "--threads" | "--trace" => {
                let value = attached.or_else(|| arguments.next()).ok_or(format!("{name} needs a value"))?;
                match name {
                    "--reps" => options.effort = Effort::exactly(count(name, &value)?),
                    "--threads" => options.threads = Some(count(name, &value)?),
                    "--only" => options.only = Some(value),
                    "--trace" => options.trace = Some(value.into()),
                    _ => options.adapter = Some(value),
                }
            }
            "--bench" => {}
            "--json" => options.json = true,
            "--cpu" => options.cpu = true,
            "--norms" => options.norms = true,
            "--quick" => options.effort = Effort::QUICK,
            "--help" | "-h" => return Ok(Command::Help),
            _ => {
                unknown = Some(argument);
                continue;
            }
        }
        known = true;
    }
    match unknown {
        _ if !known => Ok(Command::Help),
        Some(argument) => Err(format!("unknown option `{argument}`")),
        None => Ok(Command::Measure(options)),
    }
}

fn count(name: &str, value: &str) -> Result<usize, String> {
    let number = value.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{name} must be a whole number of at least 1, not `{value}`"))
}
