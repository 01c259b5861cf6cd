//! Pixel shuffle: blocks of r² channels become blocks of r × r pixels, or the other way round.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Shuffle, ShuffleForward, ShuffleSignal};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::Layer;

#[derive(Debug)]
pub(crate) struct PixelShuffle {
    pub factor: usize,
    /// Whether channels become pixels; else pixels become channels.
    pub enlarges: bool,
}

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let (factor, enlarges) = match layer {
        Layer::PixelShuffle { factor } => (*factor, true),
        Layer::PixelUnshuffle { factor } => (*factor, false),
        _ => return Ok(None),
    };
    Ok(Some(PixelShuffle { factor, enlarges }.into()))
}

impl PixelShuffle {
    /// Of input and output, those of the larger image.
    fn shuffle(&self, batch: u32, input: &Value, output: &Value) -> Shuffle {
        let large = if self.enlarges { output } else { input };
        Shuffle { batch, channels: large.channels() as u32, large: large.size(), factor: self.factor }
    }
}

impl Operation for PixelShuffle {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    #[cfg(feature = "cpu")]
    fn host(&self, input: &Value, output: &Value) -> HostOp {
        host::Shuffle::new(self, input, output).into()
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let shuffle = self.shuffle(pass.batch(), pass.input(op), pass.output(op));
        pass.simple(op, ShuffleForward { shuffle, enlarges: self.enlarges }, &[])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let shuffle = self.shuffle(pass.batch(), pass.input(op), pass.output(op));
        let enlarges = !self.enlarges;
        pass.through(op, signal, &[], |flow| ShuffleSignal { shuffle, enlarges, flow })
    }
}
