//! `learning_curves.svg`: test error and training loss against epochs, a line for each optimizer.

use crate::experiment::{BATCH, Experiment, Outcome, Point};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

const SIZE: (u32, u32) = (960, 440);
const TITLE_HEIGHT: u32 = 40;
const INK: RGBColor = RGBColor(50, 50, 50);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// The colour-blind-safe palette of Okabe and Ito.
const COLORS: [RGBColor; 4] =
    [RGBColor(120, 120, 120), RGBColor(230, 159, 0), RGBColor(0, 114, 178), RGBColor(0, 158, 115)];

/// Draws the mean curves.
pub(crate) fn draw(path: &Path, experiment: &Experiment, outcomes: &[Outcome]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(TITLE_HEIGHT);
    let style = ("sans-serif", 19).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
    let title = experiment.network.title;
    let title = format!("Handwritten digits, {title}, batch {BATCH}: the same start, four optimizers");
    head.draw(&Text::new(title, (SIZE.0 as i32 / 2, TITLE_HEIGHT as i32 / 2 + 4), style))?;
    let (left, right) = body.split_horizontally(SIZE.0 / 2);
    draw_panel(&left, "test error, %", outcomes, |point| 100.0 * (1.0 - point.test_accuracy))?;
    draw_panel(&right, "training loss", outcomes, |point| point.train_loss)?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// One quantity on a logarithmic axis.
fn draw_panel(
    area: &Area<'_>,
    name: &str,
    outcomes: &[Outcome],
    quantity: fn(Point) -> f64,
) -> Result<(), Box<dyn Error>> {
    let curves: Vec<Vec<f64>> =
        outcomes.iter().map(|outcome| outcome.mean_curve().into_iter().map(quantity).collect()).collect();
    // Values that a logarithmic axis cannot show, zero and a diverged loss, are left out.
    let shown = |y: &f64| y.is_finite() && *y > 0.0;
    let values = || curves.iter().flatten().copied().filter(shown);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let (bottom, top) = if least <= most { (least / 1.3, most * 1.3) } else { (0.1, 1.0) };
    let epochs = curves.iter().map(|curve| curve.len() - 1).max().unwrap_or(1);

    let label = ("sans-serif", 13).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(20)
        .x_label_area_size(38)
        .y_label_area_size(58)
        .build_cartesian_2d(0..epochs, (bottom..top).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(label.clone())
        .x_desc("epoch")
        .y_desc(name)
        .y_label_formatter(&|y| format!("{y}"))
        .draw()?;
    for ((outcome, curve), color) in outcomes.iter().zip(&curves).zip(COLORS) {
        let points = curve.iter().enumerate().filter(|(_, y)| shown(y)).map(|(x, y)| (x, *y));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(outcome.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(label)
        .draw()?;
    Ok(())
}
