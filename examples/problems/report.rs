//! The run and its results as text.

use crate::options::Options;
use crate::problem::Problem;
use hesscale::train::{Dataset, Evaluation, Trainer};

/// What a network is judged by beside its loss.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Score {
    pub(crate) name: &'static str,
    pub(crate) of: fn(&Evaluation) -> String,
}

/// The share of images that are classified right; of images without noise their peak signal-to-noise ratio, with values in 0 to 1.
pub(crate) fn score(problem: &Problem) -> Score {
    match problem.noise {
        None => Score { name: "test accuracy", of: |test| format!("{:.2}%", 100.0 * test.accuracy) },
        Some(_) => Score { name: "test PSNR", of: |test| format!("{:.2} dB", -10.0 * test.loss.log10()) },
    }
}

/// Describes the run.
pub(crate) fn heading(
    options: &Options,
    trainer: &Trainer,
    data: (&Dataset, &Dataset),
    adapter: &str,
) -> String {
    let made_up = if options.data.is_none() { "made-up " } else { "" };
    let begin = match trainer.steps() {
        0 => String::new(),
        steps => format!("; goes on from step {steps}"),
    };
    format!(
        "{}: {} parameters, {} {made_up}images to learn, {} to test\n{}, learning rate {}, batch {}, seed {}, {} steps{begin}\n\
         adapter: {adapter}\n",
        options.problem.name,
        trainer.model().parameter_count(),
        data.0.len(),
        data.1.len(),
        options.method.name,
        trainer.optimizer().learning_rate,
        options.schedule.batch,
        trainer.seed(),
        options.schedule.steps(data.0),
    )
}

/// The results.
pub(crate) fn table(
    options: &Options,
    trainer: &Trainer,
    (train, test): (Evaluation, Evaluation),
    images_per_second: Option<f64>,
) -> String {
    let speed = images_per_second.map_or("-".into(), |speed| format!("{speed:.0}"));
    let score = score(&options.problem);
    format!(
        "{:16} {:14} {:>8} {:>11} {:>10} {:>14} {:>9}\n{:16} {:14} {:>8} {:>11.5} {:>10.5} {:>14} {speed:>9}",
        "problem",
        "optimizer",
        "steps",
        "train loss",
        "test loss",
        score.name,
        "images/s",
        options.problem.name,
        options.method.name,
        trainer.steps(),
        train.loss,
        test.loss,
        (score.of)(&test),
    )
}
