//! `cost.svg`: for depth and width, a step over SGD's with the paper's figures as crosses, and below it the times.

use crate::contender::{self, CONTENDERS};
use crate::measure::Row;
use crate::network::Axis;
use crate::report::{PAPER, PAPERS_PLACES};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

const PANEL: (u32, u32) = (480, 320);
const TITLE_HEIGHT: u32 = 64;
const INK: RGBColor = RGBColor(50, 50, 50);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// The colour-blind-safe palette of Okabe and Ito; a pass alone is lighter than with its optimiser.
const COLORS: [RGBColor; CONTENDERS] = [
    RGBColor(230, 159, 0),
    RGBColor(128, 206, 185),
    RGBColor(128, 184, 217),
    RGBColor(0, 158, 115),
    RGBColor(0, 114, 178),
];
const GRAY: RGBColor = RGBColor(120, 120, 120);

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Point = (f64, f64);

/// Draws all series that have a row.
pub(crate) fn draw(path: &Path, series: &[Vec<Row>]) -> Result<(), Box<dyn Error>> {
    let series: Vec<&[Row]> = series.iter().map(Vec::as_slice).filter(|rows| !rows.is_empty()).collect();
    let size = (PANEL.0 * series.len().max(1) as u32, TITLE_HEIGHT + 2 * PANEL.1);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(TITLE_HEIGHT);
    draw_head(&head, size.0 as i32)?;
    let panels = body.split_evenly((2, series.len().max(1)));
    for (column, rows) in series.iter().enumerate() {
        draw_ratios(&panels[column], rows)?;
        draw_times(&panels[series.len() + column], rows)?;
    }
    root.present()?;
    Ok(())
}

/// The title and the legend.
fn draw_head(head: &Area<'_>, width: i32) -> Result<(), Box<dyn Error>> {
    let style = |size: i32, horizontal| {
        ("sans-serif", size).into_font().color(&INK).pos(Pos::new(horizontal, VPos::Center))
    };
    let title = "A training step at batch 1: cost over plain SGD's, and time";
    head.draw(&Text::new(title, (width / 2, 20), style(19, HPos::Center)))?;
    let names = contender::all().map(|contender| contender.name);
    let keys = [(contender::sgd().name, GRAY)].into_iter().chain(names.into_iter().zip(COLORS));
    let mut left = 24;
    for (name, color) in keys {
        head.draw(&PathElement::new([(left, 48), (left + 18, 48)], color.stroke_width(3)))?;
        head.draw(&Text::new(name, (left + 23, 48), style(13, HPos::Left)))?;
        left += 44 + 8 * name.len() as i32;
    }
    head.draw(&Cross::new((left + 9, 48), 5, INK.stroke_width(2)))?;
    head.draw(&Text::new("the paper's", (left + 23, 48), style(13, HPos::Left)))?;
    Ok(())
}

fn size_of(rows: &[Row]) -> &'static str {
    match rows[0].axis {
        Axis::Depth => "L, for 64-512x(L+1)-100",
        Axis::Width => "w, for 64-w-w-100",
    }
}

/// Ratios, from 0 on.
fn draw_ratios(area: &Area<'_>, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let curve =
        |i: usize| rows.iter().map(|row| (row.size as f64, row.pairs[i].ratio)).collect::<Vec<Point>>();
    let curves: Vec<_> = (0..CONTENDERS).map(curve).collect();
    let shown = rows[0].axis == Axis::Depth;
    let paper = PAPER.iter().filter(|(depth, _)| shown && rows.iter().any(|row| row.size == *depth));
    let crosses: Vec<(Point, RGBColor)> = paper
        .flat_map(|(depth, ratios)| {
            ratios.iter().zip(PAPERS_PLACES).map(|(ratio, i)| ((*depth as f64, *ratio), COLORS[i]))
        })
        .collect();
    let highest = curves.iter().flatten().chain(crosses.iter().map(|(point, _)| point));
    let top = highest.map(|point| point.1).fold(6.0, f64::max) + 0.5;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(20)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d((ends(rows, |row| row.size as f64)).log_scale().base(2.0), 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .x_desc(size_of(rows))
        .y_desc("step over SGD's")
        .x_label_formatter(&|x| format!("{x}"))
        .draw()?;
    for (curve, color) in curves.into_iter().zip(COLORS) {
        chart.draw_series(LineSeries::new(curve, color.stroke_width(2)).point_size(3))?;
    }
    chart
        .draw_series(crosses.into_iter().map(|(point, color)| Cross::new(point, 5, color.stroke_width(2))))?;
    Ok(())
}

/// Milliseconds against parameters, both axes logarithmic: linear growth rises one decade per decade.
fn draw_times(area: &Area<'_>, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let curve = |time: &dyn Fn(&Row) -> f64| {
        rows.iter().map(|row| (row.parameters as f64, time(row))).collect::<Vec<Point>>()
    };
    let mut curves = vec![(curve(&Row::sgd), GRAY)];
    curves.extend((0..CONTENDERS).map(|i| (curve(&|row| row.pairs[i].own), COLORS[i])));
    let times = || curves.iter().flat_map(|(curve, _)| curve).map(|point| point.1);
    let (least, most) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(20)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(
            ends(rows, |row| row.parameters as f64).log_scale(),
            (least / 1.3..most * 1.3).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .x_labels(4)
        .x_desc("parameters")
        .y_desc("milliseconds")
        .x_label_formatter(&|x| if *x >= 1e6 { format!("{}M", x / 1e6) } else { format!("{}k", x / 1e3) })
        .y_label_formatter(&|y| format!("{y}"))
        .draw()?;
    for (curve, color) in curves {
        chart.draw_series(LineSeries::new(curve, color.stroke_width(2)).point_size(3))?;
    }
    Ok(())
}

/// Least to most, with a little room for points at the ends.
fn ends(rows: &[Row], of: fn(&Row) -> f64) -> std::ops::Range<f64> {
    let values = || rows.iter().map(of);
    values().fold(f64::INFINITY, f64::min) / 1.1..values().fold(0.0, f64::max) * 1.1
}
