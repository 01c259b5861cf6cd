//! Dropout in training. At inference it is removed.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{DropoutForward, DropoutSignal};

use crate::Result;
use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Setup, Signal, Value,
};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::Layer;
use crate::ops::layout::batch_shape;
use crate::ops::noise;

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
        pass.simple(op, kernel, &[noise::slice()])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let dropout = self.kernel(pass.setup, pass.output(op));
        pass.through(op, signal, &[noise::slice()], |flow| DropoutSignal { dropout, flow })
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
