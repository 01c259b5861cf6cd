//! Results as text and as curves.

use crate::calibration::Quality;
use crate::chart::{Curve, Panel};
use crate::experiment::{Experiment, METHODS, Outcome};
use plotters::chart::SeriesLabelPosition;

pub(crate) const TITLE: &str =
    "Handwritten digits, 64-64-64-10 tanh: a posterior over the last layer's weights";

/// Describes the run.
pub(crate) fn heading(experiment: &Experiment, starts: u64) -> String {
    let [train, validation, test] =
        [&experiment.train, &experiment.validation, &experiment.test].map(|data| data.len());
    format!(
        "64-64-64-10 tanh on {train} handwritten digits, {validation} to tune by, {test} held out; epochs of Adam: {}, \
         random starts: {starts}\nadapter: {}\n",
        experiment.epochs,
        experiment.backend.name(),
    )
}

/// A line for each method.
pub(crate) fn table(outcome: &Outcome) -> String {
    let numbers = |quality: Quality| {
        format!(" {:>9.1}% {:>8.4} {:>8.4}", 100.0 * quality.accuracy, quality.nll, quality.ece)
    };
    let head = ["accuracy", "NLL", "ECE"].map(|name| name.to_owned());
    let head = format!(" {:>10} {:>8} {:>8}", head[0], head[1], head[2]);
    let mut text =
        format!("{:22} {:>28} {:>28}\n{:22}{head}{head}", "", "held out", "held out, with noise", "");
    for (method, qualities) in METHODS.iter().zip(outcome.qualities) {
        text += &format!("\n{method:22}{}", qualities.map(numbers).concat());
    }
    let list = |index: usize| {
        let values = outcome.tuned.iter().map(|tuned| format!("{:.3}", tuned[index]));
        values.collect::<Vec<_>>().join(", ")
    };
    text + &format!(
        "\n\nmeans over the starts; of each: temperature {}; prior precision {}\n\
         NLL: mean negative log-likelihood. ECE: expected calibration error, 15 bins.",
        list(0),
        list(1)
    )
}

pub(crate) fn panels(outcome: &Outcome) -> [Panel; 2] {
    let loss = |(index, name): (usize, &str)| Curve {
        name: name.into(),
        points: outcome.priors.iter().map(|(tau, losses)| (*tau, losses[index])).collect(),
        ..Curve::default()
    };
    let sets = ["to tune by", "held out", "held out, with noise"];
    let reliability = METHODS.iter().zip(&outcome.bins).map(|(method, bins)| Curve {
        name: (*method).into(),
        points: bins.iter().filter(|bin| bin.count > 0).map(|bin| (bin.confidence, bin.accuracy)).collect(),
        ..Curve::default()
    });
    let calibrated =
        Curve { name: "calibrated".into(), points: vec![(0.1, 0.1), (1.0, 1.0)], ..Curve::default() };
    [
        Panel {
            x: "precision of the prior",
            y: "negative log-likelihood",
            curves: sets.into_iter().enumerate().map(loss).collect(),
            log: (true, true),
            legend: SeriesLabelPosition::LowerLeft,
        },
        Panel {
            x: "confidence, images with noise",
            y: "accuracy",
            curves: reliability.chain([calibrated]).collect(),
            log: (false, false),
            legend: SeriesLabelPosition::UpperLeft,
        },
    ]
}
