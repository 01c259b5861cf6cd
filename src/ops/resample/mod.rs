//! Images of another size, each axis by a matrix of its own: upsampling, padding by reflection and by the edge.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;
mod table;

pub(crate) use kernel::{Resample, ResampleForward, ResampleSignal};
pub(crate) use table::Axes;

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal};
use crate::model::{Layer, Resampling};
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

impl Operation for Resampling {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    #[cfg(feature = "cpu")]
    fn host(&self, input: &Value, _: &Value) -> HostOp {
        host::Resample::new(self, input.channels()).into()
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let output = pass.output(op);
        pass.setup.elements_of(output)?;
        let axes = Axes::new(self);
        let weights = |way, axes: &Axes| {
            pass.setup.constants(format!("weights of {} {way}", output.name), axes.words())
        };
        let forth = weights("forward", &axes);
        if pass.setup.options.training {
            let back = weights("backward", &axes.transposed(self.image));
            pass.save(op, back);
        }
        let resample = Resample::new(self, pass.batch(), output.channels() as u32);
        pass.simple(op, ResampleForward(resample), &[forth])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let resample = Resample::new(self, pass.batch(), pass.output(op).channels() as u32);
        let weights = pass.saved.extra(op);
        pass.through(op, signal, weights.as_slice(), |flow| ResampleSignal { resample, flow })
    }
}

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(layer.resampling(at.name, at.input)?.map(Lowered::from))
}
