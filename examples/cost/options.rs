//! The command line.

use crate::common::arguments::Arguments;
use crate::setting::Experiment;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Usage: cost [options]

Times training steps at batch 1 over SGD's while networks get deeper and wider; prints tables and
writes cost.svg.

Options:
  --quick          the smaller half of the networks, fewer repetitions: rougher figures
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: wgpu's choice)
  --list           list the adapters and stop
  --help           print this";

/// A command line, understood.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    List,
    Measure(Options),
}

/// How to measure.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) adapter: Option<String>,
    /// About so long for each network.
    pub(crate) seconds: f64,
    /// The largest size of an experiment.
    pub(crate) most: fn(&Experiment) -> usize,
}

/// Reads the arguments; the error is for the user.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let mut options = Options { adapter: None, seconds: 5.0, most: |_| usize::MAX };
    let mut list = false;
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--adapter" => options.adapter = Some(arguments.value()?),
            "--quick" => {
                options.seconds = 1.0;
                options.most = |experiment| experiment.sizes[experiment.sizes.len() / 2];
            }
            "--list" => list = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    Ok(if list { Command::List } else { Command::Measure(options) })
}
