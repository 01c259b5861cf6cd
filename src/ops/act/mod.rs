//! Activations. Most are fused into the kernels before and after them; one that follows another activation, comes first in the
//! network or precedes the loss has kernels of its own.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{ActForward, ActSignal};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal};
use crate::model::{Activation, Layer};
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

#[derive(Debug)]
pub(crate) struct Act(pub Activation);

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Layer::Act(activation) = layer else { return Ok(None) };
    Ok(Some(Act(*activation).into()))
}

impl Operation for Act {
    fn layout(&self) -> Option<Layout> {
        None
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let elements = pass.setup.elements_of(pass.output(op))? as u32;
        pass.simple(op, ActForward { activation: self.0, elements }, &[])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let to = pass.target(op.input())?;
        let elements = (pass.setup.batch * pass.input(op).len()) as u32;
        let kernel = ActSignal { flow: pass.flow(signal, &to, self.0), elements };
        let mut slices = vec![signal.slice, to.slice];
        slices.extend((self.0 != Activation::Identity).then(|| pass.saved_input(op)));
        pass.schedule.push(kernel, slices);
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        host::Act { function: self.0, size: output.len() }.into()
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.0)
    }
}
