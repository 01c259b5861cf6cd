//! The networks of the paper's experiments on MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100, with checkpoints from
//! which training resumes bit for bit.
//!
//! `cargo run --release --example problems -- mnist-mlp --data DIR` trains one and prints a table; `--synthetic` in place
//! of `--data DIR` needs no files; `-- --help` lists options.

#[path = "../common/mod.rs"]
mod common;
mod options;
mod problem;
mod progress;
mod report;
mod resume;
mod synthetic;
mod training;

use common::arguments::Arguments;
use common::backend::Backend;
use common::outcome::{exit, misused};
use common::{list, say};
use hesscale::Optimizer;
use hesscale::model::Rule;
use hesscale::train::{Trainer, TrainerOptions};
use options::{Command, Options};
use progress::Progress;
use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    match options::parse(Arguments::of_process()) {
        Err(message) => misused(&message, options::USAGE),
        Ok(Command::Help) => exit(say(options::USAGE)),
        Ok(Command::List) => exit(list()),
        Ok(Command::Train(options)) => exit(train(&options)),
    }
}

/// With the ε that was asked for, where it divides by second derivatives, and the limit.
fn optimizer(options: &Options) -> Optimizer {
    let mut optimizer = (options.method.at)(options.learning_rate);
    if let Rule::AdaHesScale { eps, .. } | Rule::AdaHesScaleGn { eps, .. } = &mut optimizer.rule {
        *eps = options.eps;
    }
    match options.clip {
        None => optimizer,
        Some(None) => optimizer.unlimited(),
        Some(Some(most)) => optimizer.clip_update(most),
    }
}

fn train(options: &Options) -> Result<(), Box<dyn Error>> {
    let Options { problem, schedule, .. } = options;
    schedule.checkpoint.as_ref().map_or(Ok(()), Trainer::can_save)?;
    let model = (problem.network)()?;
    let backend = Backend::new(&options.device)?;
    let training = TrainerOptions::default().seed(options.seed.into());
    let mut trainer = backend.trainer(&model, optimizer(options), training)?;
    match &schedule.checkpoint {
        Some(path) if options.resume => resume::go_on(&mut trainer, path, options)?,
        _ => resume::note(&mut trainer, options),
    }
    let (train, test) = match &options.data {
        Some(directory) => (problem.load)(directory)?,
        None => synthetic::dataset(&model, trainer.seed())?,
    };
    let (train, test) = match problem.noise {
        Some(deviation) => (problem::noisy(train, deviation, 1)?, problem::noisy(test, deviation, 2)?),
        None => (train, test),
    };
    say(&report::heading(options, &trainer, (&train, &test), &backend.name()))?;

    let done = trainer.steps();
    let score = report::score(problem);
    let mut progress = Progress::new(score, done, schedule.steps(&train), schedule.steps_per_epoch(&train));
    let outcome =
        training::run(&mut trainer, (&train, &test), schedule, |e, trainer| progress.tell(e, trainer));
    // If a checkpoint can no longer be written, training ends, but the results are still reported.
    let saved = match outcome {
        Err(error @ hesscale::Error::File { .. }) => Err(error),
        outcome => Ok(outcome?),
    };
    trainer.wait()?;
    let images_per_second = (trainer.steps() > done).then(|| progress.images_per_second());
    progress.finish();

    // As many training images as there are test images.
    let some: Vec<usize> = (0..train.len().min(test.len())).collect();
    let train = trainer.evaluate(&train.gather(&some)?, schedule.batch)?;
    let test = trainer.evaluate(&test, schedule.batch)?;
    say(&report::table(options, &trainer, (train, test), images_per_second))?;
    Ok(saved?)
}
