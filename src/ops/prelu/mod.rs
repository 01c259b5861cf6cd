//! PReLU: a rectifier whose slope below 0 is learned, for all elements together or for each channel.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{SlopesForward, SlopesSignal};

use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Setup, Signal, Value,
};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Layer, Mode, PRelu, Role};
use crate::ops::channel_sums::{self, ChannelParameters, ChannelSums};
use crate::ops::layout::batch_shape;
use crate::{Error, Result};

#[derive(Debug)]
pub(crate) struct Slopes {
    /// How many.
    slopes: usize,
    /// Whether each channel has its own.
    of_channels: bool,
}

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Layer::PRelu(PRelu { slopes }) = *layer else { return Ok(None) };
    Ok(Some(Slopes { slopes, of_channels: slopes > 1 || at.input[0] == 1 }.into()))
}

impl Slopes {
    fn kernel(&self, setup: &Setup<'_>, output: &Value) -> SlopesForward {
        SlopesForward { shape: batch_shape(output, setup.batch), slopes: self.slopes as u32 }
    }

    fn parameters(&self, output: &Value, batch: usize) -> ChannelParameters {
        let shape = batch_shape(output, batch);
        if self.of_channels {
            ChannelParameters::Slopes(shape)
        } else {
            ChannelParameters::Slopes(shape.as_line())
        }
    }
}

impl Operation for Slopes {
    /// Slopes of channels are those of an image.
    fn layout(&self) -> Option<Layout> {
        self.of_channels.then_some(Layout::Image)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (setup, output) = (pass.setup, pass.output(op));
        let (numbers, most) = (output.len() as u64, u64::from(ChannelSums::MOST_POSITIONS));
        if setup.options.training && setup.trains(op) && !self.of_channels && numbers > most {
            return Err(Error::limit(&output.name, "numbers of a sample that share a slope", numbers, most));
        }
        pass.simple(op, self.kernel(setup, output), &[setup.parameter(op, Role::Weight)])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let (setup, output) = (pass.setup, pass.output(op));
        if setup.trains(op) {
            let parameters = self.parameters(output, setup.batch);
            channel_sums::push(pass, op, signal, parameters, &[], 1, false)?;
        }
        if pass.continues(op) {
            let extras = [pass.saved_input(op), setup.parameter(op, Role::Weight)];
            let slopes = self.kernel(setup, output);
            pass.through(op, signal, &extras, |flow| SlopesSignal { slopes, flow })?;
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        host::Slopes { slopes: self.slopes, size: output.len() }.into()
    }

    fn scratch(&self, output: &Value, batch: usize, mode: Mode) -> usize {
        ChannelSums { parameters: self.parameters(output, batch), mode, plane: 0 }.len()
    }
}
