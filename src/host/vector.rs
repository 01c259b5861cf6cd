//! Elementwise loops and column sums, vectorized for the CPU they run on.

use super::Threads;

/// Runs `f` with the vectors of this CPU, as far as it is inlined: closures within it must be marked so too, and the body of a `for_each`
/// is not inlined for certain.
#[inline(always)]
pub(crate) fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// Applies `f` to each element of `to` with its counterpart in `from`. Generic, so that it is vectorized for each function.
#[inline(always)]
fn each(to: &mut [f32], from: &[f32], f: impl Fn(&mut f32, f32)) {
    vectorized(
        #[inline(always)]
        || {
            for (to, from) in to.iter_mut().zip(from) {
                f(to, *from);
            }
        },
    );
}

/// `to ← to + from`
pub(crate) fn add_to(to: &mut [f32], from: &[f32]) {
    each(to, from, |to, x| *to += x);
}

/// `to ← to + from²`
pub(crate) fn add_squares(to: &mut [f32], from: &[f32]) {
    each(to, from, |to, x| *to += x * x);
}

/// `to ← to + scale · from`
pub(crate) fn add_scaled(to: &mut [f32], scale: f32, from: &[f32]) {
    each(to, from, |to, x| *to += scale * x);
}

/// `to ← to + scale · from²`
pub(crate) fn add_scaled_squares(to: &mut [f32], scale: f32, from: &[f32]) {
    each(to, from, |to, x| *to += scale * (x * x));
}

/// `to ← from²`
pub(crate) fn square(to: &mut [f32], from: &[f32]) {
    each(to, from, |to, x| *to = x * x);
}

pub(crate) fn square_parallel(threads: &Threads, to: &mut [f32], from: &[f32]) {
    let ranges = threads.ranges(from.len(), 8 * from.len());
    let mut rest = to;
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (part, behind) = std::mem::take(&mut rest).split_at_mut(range.len());
        parts.push((part, &from[range]));
        rest = behind;
    }
    threads.each(parts, |(to, from)| square(to, from));
}

/// Begins each row with the bias, if there is one, or adds it to what is there. Returns whether there is now something to add to.
pub(crate) fn begin_rows(rows: &mut [f32], bias: &[f32], add: bool) -> bool {
    if bias.is_empty() {
        return add;
    }
    let begin = |row: &mut [f32]| if add { add_to(row, bias) } else { row.copy_from_slice(bias) };
    rows.chunks_exact_mut(bias.len()).for_each(begin);
    true
}

/// Rows that are summed in one chain: shorter chains lose less to rounding.
const RUN: usize = 32;

/// Adds the sum of all rows of `s`, `[rows, columns]`, summing runs of rows, then runs of runs, and so on.
pub(crate) fn add_columns(to: &mut [f32], s: &[f32]) {
    let columns = to.len();
    let mut part = columns;
    while part * RUN < s.len() {
        part *= RUN;
    }
    if part == columns {
        return s.chunks_exact(columns).for_each(|row| add_to(to, row));
    }
    let mut run = vec![0.0; columns];
    for rows in s.chunks(part) {
        run.fill(0.0);
        add_columns(&mut run, rows);
        add_to(to, &run);
    }
}
