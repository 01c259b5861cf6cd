//! Converts requested signals to the user's form: rows of f32, without the loss's scale.

mod kernel;

pub(crate) use kernel::Cast;

use crate::graph::{BackwardPass, Layout, Signal, Value};
use crate::ops::layout;
use crate::ops::layout::Direction;
use crate::shader::Dtype;

/// Converts g and the diagonal of a signal to the user's form.
pub(crate) fn show(pass: &mut BackwardPass<'_>, value: &Value, signal: Signal, shown: Signal) {
    let elements = pass.setup.batch * value.shape.iter().product::<usize>();
    let (planes, dtype) = (1 + u32::from(pass.mode.has_diagonal()), pass.setup.options.storage);
    let mut signal = signal;
    if value.layout == Layout::Image {
        let mut rows = shown;
        if dtype != Dtype::F32 {
            let (name, plane) = (format!("rows of {}", value.name), dtype.plane(elements));
            let slice = pass.schedule.transient(name, planes as usize * plane, dtype);
            rows = Signal { slice, plane: plane as u32 };
        }
        let distances = [rows.plane, signal.plane];
        let kernel = layout::reorder(value, pass.batch(), Direction::ToRows, planes, distances);
        pass.schedule.push(kernel, vec![signal.slice, rows.slice]);
        signal = rows;
    }
    if dtype != Dtype::F32 {
        let (plane_in, plane_out, scale) = (signal.plane, shown.plane, 1.0 / pass.setup.options.loss_scale);
        let kernel = Cast { elements: elements as u32, planes, plane_in, plane_out, scale };
        pass.schedule.push(kernel, vec![signal.slice, shown.slice]);
    }
}
