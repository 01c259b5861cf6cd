//! The two layouts of images, and the conversion between them.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Direction, Reorder};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::Layer;
use crate::shader::BatchShape;

#[derive(Debug)]
pub(crate) struct Reordering {
    pub to: Layout,
}

/// Layers that only change the layout, or nothing.
pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(match layer {
        Layer::Identity | Layer::Name { .. } => Some(Lowered::Nothing),
        Layer::Flatten => Some(Lowered::Flat),
        _ => None,
    })
}

/// The shape of a batch of `value`, for kernels that take whole samples.
pub(crate) fn batch_shape(value: &Value, batch: usize) -> BatchShape {
    let batch = batch as u32;
    match value.layout {
        Layout::Rows => BatchShape::Rows { batch, features: value.len() as u32 },
        _ => {
            let (channels, positions) = (value.channels() as u32, value.positions() as u32);
            BatchShape::Image { batch, channels, positions }
        }
    }
}

/// Converts `planes` planes; `plane_rows` and `plane_image` are their distances in elements.
pub(crate) fn reorder(
    value: &Value,
    batch: u32,
    direction: Direction,
    planes: u32,
    [plane_rows, plane_image]: [u32; 2],
) -> Reorder {
    let (channels, positions) = (value.channels() as u32, value.positions() as u32);
    Reorder { direction, batch, channels, positions, planes, plane_rows, plane_image }
}

impl Operation for Reordering {
    fn layout(&self) -> Option<Layout> {
        Some(self.to)
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        let (channels, positions) = (output.channels(), output.positions());
        let from = match self.to {
            Layout::Image => [channels, positions],
            _ => [positions, channels],
        };
        host::Reorder { from }.into()
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let direction = if self.to == Layout::Image { Direction::ToImage } else { Direction::ToRows };
        let kernel = reorder(pass.output(op), pass.batch(), direction, 1, [0, 0]);
        pass.simple(op, kernel, &[])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let to = pass.target(op.input())?;
        let (direction, distances) = match self.to {
            Layout::Image => (Direction::ToRows, [to.plane, signal.plane]),
            _ => (Direction::ToImage, [signal.plane, to.plane]),
        };
        let kernel = reorder(pass.output(op), pass.batch(), direction, pass.mode.planes() as u32, distances);
        pass.schedule.push(kernel, vec![signal.slice, to.slice]);
        Ok(())
    }
}
