//! Batch normalisation in training, by the statistics of the batch: every output of a channel depends on all of its inputs.

#[cfg(feature = "cpu")]
use super::batch_host;
use super::batch_kernel::{BatchGroups, BatchSignal, Coefficients, SignalSums, StatisticsKernel, Step};
use super::kernel::{NormBy, NormForward};
use crate::graph::{
    BackwardPass, ForwardPass, Layout, Op, Operation, Purpose, Region, Setup, Signal, Slice, Value,
};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Activation, Mode, Role};
use crate::ops::channel_sums::{self, ChannelParameters, ChannelSums};
use crate::ops::partial;
use crate::shader::{DeviceClass, Dtype};
use crate::{Error, Result};

#[derive(Debug)]
pub(crate) struct BatchStatistics {
    pub eps: f64,
    pub momentum: f64,
}

impl BatchStatistics {
    fn groups(&self, class: DeviceClass, partial: bool, output: &Value, batch: usize) -> BatchGroups {
        BatchGroups {
            class,
            batch: batch as u32,
            channels: output.channels() as u32,
            positions: output.positions() as u32,
            eps: self.eps as f32,
            momentum: self.momentum as f32,
            partial,
            variances: output.channels().next_multiple_of(64) as u32,
        }
    }

    fn kernel(&self, setup: &Setup<'_>, output: &Value) -> BatchGroups {
        self.groups(setup.tuning.class, setup.options.partial, output, setup.batch)
    }
}

/// The running statistics of an operation's layer.
pub(super) fn running(setup: &Setup<'_>, op: &Op) -> Slice {
    let running = op.node.and_then(|node| setup.model.running_of(node));
    let range = running.expect("the layer has some").range();
    Slice::new(Region::Statistics, range.start, range.len())
}

/// The number of samples, where the host says it.
fn count(norm: &BatchGroups) -> Option<Slice> {
    norm.partial.then(partial::count)
}

impl Operation for BatchStatistics {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (setup, output) = (pass.setup, pass.output(op));
        let numbers = setup.batch as u64 * output.positions() as u64;
        for (what, needed, most) in [
            ("numbers of a channel with statistics of the batch", numbers, BatchGroups::MOST_NUMBERS),
            ("samples of a batch with statistics", setup.batch as u64, BatchGroups::MOST_SAMPLES),
        ] {
            if needed > u64::from(most) {
                return Err(Error::limit(&output.name, what, needed, most.into()));
            }
        }
        let norm = self.kernel(setup, output);
        let name = format!("statistics of {}", output.name);
        let moments = pass.schedule.transient(name.clone(), norm.moments_len(), Dtype::F32);
        let statistics = setup.own(Purpose::Activation, name, norm.statistics_len());
        let behind = |slices: [Slice; 2]| slices.into_iter().chain(count(&norm)).collect();
        let input = pass.saved.value(pass.graph, op.input());
        let kernel = |step| StatisticsKernel { norm, step };
        pass.schedule.push(kernel(Step::Moments), behind([input, moments]));
        pass.schedule.push(kernel(Step::Statistics), behind([moments, statistics]));
        pass.save(op, statistics);
        let [weight, bias] = [Role::Weight, Role::Bias].map(|role| setup.parameter(op, role));
        pass.simple(op, NormForward { shape: norm.shape(), by: NormBy::Batch }, &[statistics, weight, bias])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let norm = self.kernel(pass.setup, pass.output(op));
        let statistics = pass.saved.extra(op).expect("the forward pass kept it");
        let weight = pass.setup.parameter(op, Role::Weight);
        let below = if pass.continues(op) {
            let (mode, name) = (pass.mode, format!("sums at {}", pass.output(op).name));
            let kernel = SignalSums { norm, mode, plane: signal.plane };
            let parameters = ChannelParameters::Norm(norm.shape(), NormBy::Batch);
            // Those loop as the parameters' sums do.
            ChannelSums { parameters, mode, plane: signal.plane }.check(&pass.output(op).name)?;
            let sums = pass.schedule.transient(name.clone(), kernel.len(), Dtype::F32);
            let coefficients = pass.schedule.transient(name, norm.coefficients_len(), Dtype::F32);
            pass.schedule.push(kernel, vec![signal.slice, sums, pass.saved_input(op), statistics]);
            let slices = [sums, coefficients, statistics, weight].into_iter().chain(count(&norm));
            pass.schedule.push(Coefficients { norm, mode }, slices.collect());
            Some((sums, coefficients))
        } else {
            None
        };
        if pass.setup.trains(op) {
            let parameters = ChannelParameters::Norm(norm.shape(), NormBy::Batch);
            channel_sums::push(pass, op, signal, parameters, &[statistics], 1, true)?;
        }
        if let Some((sums, coefficients)) = below {
            let to = pass.target(op.input())?;
            let flow = pass.flow(signal, &to, Activation::Identity);
            let mut slices = vec![signal.slice, to.slice, pass.saved_input(op), coefficients];
            slices.extend((pass.mode.rank() > 0).then_some(sums));
            pass.schedule.push(BatchSignal { norm, flow }, slices);
        }
        Ok(())
    }

    fn finish(&self, pass: &mut BackwardPass<'_>, op: &Op) {
        let norm = self.kernel(pass.setup, pass.output(op));
        let statistics = pass.saved.extra(op).expect("the forward pass kept it");
        let slices = [running(pass.setup, op), statistics].into_iter().chain(count(&norm));
        pass.schedule.push(StatisticsKernel { norm, step: Step::Follow }, slices.collect());
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        let (channels, positions) = (output.channels(), output.positions());
        let BatchStatistics { eps, momentum } = *self;
        HostOp::Batch(Box::new(batch_host::Standardize { channels, positions, eps, momentum }))
    }

    fn scratch(&self, output: &Value, batch: usize, mode: Mode) -> usize {
        let norm = self.groups(DeviceClass::Software, false, output, batch);
        let parameters = ChannelParameters::Norm(norm.shape(), NormBy::Batch);
        let sums = SignalSums { norm, mode, plane: 0 }.len().max(norm.moments_len());
        sums.max(ChannelSums { parameters, mode, plane: 0 }.len())
    }
}
