//! The elementwise product of two values: gates.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Multiply, MultiplySignal};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal};
use crate::model::Layer;
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

#[derive(Debug)]
struct Product;

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(matches!(layer, Layer::Multiply { .. }).then(|| Product.into()))
}

impl Operation for Product {
    fn layout(&self) -> Option<Layout> {
        None
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        host::Multiply { size: output.len() }.into()
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let elements = pass.setup.elements_of(pass.output(op))? as u32;
        pass.simple(op, Multiply { elements }, &[])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let elements = pass.setup.elements_of(pass.output(op))? as u32;
        for (input, other) in [(0, 1), (1, 0)] {
            let other = pass.saved.value(pass.graph, op.inputs[other]);
            let multiply = Multiply { elements };
            pass.through_to(op, input, signal, &[other], |flow| MultiplySignal { multiply, flow })?;
        }
        Ok(())
    }
}
