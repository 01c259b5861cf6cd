//! `cost.svg`: a panel for each experiment, a line for each contender, the paper's own figures as crosses.

use crate::measure::Row;
use crate::setting::{CONTENDERS, Experiment};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

const LEFT: i32 = 60;
const TOP: i32 = 90;
const WIDTH: i32 = 330;
const HEIGHT: i32 = 260;
const GAP: i32 = 50;
const FOOT: i32 = 80;
/// The highest ratio that is shown.
const MOST: f64 = 6.5;
const INK: RGBColor = RGBColor(50, 50, 50);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// For [`CONTENDERS`], in colours that colour-blind eyes tell apart (Okabe and Ito's palette).
const COLORS: [RGBColor; CONTENDERS.len()] =
    [RGBColor(230, 159, 0), RGBColor(86, 180, 233), RGBColor(0, 114, 178)];

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn text(size: i32, horizontal: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK).pos(Pos::new(horizontal, VPos::Center))
}

pub(crate) fn draw(
    path: &Path,
    adapter: &str,
    panels: &[(Experiment, Vec<Row>)],
) -> Result<(), Box<dyn Error>> {
    let width = LEFT + panels.len() as i32 * (WIDTH + GAP);
    let root = SVGBackend::new(path, (width as u32, (TOP + HEIGHT + FOOT) as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = "Time of a training step over SGD's, batch 1";
    root.draw(&Text::new(title, (LEFT, 20), text(18, HPos::Left)))?;
    root.draw(&Text::new(adapter.to_owned(), (LEFT, 42), text(11, HPos::Left)))?;
    for (left, (experiment, rows)) in (LEFT..).step_by((WIDTH + GAP) as usize).zip(panels) {
        panel(&root, left, experiment, rows)?;
    }
    legend(&root)?;
    root.present()?;
    Ok(())
}

fn panel(root: &Area<'_>, left: i32, experiment: &Experiment, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let (first, last) = (experiment.sizes[0] as f64, experiment.sizes[experiment.sizes.len() - 1] as f64);
    let x = |size: usize| {
        left + 12 + ((size as f64 / first).ln() / (last / first).ln() * f64::from(WIDTH - 24)) as i32
    };
    let y = |ratio: f64| TOP + HEIGHT - (ratio.min(MOST) / MOST * f64::from(HEIGHT)) as i32;
    root.draw(&Text::new(experiment.name, (left + WIDTH / 2, TOP - 18), text(13, HPos::Center)))?;
    for ratio in 0..=MOST as i32 {
        let at = y(f64::from(ratio));
        let color = if ratio == 1 { INK } else { GRID };
        root.draw(&PathElement::new([(left, at), (left + WIDTH, at)], color.stroke_width(1)))?;
        root.draw(&Text::new(ratio.to_string(), (left - 8, at), text(12, HPos::Right)))?;
    }
    for size in experiment.sizes {
        root.draw(&Text::new(size.to_string(), (x(*size), TOP + HEIGHT + 14), text(11, HPos::Center)))?;
    }
    root.draw(&Text::new(experiment.grows, (left + WIDTH / 2, TOP + HEIGHT + 32), text(12, HPos::Center)))?;
    for (index, color) in COLORS.iter().enumerate() {
        let points: Vec<_> = rows.iter().map(|row| (x(row.size), y(row.times[index].ratio))).collect();
        for point in &points {
            root.draw(&Circle::new(*point, 4, color.filled()))?;
        }
        root.draw(&PathElement::new(points, color.stroke_width(2)))?;
        for (size, ratios) in experiment.published {
            root.draw(&Cross::new((x(*size), y(ratios[index])), 5, color.stroke_width(2)))?;
        }
    }
    Ok(())
}

fn legend(root: &Area<'_>) -> Result<(), Box<dyn Error>> {
    let middle = TOP + HEIGHT + FOOT - 20;
    let mut left = LEFT + 6;
    for (contender, color) in CONTENDERS.iter().zip(COLORS) {
        root.draw(&Circle::new((left, middle), 4, color.filled()))?;
        root.draw(&Text::new(contender.name, (left + 12, middle), text(12, HPos::Left)))?;
        left += 112;
    }
    root.draw(&Cross::new((left, middle), 5, INK.stroke_width(2)))?;
    root.draw(&Text::new("the paper's own, PyTorch", (left + 12, middle), text(12, HPos::Left)))?;
    Ok(())
}
