//! A learned number for each element of a sample. What goes back is what comes.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::PositionsForward;

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Layer, Mode, Role};
use crate::ops::channel_sums::{self, ChannelParameters, ChannelSums};
use crate::ops::layout::batch_shape;

#[derive(Debug)]
struct Positions;

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(matches!(layer, Layer::PositionEmbedding(_)).then(|| Positions.into()))
}

impl Operation for Positions {
    /// As the weight lies.
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Rows)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (setup, output) = (pass.setup, pass.output(op));
        setup.elements_of(output)?;
        let kernel = PositionsForward(batch_shape(output, setup.batch));
        pass.simple(op, kernel, &[setup.parameter(op, Role::Weight)])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        if pass.setup.trains(op) {
            let parameters = ChannelParameters::Offsets(batch_shape(pass.output(op), pass.setup.batch));
            channel_sums::push(pass, op, signal, parameters, &[], 1, false)?;
        }
        if pass.continues(op) {
            pass.pass_on(op, signal);
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        host::Positions { size: output.len() }.into()
    }

    fn scratch(&self, output: &Value, batch: usize, mode: Mode) -> usize {
        let parameters = ChannelParameters::Offsets(batch_shape(output, batch));
        ChannelSums { parameters, mode, plane: 0 }.len()
    }
}
