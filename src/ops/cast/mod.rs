//! Converts requested activations and signals to the user's form: rows of f32, without the loss's scale.

mod kernel;

pub(crate) use kernel::Cast;

use crate::graph::{BackwardPass, ForwardPass, Layout, Signal, Slice, Value};
use crate::ops::layout;
use crate::ops::layout::Direction;
use crate::shader::Dtype;

/// Converts an activation to the user's form.
pub(crate) fn show_activation(pass: &mut ForwardPass<'_>, value: &Value, from: Slice, shown: Slice) {
    if value.layout == Layout::Image {
        let kernel = layout::reorder(value, pass.batch(), Direction::ToRows, 1, [0, 0]);
        pass.schedule.push(kernel, vec![from, shown]);
    } else {
        let elements = (pass.setup.batch * value.len()) as u32;
        let kernel = Cast { elements, planes: 1, plane_in: 0, plane_out: 0, scale: 1.0 };
        pass.schedule.push(kernel, vec![from, shown]);
    }
}

/// Converts all planes of a signal to the user's form. The loss's scale is in u as its root.
pub(crate) fn show(pass: &mut BackwardPass<'_>, value: &Value, signal: Signal, shown: Signal) {
    let elements = pass.setup.batch * value.shape.iter().product::<usize>();
    let (planes, dtype) = (pass.mode.planes() as u32, pass.setup.options.storage);
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
    if dtype != Dtype::F32 || value.layout != Layout::Image {
        let (plane_in, plane_out, scale) = (signal.plane, shown.plane, 1.0 / pass.setup.options.loss_scale);
        let vectors = pass.mode.rank() as u32;
        let scaled = Cast { elements: elements as u32, planes: planes - vectors, plane_in, plane_out, scale };
        pass.schedule.push(scaled, vec![signal.slice, shown.slice]);
        if vectors > 0 {
            let behind = |Signal { slice, plane }| {
                slice.skipping(slice.dtype.bytes((scaled.planes * plane) as usize) as u64)
            };
            let rooted = Cast { planes: vectors, scale: scale.sqrt(), ..scaled };
            pass.schedule.push(rooted, vec![behind(signal), behind(shown)]);
        }
    }
}
