//! The quality of cheap estimates of the Hessian diagonal: the approximation-quality experiment of the HesScale paper, and the same
//! on handwritten digits before and after training, all on the CPU reference in f64.
//!
//! `cargo run --release --example quality [-- --quick | --layers]` prints a table and writes `quality.svg`, or `quality-layers.svg`;
//! `-- --large` prints tables.

mod estimator;
#[path = "../common/files.rs"]
mod files;
mod large;
mod picture;
mod setting;

use estimator::Estimator;
use indicatif::{ProgressBar, ProgressStyle};
use setting::{Effort, Row};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: quality [--quick | --layers | --large [ENTRIES]]

L1 distance to the exact Hessian diagonal over HesScale's own distance: below 1 is closer than HesScale.
  --quick   fewer samples and no 20 epochs: seconds, and rougher figures
  --layers  what single layers drop: batch norm, layer norm, gates, attention, recurrent layers
  --large   networks of up to half a million parameters, against so many exact entries of each weight (default: 64), minutes each";

fn main() -> ExitCode {
    let mut effort = Effort::FULL;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--large" => {
                let entries = match arguments.next().map(|entries| entries.parse()) {
                    None => 64,
                    Some(Ok(entries)) if entries >= 32 => entries,
                    Some(_) => {
                        eprintln!("ENTRIES must be a number, at least 32\n{USAGE}");
                        return ExitCode::from(2);
                    }
                };
                return ended(large::run(entries));
            }
            "--quick" => effort = Effort::QUICK,
            "--layers" => effort = Effort::LAYERS,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("unknown argument `{other}`\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    ended(run(&effort))
}

fn ended(outcome: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(effort: &Effort) -> Result<(), Box<dyn std::error::Error>> {
    let picture = Path::new(effort.picture);
    files::can_write(picture)?;
    let start = Instant::now();
    let progress = ProgressBar::new(effort.points())
        .with_style(ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} points, {eta} left")?)
        .with_message("measuring");
    let rows = setting::measure(effort, &progress)?;
    progress.finish_and_clear();

    print_table(&rows);
    println!("{:.1} s", start.elapsed().as_secs_f64());
    picture::draw(picture, &rows).map_err(|error| format!("cannot write {}: {error}", picture.display()))?;
    println!("picture: {}", picture.display());
    Ok(())
}

/// One line per setting: HesScale's distance over the diagonal's own L1 norm, then every estimator's over HesScale's.
fn print_table(rows: &[Row]) {
    print!("{:40} {:>9}", "L1 distance to the exact diagonal", "HesScale");
    Estimator::ALL.iter().skip(1).for_each(|e| print!(" {:>9}", e.short()));
    println!("\n{:40} {:>9} {:>9}", "", "/ |exact|", "/ HesScale: 1 is as close, less is closer");
    for row in rows {
        print!("{:40} {:>9.3}", row.name(), row.own);
        row.ratios.iter().skip(1).for_each(|ratio| print!(" {:>9}", figure(*ratio)));
        println!();
    }
}

/// Three digits, or `exact` for rounding error only.
fn figure(ratio: f64) -> String {
    match ratio {
        r if r < picture::EXACT => "exact".into(),
        r if r < 10.0 => format!("{r:.2}"),
        r if r < 100.0 => format!("{r:.1}"),
        r => format!("{r:.0}"),
    }
}
