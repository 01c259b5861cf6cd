//! Concatenation: the channels of one value behind those of another.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Concat, ConcatSignal};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, Graph, LayerContext, Layout, Lowered, Op, Operation, Signal};
use crate::model::Layer;
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

#[derive(Debug)]
struct Concatenation {
    layout: Layout,
}

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let layout = if at.input.len() > 1 { Layout::Image } else { Layout::Rows };
    Ok(matches!(layer, Layer::Concat { .. }).then(|| Concatenation { layout }.into()))
}

impl Concatenation {
    fn kernel(&self, graph: &Graph, op: &Op, batch: u32) -> Concat {
        let channels = [0, 1].map(|input| graph.values[op.inputs[input]].channels() as u32);
        let output = &graph.values[op.output];
        let positions = batch * output.positions() as u32;
        // As the inputs lie: the output alone may be in both layouts at once.
        Concat { positions, channels, padded: self.layout == Layout::Image }
    }
}

impl Operation for Concatenation {
    fn layout(&self) -> Option<Layout> {
        Some(self.layout)
    }

    #[cfg(feature = "cpu")]
    fn host(&self, input: &Value, output: &Value) -> HostOp {
        host::Concat { first: input.channels(), all: output.channels(), positions: output.positions() }.into()
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        pass.setup.elements_of(pass.output(op))?;
        let kernel = self.kernel(pass.graph, op, pass.batch());
        pass.simple(op, kernel, &[])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let concat = self.kernel(pass.graph, op, pass.batch());
        for input in 0..2 {
            pass.through_to(op, input, signal, &[], |flow| ConcatSignal { concat, input, flow })?;
        }
        Ok(())
    }
}
