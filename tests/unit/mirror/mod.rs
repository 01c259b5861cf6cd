//! An operation that no model needs, added as any other is: its folder, a variant of `Layer`, the reference, and one line of
//! `ops/mod.rs`. It holds the graph, the passes and the executor to knowing no operation.
//!
//!     z_i = c_i x_{n-1-i}      c_i = 1 + i mod 3

#[cfg(feature = "cpu")]
mod host;
mod kernel;
mod tests;

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::Layer;
use kernel::{MirrorForward, MirrorSignal};

#[derive(Debug)]
struct Mirror;

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(matches!(layer, Layer::Mirror).then(|| Mirror.into()))
}

impl Mirror {
    fn kernel(batch: u32, value: &Value) -> MirrorForward {
        MirrorForward { batch, features: value.len() as u32 }
    }
}

impl Operation for Mirror {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Rows)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let kernel = Mirror::kernel(pass.batch(), pass.output(op));
        pass.simple(op, kernel, &[])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let mirror = Mirror::kernel(pass.batch(), pass.output(op));
        pass.through(op, signal, &[], |flow| MirrorSignal { mirror, flow })
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        host::Mirror { features: output.len() }.into()
    }
}
