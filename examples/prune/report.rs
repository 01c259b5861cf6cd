//! Results as text and as curves.

use crate::chart::{Curve, Panel};
use crate::experiment::{Experiment, Outcome, Point, SPARSITIES};
use plotters::chart::SeriesLabelPosition;

pub(crate) const TITLE: &str = "Handwritten digits, 64-64-64-10 tanh, pruned and not trained again";

/// Describes the run.
pub(crate) fn heading(experiment: &Experiment, starts: u64) -> String {
    format!(
        "64-64-64-10 tanh on {} handwritten digits, {} held out; epochs of Adam: {}, random starts: {starts}\nadapter: {}\n",
        experiment.train.len(),
        experiment.test.len(),
        experiment.epochs,
        experiment.backend.name(),
    )
}

/// What stands in an outcome's column.
type Cell = fn(&Outcome, usize) -> String;

/// Test accuracies and training losses: a line for each criterion, a column for each sparsity.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let cells =
        |cells: &mut dyn Iterator<Item = String>| cells.map(|cell| format!(" {cell:>7}")).collect::<String>();
    let part = |(title, of): (&str, Cell)| {
        let head = cells(&mut SPARSITIES.iter().map(|percent| format!("{percent}%")));
        let line = |outcome: &Outcome| {
            let numbers = cells(&mut (0..SPARSITIES.len()).map(|index| of(outcome, index)));
            format!("\n{:24}{numbers}", outcome.criterion.name())
        };
        format!("{title:24}{head}{}\n\n", outcomes.iter().map(line).collect::<String>())
    };
    let parts: [(&str, Cell); 4] = [
        ("test accuracy, at once", |outcome, index| percent(outcome.at_once[index])),
        ("test accuracy, gradual", |outcome, index| percent(outcome.gradual[index])),
        ("training loss, at once", |outcome, index| format!("{:.3}", outcome.at_once[index].train_loss)),
        ("training loss, gradual", |outcome, index| format!("{:.3}", outcome.gradual[index].train_loss)),
    ];
    parts.map(part).concat()
        + "columns: share of the weights that is 0. at once: by the saliencies of the whole network; gradual: 5% at a time, by\n\
           the saliencies of what is left. Means over the starts; nothing is trained again."
}

fn percent(point: Point) -> String {
    format!("{:.1}", 100.0 * point.test_accuracy)
}

/// Test accuracies.
pub(crate) fn panels(outcomes: &[Outcome]) -> [Panel; 2] {
    let panel = |y, of: fn(&Outcome) -> &[Point]| {
        let curve = |outcome: &Outcome| {
            let accuracies = of(outcome).iter().map(|point| 100.0 * point.test_accuracy);
            let points = SPARSITIES.iter().map(|percent| f64::from(*percent)).zip(accuracies).collect();
            Curve { name: outcome.criterion.name().into(), points, ..Curve::default() }
        };
        let (curves, legend) = (outcomes.iter().map(curve).collect(), SeriesLabelPosition::LowerLeft);
        Panel { x: "weights that are 0, %", y, curves, log: (false, false), legend }
    };
    [
        panel("test accuracy, %: all at once", |outcome| &outcome.at_once),
        panel("test accuracy, %: 5% of the weights at a time", |outcome| &outcome.gradual),
    ]
}
