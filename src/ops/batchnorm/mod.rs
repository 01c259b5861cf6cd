//! Batch normalisation: with fixed or running statistics an affine map of each channel, and in training by those of the batch.

mod batch;
#[cfg(feature = "cpu")]
mod batch_host;
mod batch_kernel;
#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use batch_kernel::{BatchGroups, StatisticsKernel, Step};
#[cfg(test)]
pub(crate) use batch_kernel::{BatchSignal, Coefficients, SignalSums};
pub(crate) use kernel::{NormBy, NormForward, NormSignal};

use batch::BatchStatistics;

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Value};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{BatchNorm as Statistics, Layer, Mode, Role};
use crate::ops::channel_sums::{ChannelParameters, ChannelSums};
use crate::ops::{channel_sums, layout::batch_shape};
use crate::shader::Dtype;

#[derive(Debug)]
pub(crate) struct BatchNorm(pub Statistics);

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Layer::BatchNorm(statistics) = layer else { return Ok(None) };
    Ok(Some(match statistics.momentum {
        Some(momentum) if at.training => BatchStatistics { eps: statistics.eps, momentum }.into(),
        _ => BatchNorm(statistics.clone()).into(),
    }))
}

impl BatchNorm {
    /// The means, zeros, then 1 / √(var + ε), each padded as the channels are.
    fn statistics(&self, kernel: &NormForward) -> Vec<f32> {
        let mut numbers = vec![0.0; kernel.statistics_len() as usize];
        let plane = numbers.len() / 3;
        let (means, inverses) = numbers.split_at_mut(2 * plane);
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
        let kernel = NormForward { shape: batch_shape(output, setup.batch), by: NormBy::Given };
        let name = format!("statistics of {}", output.name);
        let statistics = match self.0.momentum {
            None => setup.constants(name, self.statistics(&kernel)),
            Some(_) => {
                let statistics = pass.schedule.transient(name, kernel.statistics_len() as usize, Dtype::F32);
                let norm = BatchGroups::predicting(kernel.shape, self.0.eps as f32);
                let kernel = StatisticsKernel { norm, step: Step::Running };
                pass.schedule.push(kernel, vec![batch::running(setup, op), statistics]);
                statistics
            }
        };
        pass.save(op, statistics);
        let [weight, bias] = [Role::Weight, Role::Bias].map(|role| setup.parameter(op, role));
        pass.simple(op, kernel, &[statistics, weight, bias])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let shape = batch_shape(pass.output(op), pass.setup.batch);
        let statistics = pass.saved.extra(op);
        let parameters = ChannelParameters::Norm(shape, NormBy::Given);
        if pass.setup.trains(op) {
            channel_sums::push(pass, op, signal, parameters, statistics.as_slice(), 1, true)?;
        }
        if pass.continues(op) {
            let weight = pass.setup.parameter(op, Role::Weight);
            let extras: Vec<_> = statistics.into_iter().chain([weight]).collect();
            pass.through(op, signal, &extras, |flow| NormSignal { shape, flow })?;
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        host::Normalize::new(&self.0, output.positions()).into()
    }

    fn scratch(&self, output: &Value, batch: usize, mode: Mode) -> usize {
        let parameters = ChannelParameters::Norm(batch_shape(output, batch), NormBy::Given);
        ChannelSums { parameters, mode, plane: 0 }.len()
    }
}
