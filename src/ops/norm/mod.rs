//! Normalisation by a sample's own statistics: layer, RMS and group normalisation. Every output of a group depends on every input
//! of it, so the signal takes two passes over a group: its sums, then the rule.

mod along;
#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use along::Along;
pub(crate) use kernel::{GroupNormBend, GroupNormForward, GroupNormSignal, NormGroups};

use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Purpose, Setup, Signal, Slice,
    Value,
};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Activation, Layer, Mode, Normalization, Role};
use crate::ops::channel_sums::{self, ChannelParameters, ChannelSums};
use crate::ops::layout::batch_shape;
use crate::shader::Dtype;
use crate::{Error, Result};

#[derive(Debug)]
pub(crate) struct Norm(pub Normalization);

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(layer.normalization(at.name, at.input)?.map(|norm| Norm(norm).into()))
}

impl Norm {
    fn kernel(&self, setup: &Setup<'_>, output: &Value) -> NormGroups {
        let Normalization { groups, apart, eps, centred, weight, bias, .. } = self.0;
        let shape = batch_shape(output, setup.batch);
        let shape = if apart { shape.with_positions_as_samples() } else { shape };
        let kernel = NormGroups::new(setup.tuning.class, shape, groups as u32, eps as f32);
        kernel.centred(centred).affine(weight, bias)
    }

    fn parameters(&self, output: &Value, batch: usize) -> ChannelParameters {
        let (shape, groups) = (batch_shape(output, batch), self.0.groups as u32);
        ChannelParameters::Groups { shape, groups, apart: self.0.apart, bias: self.0.bias }
    }

    /// γ and β, where there are any.
    fn slices(&self, setup: &Setup<'_>, op: &Op) -> Vec<Slice> {
        let roles = [(self.0.weight, Role::Weight), (self.0.bias, Role::Bias)];
        roles.into_iter().filter(|(there, _)| *there).map(|(_, role)| setup.parameter(op, role)).collect()
    }
}

impl Operation for Norm {
    /// A single group is a row; other groups are channels of an image.
    fn layout(&self) -> Option<Layout> {
        Some(if self.0.groups == 1 && self.0.positions == 1 { Layout::Rows } else { Layout::Image })
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (setup, output) = (pass.setup, pass.output(op));
        let (numbers, most) = (self.0.len() as u64, u64::from(NormGroups::MOST));
        if numbers > most {
            return Err(Error::limit(&output.name, "numbers of a normalised group", numbers, most));
        }
        let name = format!("statistics of {}", output.name);
        setup.elements(&name, 4 * self.0.count())?;
        let kernel = self.kernel(setup, output);
        let len = kernel.statistics_len() as usize;
        let statistics = if setup.options.training {
            setup.own(Purpose::Activation, name, len)
        } else {
            pass.schedule.transient(name, len, Dtype::F32)
        };
        pass.save(op, statistics);
        let more = [&[statistics][..], &self.slices(setup, op)].concat();
        pass.simple(op, GroupNormForward(kernel), &more)
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let (setup, output) = (pass.setup, pass.output(op));
        let statistics = pass.saved.extra(op);
        if setup.trains(op) {
            let parameters = self.parameters(output, setup.batch);
            channel_sums::push(pass, op, signal, parameters, statistics.as_slice(), 1, self.0.bias)?;
        }
        if pass.continues(op) {
            let to = pass.target(op.input())?;
            let flow = pass.flow(signal, &to, Activation::Identity);
            let mut slices = vec![signal.slice, to.slice, pass.saved_input(op)];
            slices.extend(statistics);
            slices.extend(self.0.weight.then(|| setup.parameter(op, Role::Weight)));
            pass.schedule.push(GroupNormSignal { norm: self.kernel(setup, output), flow }, slices);
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        host::Normalize::new(self.0).into()
    }

    fn scratch(&self, output: &Value, batch: usize, mode: Mode) -> usize {
        let sums = |parameters| ChannelSums { parameters, mode, plane: 0 }.len();
        if self.0.weight { sums(self.parameters(output, batch)) } else { 0 }
    }
}
