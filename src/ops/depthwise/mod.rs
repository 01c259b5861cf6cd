//! Depthwise convolutions.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{DepthwiseForward, DepthwiseSignal, DepthwiseSizes};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, Layout, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Convolution, Mode, Role};
use crate::ops::channel_sums::{self, ChannelParameters, ChannelSums};
use crate::shader::padded;

#[derive(Debug)]
pub(crate) struct Depthwise(pub Convolution);

impl Depthwise {
    fn sizes(&self, batch: u32) -> DepthwiseSizes {
        DepthwiseSizes { window: self.0.window, batch, channels: self.0.inputs as u32 }
    }

    fn parameters(&self, batch: u32) -> ChannelParameters {
        ChannelParameters::Depthwise { sizes: self.sizes(batch), bias: self.0.bias }
    }
}

impl Operation for Depthwise {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (sizes, bias, weight) =
            (self.sizes(pass.batch()), self.0.bias, pass.setup.parameter(op, Role::Weight));
        pass.linear(op, weight, bias, |activation, keep, plane| DepthwiseForward {
            sizes,
            bias,
            activation,
            keep,
            plane,
        })
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let (sizes, parameters) = (self.sizes(pass.batch()), self.parameters(pass.batch()));
        if pass.setup.trains(op) {
            channel_sums::push(pass, op, signal, parameters, &[], self.0.window.taps() as u32, self.0.bias)?;
        }
        if pass.continues(op) {
            let weight = pass.setup.parameter(op, Role::Weight);
            pass.through(op, signal, &[weight], |flow| DepthwiseSignal { sizes, flow })?;
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        host::Depthwise::new(&self.0).into()
    }

    fn packed_weight(&self) -> Option<usize> {
        padded(self.0.inputs).checked_mul(self.0.window.taps())
    }

    fn scratch(&self, _: &Value, batch: usize, mode: Mode) -> usize {
        ChannelSums { parameters: self.parameters(batch as u32), mode, plane: 0 }.len()
    }
}
