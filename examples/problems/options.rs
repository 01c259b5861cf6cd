//! The command line.

use crate::common::arguments::{Arguments, named};
use crate::common::backend::Device;
use crate::common::method::{METHODS, Method};
use crate::problem::{PROBLEMS, Problem};
use crate::training::Schedule;
use std::path::PathBuf;

/// The text of `--help`.
pub(crate) const USAGE: &str = "\
Usage: problems PROBLEM (--data DIR | --synthetic) [options]

Trains a network of the paper's experiments, a residual network, a vision transformer or a denoiser. Problems:
  mnist-mlp, fashion-mlp                           784-1000-500-100-10 tanh
  cifar10-3c3d, cifar100-3c3d, cifar100-allcnnc    convolutional networks
  cifar10-resnet20, cifar10-resnet20-groups        ResNet-20, with batch or group normalisation
  cifar10-vit                                      a vision transformer of 12 blocks
  cifar10-unet                                     a U-Net that takes noise out of the images

Data:
  --data DIR         where the data set's files are; an error says which are missing and where to get them
  --synthetic        made-up data of the same shape (2,000 images to learn, 500 to test)

Options:
  --optimizer NAME   sgd (momentum 0.9), adam, adahesscale or adahesscalegn (default: adahesscale)
  --lr RATE          learning rate (default: depends on problem and optimizer, untuned)
  --eps E            what AdaHesScale and AdaHesScaleGN add to a second derivative's root mean square (default:
                     1e-8; 0.01 for cifar100-allcnnc)
  --clip RHO         clip updates at RHO learning rates; `off` for no limit (default: off for sgd and adam, 10 for the others)
  --batch N          images a step (default: 128; 256 for cifar100-allcnnc, 64 for cifar10-unet)
  --epochs N         epochs (default: 10 for the MLPs, 50 for 3C3D, 20 for the U-Net, 100 for the others)
  --steps N          stop after N steps, whatever the epochs
  --seed N           initial weights, order of images, made-up data (default: 0)
  --checkpoint FILE  save there after each epoch and at the end
  --every N          save every N steps instead
  --resume           go on from the checkpoint, bit for bit on the same device; its seed counts, and its
                     learning rate unless --lr is given; problem, --batch, kind of data and whether updates are clipped
                     must be its own: --clip again, with any number, where it was given
  --adapter NAME     the first adapter with NAME in its name, driver or backend (default: a GPU, or else the CPU)
  --cpu              no GPU: the CPU, on all threads
  --list             list the adapters and stop
  --help             print this";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    List,
    Train(Box<Options>),
}

/// What to train, on what, and how.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) problem: Problem,
    /// `None`: made-up data.
    pub(crate) data: Option<PathBuf>,
    pub(crate) device: Device,
    pub(crate) method: Method,
    pub(crate) learning_rate: f32,
    /// The user's own, not the problem's.
    pub(crate) rate_is_given: bool,
    pub(crate) eps: f32,
    /// Instead of the optimizer's own limits: ρ, or none.
    pub(crate) clip: Option<Option<f32>>,
    pub(crate) seed: u32,
    pub(crate) resume: bool,
    pub(crate) schedule: Schedule,
}

/// Reads the arguments; the error is a message for the user.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let (mut problem, mut data, mut synthetic) = (None, None, false);
    let (mut method, mut rate, mut batch, mut epochs, mut steps, mut seed) =
        ("adahesscale".to_owned(), None, None, None, None, 0);
    let (mut eps, mut clip) = (None, None);
    let (mut checkpoint, mut every, mut resume) = (None, None, false);
    let (mut adapter, mut cpu, mut list) = (None, false, false);
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--data" => data = Some(PathBuf::from(arguments.value()?)),
            "--synthetic" => synthetic = true,
            "--optimizer" => method = arguments.value()?,
            "--lr" => rate = Some(arguments.parsed("a finite number", |rate: &f32| rate.is_finite())?),
            "--eps" => eps = Some(arguments.parsed("a finite number", |eps: &f32| eps.is_finite())?),
            "--clip" => clip = Some(limit(&arguments.value()?)?),
            "--batch" => batch = Some(arguments.count()? as usize),
            "--epochs" => epochs = Some(u64::from(arguments.count()?)),
            "--steps" => steps = Some(u64::from(arguments.count()?)),
            "--seed" => seed = arguments.parsed("a whole number below 2^32", |_| true)?,
            "--checkpoint" => checkpoint = Some(PathBuf::from(arguments.value()?)),
            "--every" => every = Some(u64::from(arguments.count()?)),
            "--resume" => resume = true,
            "--adapter" => adapter = Some(arguments.value()?),
            "--cpu" => cpu = true,
            "--list" => list = true,
            "--help" | "-h" => return Ok(Command::Help),
            option if option.starts_with('-') => return Err(format!("unknown option `{option}`")),
            _ if problem.is_none() => problem = Some(name),
            _ => return Err(format!("one problem at a time: `{name}` is a second")),
        }
    }
    if list {
        return Ok(Command::List);
    }
    let problem = problem.ok_or("which problem?")?;
    let problem = *named("problem", &problem, &PROBLEMS, |problem| problem.name)?;
    let method = *named("optimizer", &method, &METHODS, |method| method.name)?;
    if data.is_some() == synthetic {
        return Err("say either --data DIR or --synthetic".into());
    }
    if checkpoint.is_none() && (resume || every.is_some()) {
        return Err("--resume and --every need --checkpoint FILE".into());
    }
    let place = METHODS.iter().position(|known| known.name == method.name).unwrap_or_default();
    let schedule = Schedule {
        batch: batch.unwrap_or(problem.batch),
        epochs: epochs.unwrap_or(problem.epochs),
        most_steps: steps,
        checkpoint,
        every,
    };
    Ok(Command::Train(Box::new(Options {
        problem,
        data,
        device: Device::new(cpu, adapter)?,
        method,
        learning_rate: rate.unwrap_or(problem.rates[place]),
        rate_is_given: rate.is_some(),
        eps: eps.unwrap_or(problem.eps),
        clip,
        seed,
        resume,
        schedule,
    })))
}

/// ρ, or `off`.
fn limit(text: &str) -> Result<Option<f32>, String> {
    let rho = text.parse().ok().filter(|rho: &f32| rho.is_finite() && *rho > 0.0);
    match text {
        "off" => Ok(None),
        _ => rho.map(Some).ok_or(format!("--clip must be a number above 0 or `off`, not `{text}`")),
    }
}
