//! `psnr.svg`: each optimizer's PSNR against steps.

use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const INK: RGBColor = RGBColor(50, 50, 50);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// The colour-blind-safe palette of Okabe and Ito, in the order of the curves.
const COLORS: [RGBColor; 3] = [RGBColor(0, 114, 178), RGBColor(230, 159, 0), RGBColor(120, 120, 120)];

/// A name, and the step and PSNR of each point.
pub(crate) type Curve = (&'static str, Vec<(u32, f64)>);

/// Draws the curves; the logarithmic step axis has no step 0.
pub(crate) fn draw(path: &Path, curves: &[Curve]) -> Result<(), Box<dyn Error>> {
    let points = || curves.iter().flat_map(|(_, points)| points);
    let last = points().map(|(step, _)| *step).max().unwrap_or(1).max(2);
    let shown = |psnr: &f64| psnr.is_finite();
    let values = || points().map(|(_, psnr)| *psnr).filter(shown);
    let (least, most) = (values().fold(60.0, f64::min), values().fold(0.0, f64::max));
    let root = SVGBackend::new(path, (640, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let label = ("sans-serif", 13).into_font().color(&INK);
    let mut chart = ChartBuilder::on(&root)
        .caption("The photograph, learnt: the same start, the same batches", ("sans-serif", 17, &INK))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(38)
        .y_label_area_size(48)
        .build_cartesian_2d((1..last).log_scale(), least - 1.0..most + 1.0)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(label.clone())
        .x_desc("step")
        .y_desc("PSNR, dB")
        .draw()?;
    for ((name, points), color) in curves.iter().zip(COLORS) {
        let points = points.iter().filter(|(step, psnr)| *step > 0 && shown(psnr)).copied();
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(label)
        .draw()?;
    root.present()?;
    Ok(())
}
