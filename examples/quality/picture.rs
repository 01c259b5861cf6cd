//! `quality.svg`: one panel per network and batch size, one line per estimator, a logarithmic axis.

use crate::estimator::Estimator;
use crate::setting::Row;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

/// Ratios below this are rounding error: the estimate is exact. They are drawn at the panel's left edge.
pub(crate) const EXACT: f64 = 1e-6;

const LEFT_EDGE: f64 = 4e-3;
const RIGHT_EDGE: f64 = 1.5e4;
const NAMES_WIDTH: i32 = 150;
const PANEL_WIDTH: i32 = 180;
const TOP: i32 = 70;
const LINE: i32 = 26;

/// Light to dark by training time.
const SHADES: [RGBColor; 3] = [RGBColor(120, 190, 230), RGBColor(40, 120, 190), RGBColor(10, 40, 90)];
const INK: RGBColor = RGBColor(50, 50, 50);

/// Draws all rows of the table.
pub(crate) fn draw(path: &Path, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let panels: Vec<&[Row]> = rows.chunk_by(|a, b| (&a.network, a.batch) == (&b.network, b.batch)).collect();
    let lines = Estimator::ALL.len() as i32;
    let size = (NAMES_WIDTH + PANEL_WIDTH * panels.len() as i32 + 10, TOP + LINE * lines + 70);
    let root = SVGBackend::new(path, (size.0 as u32, size.1 as u32)).into_drawing_area();
    root.fill(&WHITE)?;

    let text = |size: i32, horizontal| {
        ("sans-serif", size).into_font().color(&INK).pos(Pos::new(horizontal, VPos::Center))
    };
    let title = "L1 distance to the exact Hessian diagonal over HesScale's own: less is closer";
    root.draw(&Text::new(title, (10, 18), text(17, HPos::Left)))?;
    for (i, estimator) in Estimator::ALL.iter().enumerate() {
        let at = (NAMES_WIDTH - 8, TOP + LINE * i as i32 + LINE / 2);
        root.draw(&Text::new(estimator.name(), at, text(13, HPos::Right)))?;
    }
    for (i, panel) in panels.iter().enumerate() {
        let left = NAMES_WIDTH + PANEL_WIDTH * i as i32;
        let heading = format!("{}, batch {}", panel[0].network, panel[0].batch);
        root.draw(&Text::new(heading, (left + PANEL_WIDTH / 2, TOP - 14), text(13, HPos::Center)))?;
        let area = (left, TOP, left + PANEL_WIDTH - 10, TOP + LINE * lines);
        draw_panel(&root, area, panel)?;
    }
    draw_legend(&root, rows, (NAMES_WIDTH, size.1 - 16))?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// The estimators' ratios in the rows of one network and batch size. `area` is left, top, right, bottom in pixels.
fn draw_panel(root: &Area<'_>, area: (i32, i32, i32, i32), rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let (left, top, right, bottom) = area;
    let x = |ratio: f64| {
        let part = (ratio.clamp(LEFT_EDGE, RIGHT_EDGE) / LEFT_EDGE).ln() / (RIGHT_EDGE / LEFT_EDGE).ln();
        left + (part * f64::from(right - left)).round() as i32
    };
    let y = |line: usize| top + LINE * line as i32 + LINE / 2;
    let label = ("sans-serif", 11).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Top));
    for line in 0..Estimator::ALL.len() {
        let guide = [(left, y(line)), (right, y(line))];
        root.draw(&PathElement::new(guide, RGBColor(240, 240, 240).stroke_width(1)))?;
    }
    for (decade, name) in (-2..).zip(["0.01", "0.1", "1", "10", "100", "1k", "10k"]) {
        let at = x(10f64.powi(decade));
        // HesScale itself is the line at 1.
        let color = if decade == 0 { INK } else { RGBColor(225, 225, 225) };
        root.draw(&PathElement::new([(at, top), (at, bottom)], color.stroke_width(1)))?;
        root.draw(&Text::new(name, (at, bottom + 5), label.clone()))?;
    }
    for (row, shade) in rows.iter().zip(SHADES) {
        for (line, ratio) in row.ratios.iter().enumerate() {
            // An open circle at the edge means exact, which a logarithmic axis cannot show.
            let (at, style) = match *ratio < EXACT {
                true => (left + 6, shade.stroke_width(2)),
                false => (x(*ratio), shade.filled()),
            };
            root.draw(&Circle::new((at, y(line)), 5, style))?;
        }
    }
    Ok(())
}

/// The legend of the shades.
fn draw_legend(root: &Area<'_>, rows: &[Row], at: (i32, i32)) -> Result<(), Box<dyn Error>> {
    let style = ("sans-serif", 12).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    let mut epochs: Vec<usize> = rows.iter().filter_map(|row| Some(row.trained?.0)).collect();
    epochs.sort_unstable();
    epochs.dedup();
    let mut left = at.0;
    for (epochs, shade) in epochs.iter().zip(SHADES) {
        let text = match epochs {
            0 => "untrained".to_owned(),
            n => format!("after {n} epochs of Adam"),
        };
        root.draw(&Circle::new((left, at.1), 5, shade.filled()))?;
        root.draw(&Text::new(text, (left + 10, at.1), style.clone()))?;
        left += 170;
    }
    root.draw(&Circle::new((left, at.1), 5, INK.stroke_width(2)))?;
    root.draw(&Text::new("exact", (left + 10, at.1), style))?;
    Ok(())
}
