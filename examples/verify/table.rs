//! The printed table.

use crate::check::{Failure, Verdict};
use crate::{BOUND, Job};
use std::process::ExitCode;

/// Reports of tensors over the bound that are shown for each row.
const SHOWN: usize = 4;
const TENSOR: usize = 36;

/// Prints rows and counts results.
#[derive(Default)]
pub(crate) struct Table {
    width: usize,
    rows: usize,
    tensors: usize,
    over: usize,
    broken: usize,
    unsupported: usize,
    /// Error, tensor, row.
    worst: Option<(f64, String, String)>,
}

impl Table {
    pub(crate) fn new(jobs: &[Job]) -> Table {
        let width = jobs.iter().map(|job| job.name.chars().count()).max().unwrap_or(0).max(5);
        println!("{:width$}  {:TENSOR$}  {:>9}  {:>7}", "check", "worst tensor", "error", "bound");
        Table { width, ..Table::default() }
    }

    /// Prints a row, followed by its errors.
    pub(crate) fn add(&mut self, name: &str, verdict: Verdict) {
        self.rows += 1;
        let width = self.width;
        match verdict {
            Verdict::Failed(Failure::Unsupported(reason)) => {
                self.unsupported += 1;
                println!("{name:width$}  unsupported: {reason}");
            }
            Verdict::Failed(Failure::Broken(reason)) => {
                self.broken += 1;
                println!("{name:width$}  FAIL: {reason}");
            }
            Verdict::Compared(comparison) => {
                let (tensor, error) = comparison.worst;
                let (faults, verdict) = match comparison.faults.len() {
                    0 => (0, "ok"),
                    faults => (faults, "FAIL"),
                };
                println!("{name:width$}  {tensor:TENSOR$}  {error:9.2e}  {BOUND:7.0e}  {verdict}");
                comparison.faults.iter().take(SHOWN).for_each(|fault| println!("    {fault}"));
                if faults > SHOWN {
                    println!("    … and {} more of {} tensors", faults - SHOWN, comparison.tensors);
                }
                self.tensors += comparison.tensors;
                self.over += usize::from(faults > 0);
                if self.worst.as_ref().is_none_or(|worst| error > worst.0) {
                    self.worst = Some((error, tensor, name.into()));
                }
            }
        }
    }

    /// The summary of an ordinary run.
    pub(crate) fn summary(&self) -> ExitCode {
        println!();
        if let Some((error, tensor, name)) = &self.worst {
            println!("worst: {error:.2e}, {tensor} of `{name}` (bound {BOUND:.0e})");
        }
        println!(
            "{} checks, {} tensors; {} over the bound, {} failed to run, {} unsupported",
            self.rows, self.tensors, self.over, self.broken, self.unsupported
        );
        match self.over + self.broken + self.unsupported {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }

    /// The summary of a run with planted errors, which should fail.
    pub(crate) fn planted(&self) -> ExitCode {
        let planted = self.rows - self.broken - self.unsupported;
        println!("\nself-test: {} of {planted} planted errors were caught", self.over);
        if self.over == planted && planted > 0 { ExitCode::FAILURE } else { ExitCode::from(3) }
    }
}
