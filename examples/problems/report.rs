//! The run and its results as text.

use crate::options::Options;
use hesscale::train::{Dataset, Evaluation, Trainer};

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
    format!(
        "{:16} {:14} {:>8} {:>11} {:>10} {:>14} {:>9}\n{:16} {:14} {:>8} {:>11.5} {:>10.5} {:>13.2}% {speed:>9}",
        "problem",
        "optimizer",
        "steps",
        "train loss",
        "test loss",
        "test accuracy",
        "images/s",
        options.problem.name,
        options.method.name,
        trainer.steps(),
        train.loss,
        test.loss,
        100.0 * test.accuracy,
    )
}
