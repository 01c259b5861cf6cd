//! The signal at the outputs where the host supplies it, in place of a loss.
//!
//! It lies as any signal does that is stored in f32: in planes of `[batch, outputs]`, row by row, each from a multiple of 256 bytes
//! on. 0 is g; 1 is h; with u, 1 is not read, 2 is h, and 3 … are u. So what a plan leaves as the signal at its input can be
//! another's signal at the outputs as it lies.

mod kernel;

pub(crate) use kernel::Take;

use crate::Result;
use crate::graph::{BackwardPass, Region, Setup, Signal, Slice};
use crate::model::{Activation, Mode};
use crate::ops::partial;
use crate::shader::Dtype;

/// Elements of all planes, and the distance between them.
pub(crate) fn layout(setup: &Setup<'_>, mode: Mode) -> Result<[usize; 2]> {
    let plane = Dtype::F32.plane(setup.elements("signal at the outputs", setup.model.outputs())?);
    setup.elements("signal at the outputs", mode.planes() * setup.model.outputs())?;
    Ok([mode.planes() * plane, plane])
}

/// The plane of h, and that of the first u.
pub(crate) fn places(mode: Mode) -> [usize; 2] {
    [if mode.rank() > 0 { 2 } else { 1 }, 3]
}

/// Begins a backward pass at the host's signal: as it lies, or copied to where it is stored or wanted otherwise.
pub(crate) fn begin(pass: &mut BackwardPass<'_>) -> Result<()> {
    let setup = pass.setup;
    let [elements, plane] = layout(setup, setup.options.mode)?;
    let mut outside = Signal { slice: Slice::new(Region::Outside, 0, elements), plane: plane as u32 };
    if setup.options.partial {
        outside.slice = partial::keep_outside(pass, outside.slice, outside.plane);
    }
    if !pass.begin_at(outside) {
        let top = pass.top()?;
        let elements = setup.elements("signal at the outputs", setup.model.outputs())? as u32;
        let flow = pass.flow(&outside, &top, Activation::Identity);
        let kernel = Take { elements, flow, scale: setup.options.loss_scale };
        pass.schedule.push(kernel, vec![outside.slice, top.slice]);
    }
    Ok(())
}
