//! Zero padding of images.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{PadForward, PadSignal};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::Layer;

#[derive(Debug)]
pub(crate) struct ZeroPad {
    /// Left, right, top, bottom.
    pub padding: [usize; 4],
}

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Layer::ZeroPad2d { padding } = layer else { return Ok(None) };
    Ok(Some(ZeroPad { padding: *padding }.into()))
}

impl ZeroPad {
    fn kernel(&self, batch: u32, input: &Value) -> PadForward {
        PadForward { batch, channels: input.channels() as u32, image: input.size(), padding: self.padding }
    }
}

impl Operation for ZeroPad {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    #[cfg(feature = "cpu")]
    fn host(&self, input: &Value, _: &Value) -> HostOp {
        let [height, width] = input.size();
        host::Pad::new([input.channels(), height, width], self.padding).into()
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let kernel = self.kernel(pass.batch(), pass.input(op));
        pass.simple(op, kernel, &[])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let pad = self.kernel(pass.batch(), pass.input(op));
        pass.through(op, signal, &[], |flow| PadSignal { pad, flow })
    }
}
