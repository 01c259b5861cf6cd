//! Shared by several test targets: comparing tensors, and the golden vectors.
#![allow(dead_code)] // each target uses its own part

pub(crate) mod golden;
pub(crate) mod ledger;
pub(crate) mod not_run;
pub(crate) mod own;
pub(crate) mod tiles;

use hesscale::{Layer, Model};

/// Inputs as a model takes them: numbers in ±1, or where they select rows of a table such, the first ones more often.
pub(crate) fn inputs(model: &Model, samples: usize, mut draw: impl FnMut() -> f64) -> Vec<f64> {
    let rows = rows(model.layers());
    let input = |x: f64| rows.map_or(x * 2.0 - 1.0, |rows| (x * x * rows as f64).floor());
    (0..samples * model.inputs()).map(|_| input(draw())).collect()
}

/// Of the smallest table.
fn rows(layers: &[Layer]) -> Option<usize> {
    let of = |layer: &Layer| match layer {
        Layer::Embedding(table) => Some(table.count),
        Layer::Residual { body, projection } => rows(body).into_iter().chain(rows(projection)).min(),
        _ => None,
    };
    layers.iter().filter_map(of).min()
}

/// `max|got − want| / max|want|`, or the plain `max|got − want|` where the reference is all zeros. Infinite for NaN
/// anywhere and for lengths that differ.
pub(crate) fn relative_max_norm(got: &[f64], want: &[f64]) -> f64 {
    if got.len() != want.len() || got.iter().chain(want).any(|x| x.is_nan()) {
        return f64::INFINITY;
    }
    let scale = scale(want);
    got.iter().zip(want).map(|(g, w)| difference(*g, *w) / scale).fold(0.0, f64::max)
}

/// The error of tensor `name` if it is within `bound`, else a report: how many elements are over it, the worst, and the
/// first few.
pub(crate) fn compare(name: &str, got: &[f64], want: &[f64], bound: f64) -> Result<f64, String> {
    let error = relative_max_norm(got, want);
    if error <= bound {
        return Ok(error);
    }
    if got.len() != want.len() {
        return Err(format!("{name}: {} elements, the reference has {}", got.len(), want.len()));
    }
    let scale = scale(want);
    let size = |i: usize| {
        let d = difference(got[i], want[i]);
        if d.is_nan() { f64::INFINITY } else { d }
    };
    let bad: Vec<usize> = (0..want.len()).filter(|i| size(*i) / scale > bound).collect();
    let worst = bad.iter().copied().reduce(|a, b| if size(b) > size(a) { b } else { a }).unwrap_or(0);
    let line = |i: usize| format!("[{i}]: got {:e}, want {:e}, Δ {:e}", got[i], want[i], got[i] - want[i]);
    let first: Vec<String> = bad.iter().take(4).map(|i| line(*i)).collect();
    Err(format!(
        "{name}: {error:e} > {bound:e}; {}/{} over the bound, worst at {}; first: {}",
        bad.len(),
        want.len(),
        line(worst),
        first.join("; "),
    ))
}

/// Equal infinities differ by nothing.
fn difference(got: f64, want: f64) -> f64 {
    if got == want { 0.0 } else { (got - want).abs() }
}

fn scale(want: &[f64]) -> f64 {
    let largest = want.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
    if largest == 0.0 || largest.is_infinite() { 1.0 } else { largest }
}

pub(crate) fn to_f64<T: Copy + Into<f64>>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| (*x).into()).collect()
}
