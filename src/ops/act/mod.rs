//! An activation by itself: behind another activation, first in the network, or next to the loss. Elsewhere the kernel before
//! it computes it, and the kernel behind it its derivatives.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{ActForward, ActSignal};

use crate::Result;
use crate::graph::{Backward, Forward, Layout, Lowered, Op, Operation, Position, Signal};
use crate::model::{Activation, Layer};
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

#[derive(Debug)]
pub(crate) struct Act(pub Activation);

pub(super) fn lower(layer: &Layer, _: &Position<'_>) -> Result<Option<Lowered>> {
    let Layer::Act(activation) = layer else { return Ok(None) };
    Ok(Some(Act(*activation).into()))
}

impl Operation for Act {
    fn layout(&self) -> Option<Layout> {
        None
    }

    fn forward(&self, pass: &mut Forward<'_>, op: &Op) -> Result<()> {
        let elements = pass.setup.elements_of(pass.output(op))? as u32;
        pass.simple(op, ActForward { activation: self.0, elements }, &[])
    }

    fn backward(&self, pass: &mut Backward<'_>, op: &Op, signal: &Signal) -> Result<()> {
        if !pass.continues(op) {
            return Ok(());
        }
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
