//! Max and average pooling.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{PoolForward, PoolSignal, Pooling, shape};

use crate::Result;
use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Purpose, Signal,
};
use crate::model::Layer;
use crate::ops::image_size;
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

#[derive(Debug)]
pub(crate) struct Pool(pub Pooling);

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    if let Layer::AdaptiveAvgPool2d { output } = layer {
        let image = image_size(at);
        return Ok(Some(Pool(Pooling::Adaptive { image, positions: *output }).into()));
    }
    let pooling = match (layer, layer.pooling(at.name, at.input)?) {
        (Layer::MaxPool2d(_), Some(window)) => Pooling::Max(window),
        (Layer::AvgPool2d(pool), Some(window)) => {
            Pooling::Mean { window, count_padding: pool.count_include_pad }
        }
        _ => return Ok(None),
    };
    Ok(Some(Pool(pooling).into()))
}

impl Operation for Pool {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    #[cfg(feature = "cpu")]
    fn host(&self, input: &Value, _: &Value) -> HostOp {
        let channels = input.channels();
        match self.0 {
            Pooling::Max(window) => host::MaxPool::new(&window, channels).into(),
            Pooling::Mean { window, count_padding } => {
                host::AvgPool::new(&window, channels, count_padding).into()
            }
            Pooling::Adaptive { image, positions } => {
                host::AvgPool::adaptive(image, positions, channels).into()
            }
        }
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let output = pass.output(op);
        let (batch, channels, keep) = (pass.batch(), output.channels() as u32, pass.setup.options.training);
        let kernel = PoolForward { pooling: self.0, batch, channels, keep };
        let words = kernel.taps_len() as usize;
        let taps = (words > 0)
            .then(|| pass.setup.own(Purpose::Activation, format!("places of {}", output.name), words));
        taps.iter().for_each(|taps| pass.save(op, *taps));
        pass.simple(op, kernel, taps.as_slice())
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let (pooling, batch, channels) = (self.0, pass.batch(), pass.output(op).channels() as u32);
        let taps = pass.saved.extra(op);
        pass.through(op, signal, taps.as_slice(), |flow| PoolSignal { pooling, batch, channels, flow })
    }
}
