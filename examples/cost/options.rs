//! The command line.

use crate::common::arguments::{Arguments, named};
use crate::common::backend::Device;
use crate::measure::Effort;
use crate::network::{AXES, Axis};

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
Usage: cost [options]

Times a whole training step at batch 1 over plain SGD's, while networks grow in depth (64-512x(L+1)-100,
L = 1 to 128) and in width (256 to 8192); prints a table and writes cost.svg.

Options:
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: a GPU, or else the CPU)
  --cpu            no GPU: the CPU, on all threads
  --threads N      of the CPU
  --list           list the adapters and stop
  --only AXIS      depth or width
  --most N         only networks of at most N million parameters
  --reps N         exactly N turns of five steps
  --quick          fewer turns, at most 4 million parameters: rougher figures
  --help           print this";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    List,
    Measure(Options),
}

/// What to measure, and how.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) device: Device,
    pub(crate) axes: Vec<Axis>,
    /// Parameters.
    pub(crate) most: usize,
    pub(crate) effort: Effort,
    pub(crate) threads: Option<usize>,
}

/// Reads the arguments; the error is a message for the user.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let (mut adapter, mut cpu, mut list, mut quick) = (None, false, false, false);
    let (mut axes, mut most, mut turns) = (AXES.to_vec(), None, None);
    let mut threads = None;
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--adapter" => adapter = Some(arguments.value()?),
            "--only" => axes = vec![*named("axis", &arguments.value()?, &AXES, |axis| axis.name())?],
            "--most" => most = Some(arguments.count()? as usize),
            "--reps" => turns = Some(arguments.count()? as usize),
            "--threads" => threads = Some(arguments.count()? as usize),
            "--cpu" => cpu = true,
            "--list" => list = true,
            "--quick" => quick = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    let millions = most.unwrap_or(if quick { 4 } else { 100 });
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let effort = turns.map_or(effort, Effort::exactly);
    let device = Device::new(cpu, adapter)?;
    let measure = Options { device, axes, most: millions.saturating_mul(1_000_000), effort, threads };
    Ok(if list { Command::List } else { Command::Measure(measure) })
}
