//! `vs_backprop.svg`: a group of bars for each workload, a bar for each mode, and a mark at the ratio of operation counts.

use crate::measure::Row;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

const BAR: i32 = 22;
const GAP: i32 = 34;
const LEFT: i32 = 60;
const TOP: i32 = 86;
const HEIGHT: i32 = 260;
const FOOT: i32 = 70;
const INK: RGBColor = RGBColor(50, 50, 50);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// Mode, its name for readers, and a colour from the colour-blind-safe palette of Okabe and Ito.
const MODES: [(&str, &str, RGBColor); 4] = [
    ("hesscale_gn", "HesScaleGN", RGBColor(86, 180, 233)),
    ("hesscale", "HesScale", RGBColor(0, 114, 178)),
    ("hesscale_r1", "HesScaleR(1)", RGBColor(230, 159, 0)),
    ("hesscale_r2", "HesScaleR(2)", RGBColor(213, 94, 0)),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws all rows but plain backprop's own.
pub(crate) fn draw(path: &Path, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let groups: Vec<&[Row]> = rows.chunk_by(|a, b| (a.workload, a.batch) == (b.workload, b.batch)).collect();
    let group_width = MODES.len() as i32 * BAR + GAP;
    let width = (LEFT + groups.len() as i32 * group_width + 20).max(620);
    let root = SVGBackend::new(path, (width as u32, (TOP + HEIGHT + FOOT) as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let most = rows.iter().map(|row| row.ratio().max(row.flop_ratio)).filter(|r| r.is_finite());
    // Steps of one half; the axis is capped so that no bar dwarfs the others.
    let halves = (most.fold(1.0, f64::max) * 2.0).ceil().clamp(4.0, 20.0);
    let y = |ratio: f64| TOP + HEIGHT - (ratio.min(halves / 2.0) / (halves / 2.0) * f64::from(HEIGHT)) as i32;

    let text = |size: i32, horizontal| {
        ("sans-serif", size).into_font().color(&INK).pos(Pos::new(horizontal, VPos::Center))
    };
    let title = "Time of a full step over plain backprop's (bars, numbers)";
    root.draw(&Text::new(title, (LEFT, 20), text(18, HPos::Left)))?;
    let adapter = rows.first().map_or("", |row| row.adapter.as_str());
    root.draw(&Text::new(adapter, (LEFT, 42), text(11, HPos::Left)))?;
    for half in 0..=halves as i32 {
        let (ratio, color) = (f64::from(half) / 2.0, if half == 2 { INK } else { GRID });
        let line = [(LEFT, y(ratio)), (width - 20, y(ratio))];
        root.draw(&PathElement::new(line, color.stroke_width(1)))?;
        root.draw(&Text::new(format!("{ratio:.1}"), (LEFT - 8, y(ratio)), text(12, HPos::Right)))?;
    }
    for (i, group) in groups.iter().enumerate() {
        let left = LEFT + i as i32 * group_width + GAP / 2;
        draw_group(&root, left, group, y)?;
        let middle = left + (group_width - GAP) / 2;
        let (network, batch) = (group[0].workload.trim_end_matches(" tanh"), group[0].batch);
        root.draw(&Text::new(network, (middle, TOP + HEIGHT + 16), text(11, HPos::Center)))?;
        root.draw(&Text::new(format!("batch {batch}"), (middle, TOP + HEIGHT + 32), text(11, HPos::Center)))?;
    }
    draw_legend(&root, &text(12, HPos::Left))?;
    root.present()?;
    Ok(())
}

/// The bars of one workload, and their marks.
fn draw_group(
    root: &Area<'_>,
    left: i32,
    rows: &[Row],
    y: impl Fn(f64) -> i32,
) -> Result<(), Box<dyn Error>> {
    let number = ("sans-serif", 10).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Bottom));
    for (i, (mode, _, color)) in MODES.iter().enumerate() {
        let Some(row) = rows.iter().find(|row| row.mode == *mode) else { continue };
        let (from, top) = (left + i as i32 * BAR, y(row.ratio()));
        root.draw(&Rectangle::new([(from + 1, top), (from + BAR - 1, y(0.0))], color.filled()))?;
        let mark = y(row.flop_ratio);
        root.draw(&PathElement::new([(from - 1, mark), (from + BAR + 1, mark)], BLACK.stroke_width(3)))?;
        let above = (from + BAR / 2, top.min(mark) - 4);
        root.draw(&Text::new(format!("{:.2}", row.ratio()), above, number.clone()))?;
    }
    Ok(())
}

/// The legend.
fn draw_legend(root: &Area<'_>, style: &TextStyle<'_>) -> Result<(), Box<dyn Error>> {
    let middle = TOP + HEIGHT + FOOT - 16;
    let mut left = LEFT;
    for (_, name, color) in MODES {
        root.draw(&Rectangle::new([(left, middle - 6), (left + 12, middle + 6)], color.filled()))?;
        root.draw(&Text::new(name, (left + 18, middle), style.clone()))?;
        left += 112;
    }
    root.draw(&PathElement::new([(left, middle), (left + 16, middle)], BLACK.stroke_width(3)))?;
    root.draw(&Text::new("ratio of operation counts", (left + 22, middle), style.clone()))?;
    Ok(())
}
