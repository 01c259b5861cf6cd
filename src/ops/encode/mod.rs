//! Encodings of single numbers: each becomes several, smooth functions of it.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Encode, EncodeForward, EncodeSignal};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Encoding, Layer};

#[derive(Debug)]
struct Encoder(Encoding);

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(layer.encoding().map(|encoding| Encoder(encoding).into()))
}

impl Encoder {
    fn kernel(&self, input: &Value, batch: u32) -> Encode {
        let [channels, positions] = [input.channels(), input.positions()].map(|size| size as u32);
        Encode { encoding: self.0, numbers: batch * channels * positions, positions }
    }
}

impl Operation for Encoder {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Rows)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        pass.setup.elements_of(pass.output(op))?;
        let kernel = EncodeForward(self.kernel(pass.input(op), pass.batch()));
        pass.simple(op, kernel, &[])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let (encode, x) = (self.kernel(pass.input(op), pass.batch()), pass.saved_input(op));
        pass.through(op, signal, &[x], |flow| EncodeSignal { encode, flow })
    }

    #[cfg(feature = "cpu")]
    fn host(&self, input: &Value, _: &Value) -> HostOp {
        host::Encode { encoding: self.0, channels: input.channels(), positions: input.positions() }.into()
    }
}
