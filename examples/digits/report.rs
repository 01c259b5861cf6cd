//! Results as text.

use crate::experiment::{Experiment, Outcome, Point};
use serde::Serialize;
use std::fmt::Write as _;

/// Describes the run.
pub(crate) fn heading(experiment: &Experiment, starts: u64) -> String {
    format!(
        "{} on {} handwritten digits, {} held out; epochs: {}, random starts: {starts}\nadapter: {}\n",
        experiment.network.title,
        experiment.train.len(),
        experiment.test.len(),
        experiment.epochs,
        experiment.backend.name(),
    )
}

/// One line per contender.
pub(crate) fn table(outcomes: &[Outcome], experiment: &Experiment) -> String {
    let mut text = format!(
        "{:14} {:>13} {:>13} {:>15} {:>11} {:>8}",
        "optimizer", "learning rate", "test accuracy", "min-max", "train loss", "ms/step"
    );
    for outcome in outcomes {
        let (least, most) = outcome.test_accuracy_range();
        let range = format!("{:.1}-{:.1}%", 100.0 * least, 100.0 * most);
        let last = outcome.last();
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n{:14} {:>13} {:>12.1}% {range:>15} {:>11.5} {:>8.2}",
            outcome.name,
            outcome.optimizer.learning_rate,
            100.0 * last.test_accuracy,
            last.train_loss,
            outcome.ms_per_step(),
        );
    }
    text + "\n\nmeans over the starts; " + experiment.network.note
}

#[derive(Serialize)]
struct Line {
    model: &'static str,
    optimizer: &'static str,
    test_accuracy: f64,
    train_loss: f64,
    ms_per_step: f64,
    steps: u64,
    adapter: String,
}

/// One JSON object on one line.
pub(crate) fn json(outcome: &Outcome, experiment: &Experiment) -> serde_json::Result<String> {
    let Point { test_accuracy, train_loss } = outcome.last();
    serde_json::to_string(&Line {
        model: experiment.network.name,
        optimizer: outcome.name,
        test_accuracy,
        train_loss,
        ms_per_step: outcome.ms_per_step(),
        steps: outcome.steps,
        adapter: experiment.backend.name(),
    })
}
