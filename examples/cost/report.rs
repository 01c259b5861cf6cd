//! The table with the paper's figures, and the growth of the times.

use crate::contender::{self, CONTENDERS};
use crate::line;
use crate::measure::Row;
use crate::network::Axis;
use std::fmt::Write as _;

/// The paper's ratios, from the data published with its code: L, then Adam, HesScaleGN and HesScale over SGD.
pub(crate) const PAPER: [(usize, [f64; 3]); 3] =
    [(1, [2.7, 3.5, 5.9]), (8, [2.5, 3.2, 5.6]), (128, [2.5, 3.2, 5.4])];

/// The contenders that correspond to the paper's three: whole steps with an adaptive optimiser.
pub(crate) const PAPERS_PLACES: [usize; 3] = [0, 3, 4];

/// Under the table.
pub(crate) const NOTES: &str = "
One sample, tanh, no biases, mean squared error. Whole training steps (input and targets in, pass, update, waited for)
over SGD's, the two taking turns: medians over turns, of which the fastest of four steps counts. +SGD: the diagonal is
computed and written, and the update is plain SGD's. The paper's HesScaleGN and HesScale stand below AdaHesScaleGN and AdaHesScale.";

/// The table's head.
pub(crate) fn heading(device: &str) -> String {
    let names: String = contender::all().iter().map(|contender| format!(" {:>14}", contender.name)).collect();
    format!("device: {device}\n{:14} {:>11} {:>9}{names}", "network", "parameters", "SGD ms")
}

/// One row, and where the paper has it, the paper's.
pub(crate) fn line(row: &Row) -> String {
    let ratios: String = row.pairs.iter().map(|pair| format!(" {:>14.2}", pair.ratio)).collect();
    let mut text = format!("{:14} {:>11} {:>9.3}{ratios}", row.network, row.parameters, row.sgd());
    let paper = PAPER.iter().find(|(depth, _)| row.axis == Axis::Depth && *depth == row.size);
    if let Some((_, paper)) = paper {
        let mut cells = [const { String::new() }; CONTENDERS];
        PAPERS_PLACES.iter().zip(paper).for_each(|(place, ratio)| cells[*place] = format!("{ratio:.1}"));
        let cells: String = cells.iter().map(|cell| format!(" {cell:>14}")).collect();
        let _ = write!(text, "\n{:36}{cells}", "  the paper");
    }
    text
}

/// Whether times grow linearly with the number of parameters: a line through each series.
pub(crate) fn growth(series: &[Vec<Row>]) -> String {
    let mut text = format!(
        "\n{:6} {:16} {:>9} {:>8} {:>24}",
        "", "time = a + b p", "b, ns", "R²", "ns/p, least to most p"
    );
    for rows in series {
        let Some((first, last)) = rows.first().zip(rows.last()) else { continue };
        let mut push = |name: &str, time: &dyn Fn(&Row) -> f64| {
            let points: Vec<_> = rows.iter().map(|row| (row.parameters as f64, 1e6 * time(row))).collect();
            let Some(line) = line::through(&points) else { return };
            let each = |row: &Row| 1e6 * time(row) / row.parameters as f64;
            let (axis, slope, explained) = (first.axis.name(), line.slope, line.explained);
            let ends = format!("{:.3} to {:.3}", each(first), each(last));
            let _ = write!(text, "\n{axis:6} {name:16} {slope:>9.3} {explained:>8.4} {ends:>24}");
        };
        push("SGD", &Row::sgd);
        for (index, contender) in contender::all().iter().enumerate() {
            push(contender.name, &|row| row.pairs[index].own);
        }
    }
    text
}
