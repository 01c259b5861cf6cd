//! The command line.

use crate::common::arguments::Arguments;
use crate::common::backend::Device;
use crate::experiment::Learning;
use crate::task::Task;
use hesscale::Optimizer;

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
Usage: reinforcement [options]

Trains policies to balance a pole (CartPole) and to swing one up (a pendulum), by PPO and from a
stream of single transitions, with AdaHesScale in three forms, Adam and ObGD; prints a table and
writes reinforcement.svg. All of it takes minutes.

Options:
  --adapter NAME   PPO on the first adapter with NAME in its name, driver or backend (default: the CPU,
                   which is faster than a GPU at networks of this size); streams are always learnt
                   from on the CPU
  --list           list the adapters and stop
  --steps N        steps of the environment for each seed (default: 100000 in PPO, 20000 in a stream)
  --seeds N        random seeds (default: 5)
  --rate X         learning rate of all optimizers (default: each its own)
  --trust X        δ of the forms of AdaHesScale, which scales their steps (default: 0.01 in PPO, 0.0001
                   in a stream)
  --learning NAME  only `ppo` or `streaming`
  --task NAME      only `cartpole` or `pendulum`
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
    /// Those of the way of learning where there are none.
    pub(crate) steps: Option<usize>,
    pub(crate) seeds: u32,
    pub(crate) rate: Option<f32>,
    pub(crate) trust: Option<f32>,
    /// All of them where there is none.
    pub(crate) learning: Option<Learning>,
    pub(crate) task: Option<Task>,
}

/// Reads the arguments; the error is a message for the user.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let (mut adapter, mut steps, mut seeds, mut rate) = (None, None, 5, None);
    let (mut trust, mut learning, mut task) = (None, None, None);
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--adapter" => adapter = Some(arguments.value()?),
            "--steps" => steps = Some(arguments.count()? as usize),
            "--seeds" => seeds = arguments.count()?,
            "--rate" => {
                rate = Some(arguments.parsed("a positive number", positive)?);
            }
            "--trust" => trust = Some(arguments.parsed("a positive number", positive)?),
            "--learning" => {
                learning = Some(named(&Learning::ALL, Learning::name, &arguments.value()?)?);
            }
            "--task" => task = Some(named(&Task::ALL, Task::name, &arguments.value()?)?),
            "--list" => return Ok(Command::List),
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    let device = Device::new(adapter.is_none(), adapter)?;
    Ok(Command::Train(Options { device, steps, seeds, rate, trust, learning, task }))
}

impl Options {
    /// The optimiser with what was asked for.
    pub(crate) fn changed(&self, optimizer: Optimizer) -> Optimizer {
        let optimizer = self.rate.map_or(optimizer, |rate| optimizer.learning_rate(rate));
        match (self.trust, optimizer.limits.trust) {
            (Some(trust), Some(_)) => optimizer.trust(trust),
            _ => optimizer,
        }
    }
}

fn positive(number: &f32) -> bool {
    number.is_finite() && *number > 0.0
}

/// The one of that name, whatever its case.
fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, given: &str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| name(*one).eq_ignore_ascii_case(given));
    found.ok_or_else(|| {
        format!("`{given}` is none of {}", all.iter().map(|one| name(*one)).collect::<Vec<_>>().join(", "))
    })
}
