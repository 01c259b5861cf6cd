//! The table, and the same as JSON.

use crate::measure::Row;
use serde::Serialize;

/// Under the table.
pub(crate) const NOTES: &str = "\
Times are medians of whole steps: forward, loss, backward with parameters; recording, submitting and waiting included.
ratio: mode / plain, steps of the two taking turns; in the rows of mode none it is 1 but for noise.
flops: the ratio of operation counts. 64-512x9-100: no biases, mean squared error; all others: softmax cross-entropy.";

/// The table's head; `steps` says what the column before the device's own times counts, `clock` what those are.
pub(crate) fn heading(adapter: &str, [steps, clock]: [&str; 2]) -> String {
    format!(
        "adapter: {}\n{:20} {:>5} {:12} {:>9} {:>9} {:>6} {:>6} {:>8} {:>5} {:>9} {:>6}",
        adapter,
        "workload",
        "batch",
        "mode",
        "plain ms",
        "mode ms",
        "ratio",
        "flops",
        "GFLOP/s",
        steps,
        clock,
        "ratio"
    )
}

/// One row.
pub(crate) fn line(row: &Row) -> String {
    let gpu = row.device_ms.map(|(plain, mode)| format!(" {mode:>9.3} {:>6.2}", mode / plain));
    format!(
        "{:20} {:>5} {:12} {:>9.3} {:>9.3} {:>6.2} {:>6.2} {:>8.2} {:>5}{}",
        row.workload,
        row.batch,
        row.mode,
        row.plain_ms,
        row.mode_ms,
        row.ratio(),
        row.flop_ratio,
        row.gflops(),
        row.dispatches,
        gpu.unwrap_or_else(|| format!(" {:>9} {:>6}", "-", "-"))
    )
}

/// One row as an object.
pub(crate) fn json(row: &Row) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        workload: &'a str,
        batch: usize,
        mode: &'a str,
        plain_ms: f64,
        mode_ms: f64,
        ratio: f64,
        flop_ratio: f64,
        gflops: f64,
        dispatches: usize,
        adapter: &'a str,
    }
    serde_json::to_string(&Object {
        workload: row.workload,
        batch: row.batch,
        mode: row.mode,
        plain_ms: row.plain_ms,
        mode_ms: row.mode_ms,
        ratio: row.ratio(),
        flop_ratio: row.flop_ratio,
        gflops: row.gflops(),
        dispatches: row.dispatches,
        adapter: &row.adapter,
    })
}
