//! Panels of curves, side by side in an SVG file.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

const PANEL: (u32, u32) = (480, 400);
const TITLE_HEIGHT: u32 = 40;
const INK: RGBColor = RGBColor(50, 50, 50);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// The colour-blind-safe palette of Okabe and Ito, a gray first.
const COLORS: [RGBColor; 7] = [
    RGBColor(120, 120, 120),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
];

/// A line with a name.
#[derive(Debug, Default)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// How far a band around it reaches at each point; none where it is empty.
    pub(crate) spread: Vec<f64>,
}

/// Curves over one axis.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) curves: Vec<Curve>,
    /// Whether the axes are logarithmic. What such an axis cannot show is left out.
    pub(crate) log: (bool, bool),
    pub(crate) legend: SeriesLabelPosition,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws the panels under a title. A curve has the same colour in all of them.
pub(crate) fn draw(path: &Path, title: &str, panels: &[Panel]) -> Result<(), Box<dyn Error>> {
    let size = (PANEL.0 * panels.len() as u32, TITLE_HEIGHT + PANEL.1);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(TITLE_HEIGHT);
    let style = ("sans-serif", 19).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
    head.draw(&Text::new(title, (size.0 as i32 / 2, TITLE_HEIGHT as i32 / 2 + 4), style))?;
    for (area, panel) in body.split_evenly((1, panels.len())).iter().zip(panels) {
        // A logarithmic axis is a linear one over logarithms, whose labels are the numbers themselves.
        draw_panel(area, panel)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(area: &Area<'_>, panel: &Panel) -> Result<(), Box<dyn Error>> {
    let scale = |value: f64, log: bool| if log { value.log10() } else { value };
    let scaled = |(x, y): (f64, f64)| (scale(x, panel.log.0), scale(y, panel.log.1));
    let shown = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
    let curves: Vec<Vec<(f64, f64)>> = panel
        .curves
        .iter()
        .map(|curve| curve.points.iter().copied().map(scaled).filter(shown).collect())
        .collect();
    // Outlines: along the upper edge, and back along the lower one.
    let bands: Vec<Vec<(f64, f64)>> = panel
        .curves
        .iter()
        .map(|curve| {
            let edge = |sign: f64| {
                let points = curve.points.iter().zip(&curve.spread);
                points.map(move |((x, y), spread)| (*x, y + sign * spread)).map(scaled).filter(shown)
            };
            let lower: Vec<(f64, f64)> = edge(-1.0).collect();
            edge(1.0).chain(lower.into_iter().rev()).collect()
        })
        .collect();
    let range = |of: fn(&(f64, f64)) -> f64| {
        let values = || curves.iter().chain(&bands).flatten().map(of);
        let (least, most) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let room = 0.04 * (most - least).max(1e-9);
        if least <= most { least - room..most + room } else { 0.0..1.0 }
    };
    let label = ("sans-serif", 13).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(20)
        .x_label_area_size(38)
        .y_label_area_size(58)
        .build_cartesian_2d(range(|point| point.0), range(|point| point.1))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(label.clone())
        .x_desc(panel.x)
        .y_desc(panel.y)
        .x_label_formatter(&|x| number(*x, panel.log.0))
        .y_label_formatter(&|y| number(*y, panel.log.1))
        .draw()?;
    for (band, color) in bands.into_iter().zip(COLORS) {
        chart.draw_series([Polygon::new(band, color.mix(0.15))])?;
    }
    for ((curve, points), color) in panel.curves.iter().zip(&curves).zip(COLORS) {
        chart
            .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)).point_size(3))?
            .label(&curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(panel.legend.clone())
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(label)
        .draw()?;
    Ok(())
}

/// A label: of a logarithm, the number that it is of.
fn number(value: f64, log: bool) -> String {
    let digits =
        |value: f64| format!("{:.*}", (2 - value.abs().log10().floor() as i32).clamp(0, 4) as usize, value);
    match log {
        true => digits(10_f64.powf(value)),
        false if value.abs() < 1e-9 => "0".into(),
        false => {
            let text = digits(value);
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
        }
    }
}
