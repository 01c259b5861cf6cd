//! Fewer samples than a plan's batch: the rows behind them count nothing, whatever they hold.
//!
//! Their inputs become zeros, so that all activations are finite where the parameters are; for a signal of 0 does not make NaN
//! harmless. Their loss and their signal at the outputs become zeros too; nothing further down adds rows up in another way. A mean
//! that was divided by the batch is divided by the count.

mod kernel;

pub(crate) use kernel::Rows;

use crate::Result;
use crate::graph::{BackwardPass, Purpose, Region, Schedule, Setup, Slice};
use crate::model::Reduction;
use crate::shader::Dtype;

/// The number of samples.
pub(crate) fn count() -> Slice {
    Slice::new(Region::Count, 0, 1)
}

/// Rows of `row` elements in one plane.
fn rows(setup: &Setup<'_>, row: usize) -> Rows {
    let elements = (setup.batch * row) as u32;
    Rows { elements, row: row as u32, planes: 1, vectors: 0, plane_in: 0, plane_out: 0, mean_of: None }
}

/// What the loss leaves is of a mean over the whole batch.
fn of_loss(setup: &Setup<'_>, rows: Rows) -> Rows {
    let mean = setup.model.loss().reduction() != Reduction::Sum;
    Rows { mean_of: mean.then_some(setup.batch as u32), ..rows }
}

/// The beginning of the forward pass, and the input as it reads it.
pub(crate) fn begin(setup: &Setup<'_>) -> Result<(Schedule, Slice)> {
    let mut schedule = Schedule::default();
    let inputs = setup.model.inputs();
    let input = Slice::new(Region::Input, 0, setup.elements("input", inputs)?);
    if !setup.options.partial {
        return Ok((schedule, input));
    }
    let own = setup.own(Purpose::Activation, "input, its rows that count", setup.batch * inputs);
    schedule.push(rows(setup, inputs), vec![input, count(), own]);
    Ok((schedule, own))
}

/// Where `slice` goes before its rows are looked at: to memory of its own.
pub(crate) fn before(pass: &mut BackwardPass<'_>, slice: Slice) -> Slice {
    let elements = slice.size as usize / slice.dtype.bytes(1);
    pass.schedule.transient("all rows", elements, slice.dtype)
}

/// Takes the signal that the loss left at the outputs from `all` to `part`.
pub(crate) fn keep_signal(pass: &mut BackwardPass<'_>, all: Slice, part: Slice, plane: u32) {
    let (setup, mode) = (pass.setup, pass.mode);
    let (planes, vectors) = (mode.planes() as u32, mode.rank() as u32);
    let one = of_loss(setup, rows(setup, setup.model.outputs()));
    let rows = Rows { planes, vectors, plane_in: plane, plane_out: plane, ..one };
    pass.schedule.push(rows, vec![all, count(), part]);
}

/// The same for losses, `each` to a sample.
pub(crate) fn keep_losses(pass: &mut BackwardPass<'_>, all: Slice, part: Slice, each: usize) {
    let rows = of_loss(pass.setup, rows(pass.setup, each));
    pass.schedule.push(rows, vec![all, count(), part]);
}

/// The host's signal as it counts: planes of f32.
pub(crate) fn keep_outside(pass: &mut BackwardPass<'_>, outside: Slice, plane: u32) -> Slice {
    let (setup, planes) = (pass.setup, pass.mode.planes());
    let part = pass.schedule.transient("signal that counts", planes * plane as usize, Dtype::F32);
    let one = rows(setup, setup.model.outputs());
    let rows = Rows { planes: planes as u32, plane_in: plane, plane_out: plane, ..one };
    pass.schedule.push(rows, vec![outside, count(), part]);
    part
}
