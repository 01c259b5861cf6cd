//! Batch normalisation with fixed statistics: an affine map of each channel.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{NormForward, NormSignal};

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{BatchNorm as Statistics, Layer, Mode, Role};
use crate::ops::channel_sums::{ChannelParameters, ChannelSums};
use crate::ops::{channel_sums, layout::batch_shape};

#[derive(Debug)]
pub(crate) struct BatchNorm(pub Statistics);

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Layer::BatchNorm(statistics) = layer else { return Ok(None) };
    Ok(Some(BatchNorm(statistics.clone()).into()))
}

impl BatchNorm {
    /// The means, then 1 / √(var + ε), each padded as the channels are.
    fn statistics(&self, kernel: &NormForward) -> Vec<f32> {
        let mut numbers = vec![0.0; kernel.statistics_len() as usize];
        let (means, inverses) = numbers.split_at_mut(kernel.statistics_len() as usize / 2);
        means[..self.0.mean.len()].copy_from_slice(&self.0.mean);
        let computed = self.0.inverse_deviations();
        inverses.iter_mut().zip(computed).for_each(|(number, inverse)| *number = inverse as f32);
        numbers
    }
}

impl Operation for BatchNorm {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (setup, output) = (pass.setup, pass.output(op));
        let kernel = NormForward { shape: batch_shape(output, setup.batch) };
        let statistics = setup.constants(format!("statistics of {}", output.name), self.statistics(&kernel));
        pass.save(op, statistics);
        let [weight, bias] = [Role::Weight, Role::Bias].map(|role| setup.parameter(op, role));
        pass.simple(op, kernel, &[statistics, weight, bias])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let shape = batch_shape(pass.output(op), pass.setup.batch);
        let statistics = pass.saved.extra(op);
        let parameters = ChannelParameters::Norm(shape);
        if pass.setup.trains(op) {
            channel_sums::push(pass, op, signal, parameters, statistics.as_slice(), 1, true);
        }
        if pass.continues(op) {
            let weight = pass.setup.parameter(op, Role::Weight);
            let extras: Vec<_> = statistics.into_iter().chain([weight]).collect();
            let norm = NormForward { shape };
            pass.through(op, signal, &extras, |flow| NormSignal { norm, flow })?;
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        host::Normalize::new(&self.0, output.positions()).into()
    }

    fn partial_sums(&self, output: &Value, batch: usize, mode: Mode) -> usize {
        ChannelSums { parameters: ChannelParameters::Norm(batch_shape(output, batch)), mode, plane: 0 }.len()
    }
}
