//! Fewer samples than a plan's batch: the rows behind them count nothing, whatever they hold.
//!
//! Their inputs become zeros, so that all activations are finite where the parameters are; for a signal of 0 does not make NaN
//! harmless. Their loss and their signal at the outputs become zeros too; nothing further down adds rows up in another way. What a
//! mean divides by is the loss's own business: `ops/loss` looks at the count too.

mod kernel;

pub(crate) use kernel::Rows;

use crate::Result;
use crate::graph::{BackwardPass, Purpose, Region, Schedule, Setup, Slice};
use crate::shader::Dtype;

/// The number of samples.
pub(crate) fn count() -> Slice {
    Slice::new(Region::Count, 0, 1)
}

/// Rows of `row` elements in one plane.
fn rows(setup: &Setup<'_>, row: usize) -> Rows {
    let elements = (setup.batch * row) as u32;
    Rows { elements, row: row as u32, planes: 1, plane_in: 0, plane_out: 0 }
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
    let rows = planes(pass, plane);
    pass.schedule.push(rows, vec![all, count(), part]);
}

/// Those of a signal at the outputs.
fn planes(pass: &BackwardPass<'_>, plane: u32) -> Rows {
    let one = rows(pass.setup, pass.setup.model.outputs());
    Rows { planes: pass.mode.planes() as u32, plane_in: plane, plane_out: plane, ..one }
}

/// The same for losses, `each` to a sample.
pub(crate) fn keep_losses(pass: &mut BackwardPass<'_>, all: Slice, part: Slice, each: usize) {
    let rows = rows(pass.setup, each);
    pass.schedule.push(rows, vec![all, count(), part]);
}

/// The host's signal as it counts: planes of f32.
pub(crate) fn keep_outside(pass: &mut BackwardPass<'_>, outside: Slice, plane: u32) -> Slice {
    let rows = planes(pass, plane);
    let part = pass.schedule.transient("signal that counts", (rows.planes * plane) as usize, Dtype::F32);
    pass.schedule.push(rows, vec![outside, count(), part]);
    part
}
