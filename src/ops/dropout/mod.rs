//! Dropout in training. At inference it is removed.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{AdvanceNoise, DropoutForward, DropoutSignal};

use crate::Result;
use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Region, Setup, Signal, Slice,
    Value,
};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::Layer;
use crate::ops::layout::batch_shape;

#[derive(Debug)]
pub(crate) struct Dropout {
    pub p: f64,
    /// The number that [`Noise`](crate::model::Noise) draws for.
    pub node: u32,
}

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Layer::Dropout { p } = *layer else { return Ok(None) };
    if !at.training || p == 0.0 {
        return Ok(Some(Lowered::Nothing));
    }
    Ok(Some(Dropout { p, node: at.node as u32 }.into()))
}

/// Seed and step.
fn noise() -> Slice {
    Slice::new(Region::Noise, 0, DropoutForward::NOISE_LEN)
}

/// Advances the random numbers, at the end of a backward pass.
pub(crate) fn advance(pass: &mut BackwardPass<'_>) {
    pass.schedule.push(AdvanceNoise, vec![noise()]);
}

impl Dropout {
    fn kernel(&self, setup: &Setup<'_>, output: &Value) -> DropoutForward {
        DropoutForward { shape: batch_shape(output, setup.batch), node: self.node, p: self.p }
    }
}

impl Operation for Dropout {
    fn layout(&self) -> Option<Layout> {
        None
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let kernel = self.kernel(pass.setup, pass.output(op));
        pass.simple(op, kernel, &[noise()])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let dropout = self.kernel(pass.setup, pass.output(op));
        pass.through(op, signal, &[noise()], |flow| DropoutSignal { dropout, flow })
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        let shape = match output.layout {
            Layout::Image => [output.positions(), output.channels()],
            _ => [1, output.len()],
        };
        host::Dropout { p: self.p, node: self.node, shape }.into()
    }

    fn is_random(&self) -> bool {
        true
    }
}
