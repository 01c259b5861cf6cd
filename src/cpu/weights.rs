//! Weights in the form that operations on single samples read.

use super::executor::Batch;
use super::flat::Flat;
use super::program::Op;
use crate::Result;
use crate::host::vector::square_parallel;
use crate::host::{Call, Threads};
use crate::memory::zeros;
use crate::model::{Model, Parameter, Role};

/// The parameters of one operation; empty for a dense layer, which reads the user's.
#[derive(Debug, Default)]
pub(super) struct Weights {
    packed: Vec<f32>,
    squared: Vec<f32>,
    bias: Vec<f32>,
}

impl Weights {
    pub(super) fn new(op: &Op, model: &Model, curved: bool) -> Result<Weights> {
        let len = |role| op.parameter(model, role).map_or(0, Parameter::len);
        let weight = match &op.kind {
            kind if kind.weighted().is_some() => len(Role::Weight),
            _ => return Ok(Weights::default()),
        };
        let squared = if curved { weight } else { 0 };
        let zeros = |len| zeros("weights as they are read", Some(len));
        Ok(Weights { packed: zeros(weight)?, squared: zeros(squared)?, bias: zeros(len(Role::Bias))? })
    }

    /// Packs the current parameters, and squares the weight if `squared`.
    pub(super) fn prepare(
        &mut self,
        op: &Op,
        model: &Model,
        parameters: Flat<'_>,
        squared: bool,
        threads: &Threads,
    ) {
        let part =
            |role| op.parameter(model, role).filter(|p| parameters.is_new(p)).map(|p| parameters.of(p));
        let Some((weighted, weight)) = op.kind.weighted().zip(part(Role::Weight)) else { return };
        weighted.pack(weight, &mut self.packed);
        if squared {
            square_parallel(threads, &mut self.squared, &self.packed);
        }
        self.bias.copy_from_slice(part(Role::Bias).unwrap_or_default());
    }

    pub(super) fn call(&self, op: &Op, batch: Batch, first: usize) -> Call<'_> {
        let Batch { mode, noise, .. } = batch;
        let Weights { packed: weight, squared, bias } = self;
        let (input, output, other): (&[f32], &[f32], &[f32]) = Default::default();
        let adds = op.adds_output;
        Call {
            mode,
            weight,
            squared,
            bias,
            noise,
            adds,
            first,
            input,
            output,
            summed: false,
            branch: 0,
            other,
        }
    }
}
