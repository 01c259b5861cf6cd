//! Sums of two values: at the end of a residual block, and of a named value; and the sum of signals where branches begin.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Add, AddSignal};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Activation, Layer};

#[derive(Debug)]
pub(crate) struct Residual;

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(matches!(layer, Layer::Add { .. }).then(|| Residual.into()))
}

impl Operation for Residual {
    fn layout(&self) -> Option<Layout> {
        None
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let elements = pass.setup.elements_of(pass.output(op))? as u32;
        pass.simple(op, Add { elements }, &[])
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        host::Add { size: output.len() }.into()
    }

    /// The same signal goes to both.
    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        pass.pass_on(op, signal);
        Ok(())
    }
}

/// The sum of two signals that arrive at `value`, into a third.
pub(crate) fn add_signals(pass: &mut BackwardPass<'_>, value: &Value, [one, other, to]: [Signal; 3]) {
    let elements = (pass.setup.batch * value.len()) as u32;
    let flow = pass.flow(&one, &to, Activation::Identity);
    let kernel = AddSignal { add: Add { elements }, flow };
    pass.schedule.push(kernel, vec![one.slice, to.slice, other.slice]);
}
