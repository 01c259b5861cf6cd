//! The tables.

use crate::measure::Row;
use crate::setting::{CONTENDERS, Experiment};

/// Below the tables.
pub(crate) const NOTES: &str = "\
Times are medians of whole training steps at batch 1: forward, loss, backward, update; recording, submitting and waiting
included. A ratio is the median of those of a contender's step to the SGD step just before it; SGD has no momentum. HesScaleGN and
HesScale are AdaHesScaleGN and AdaHesScale. paper: its published ratios for Adam, HesScaleGN, HesScale, of PyTorch programs.";

pub(crate) fn heading(experiment: &Experiment) -> String {
    let published = experiment
        .published
        .iter()
        .map(|(size, [adam, gn, own])| format!("{} = {size}: {adam}, {gn}, {own}", experiment.grows));
    let published = published.collect::<Vec<_>>().join("; ");
    let paper = if published.is_empty() { String::new() } else { format!("paper: {published}\n") };
    let names = CONTENDERS.map(|contender| format!(" {} ms | over SGD |", contender.name)).concat();
    let rule = "---|".repeat(3 + 2 * CONTENDERS.len());
    format!("\n{}\n{paper}\n| {} | parameters | SGD ms |{names}\n|{rule}", experiment.name, experiment.grows)
}

pub(crate) fn line(row: &Row) -> String {
    let figures = row.times.iter().map(|times| format!(" {:.2} | {:.2} |", times.own, times.ratio));
    let figures = figures.collect::<String>();
    format!("| {} | {} | {:.2} |{figures}", row.size, row.parameters, row.times[0].sgd)
}

/// How well time = fixed + slope × parameters tells each contender's times.
pub(crate) fn growth(rows: &[Row]) -> String {
    let sgd = ("SGD", rows.iter().map(|row| row.times[0].sgd).collect());
    let own = CONTENDERS.iter().enumerate().map(|(index, contender)| {
        (contender.name, rows.iter().map(|row| row.times[index].own).collect::<Vec<_>>())
    });
    let parameters: Vec<f64> = rows.iter().map(|row| row.parameters as f64).collect();
    let line = |(name, times): (&str, Vec<f64>)| {
        let Some(Line { fixed, slope, explained }) = Line::through(&parameters, &times) else {
            return format!("{name}: too few networks for a line");
        };
        let (fixed, slope) = (1e3 * fixed, 1e6 * slope);
        format!("{name}: {fixed:.0} µs + {slope:.3} ns a parameter, R² {explained:.4}")
    };
    std::iter::once(sgd).chain(own).map(line).collect::<Vec<_>>().join("\n")
}

struct Line {
    fixed: f64,
    slope: f64,
    /// R²: the part of the variance that the line explains.
    explained: f64,
}

impl Line {
    /// Least squares; `None` for fewer than three points, which say nothing of a line.
    fn through(x: &[f64], y: &[f64]) -> Option<Line> {
        if x.len() < 3 {
            return None;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (mean_x, mean_y) = (mean(x), mean(y));
        let product = |a: &[f64], mean_a: f64, b: &[f64], mean_b: f64| -> f64 {
            a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum()
        };
        let (xx, xy, yy) =
            (product(x, mean_x, x, mean_x), product(x, mean_x, y, mean_y), product(y, mean_y, y, mean_y));
        let slope = xy / xx;
        Some(Line { fixed: mean_y - slope * mean_x, slope, explained: xy * xy / (xx * yy) })
    }
}
