//! Weights as the operations on single samples want them.

use super::Threads;
use super::dense::square_by;
use super::local::Call;
use super::network::{Op, OpKind};
use crate::Result;
use crate::model::memory::zeros;
use crate::model::{Mode, Model, Noise, Parameter, Role};

/// Of an operation on single samples: packed, squared.
#[derive(Debug, Default)]
pub(super) struct Weights {
    packed: Vec<f32>,
    squared: Vec<f32>,
    bias: Vec<f32>,
}

impl Weights {
    pub(super) fn new(op: &Op, model: &Model, curved: bool) -> Result<Weights> {
        let len = |role| model.parameter_of(op.node, role).map_or(0, Parameter::len);
        let weight = match &op.kind {
            OpKind::Local(local) if local.weighted().is_some() => len(Role::Weight),
            _ => return Ok(Weights::default()),
        };
        let squared = if curved { weight } else { 0 };
        let zeros = |len| zeros("weights as they are read", Some(len));
        Ok(Weights { packed: zeros(weight)?, squared: zeros(squared)?, bias: zeros(len(Role::Bias))? })
    }

    /// From the parameters as they are now.
    pub(super) fn prepare(
        &mut self,
        op: &Op,
        model: &Model,
        parameters: &[f32],
        squared: bool,
        threads: &Threads,
    ) {
        let part = |role| model.parameter_of(op.node, role).map(|p| &parameters[p.range()]);
        let OpKind::Local(local) = &op.kind else { return };
        let Some((weighted, weight)) = local.weighted().zip(part(Role::Weight)) else { return };
        weighted.pack(weight, &mut self.packed);
        if squared {
            square_by(threads, &mut self.squared, &self.packed);
        }
        self.bias.copy_from_slice(part(Role::Bias).unwrap_or_default());
    }

    pub(super) fn call(&self, mode: Mode, noise: Noise, first: usize) -> Call<'_> {
        Call { mode, weight: &self.packed, squared: &self.squared, bias: &self.bias, noise, first }
    }
}
