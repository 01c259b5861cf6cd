//! `reinforcement.svg`: returns against steps of the environment, a line for each seed.

use crate::cart_pole::LONGEST;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const INK: RGBColor = RGBColor(50, 50, 50);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// The colour-blind-safe palette of Okabe and Ito.
const COLORS: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(230, 159, 0)];

/// An optimizer's name, and for each seed its returns by steps.
pub(crate) type Curves = (&'static str, Vec<Vec<(usize, f64)>>);

/// Draws all seeds.
pub(crate) fn draw(path: &Path, steps: usize, curves: &[Curves]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (640, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let label = ("sans-serif", 13).into_font().color(&INK);
    let mut chart = ChartBuilder::on(&root)
        .caption("CartPole, PPO: mean return of 20 episodes, each seed", ("sans-serif", 17, &INK))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(38)
        .y_label_area_size(48)
        .build_cartesian_2d(0..steps, 0.0..1.04 * f64::from(LONGEST))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(label.clone())
        .x_desc("step of the environment")
        .y_desc("return")
        .draw()?;
    for ((name, seeds), color) in curves.iter().zip(COLORS) {
        for (index, seed) in seeds.iter().enumerate() {
            let line = chart.draw_series(LineSeries::new(seed.iter().copied(), color.stroke_width(2)))?;
            if index == 0 {
                let legend = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2));
                line.label(*name).legend(legend);
            }
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(label)
        .draw()?;
    root.present()?;
    Ok(())
}
