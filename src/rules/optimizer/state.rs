//! What an optimiser moves, and its state between steps.

use super::Optimizer;
#[cfg(feature = "train")]
use crate::{Result, memory::zeros};
use std::ops::Range;

/// A run of the flat layout that is trained, and how: what [`Groups`](crate::model::Groups) come to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Span {
    /// Elements of the flat layout.
    pub range: Range<usize>,
    /// What the learning rate is multiplied by.
    pub rate: f32,
    /// λ of these parameters.
    pub weight_decay: f32,
}

impl Span {
    /// These elements, at the optimiser's own learning rate and weight decay.
    #[must_use]
    pub fn new(range: Range<usize>, optimizer: &Optimizer) -> Span {
        Span { range, rate: 1.0, weight_decay: optimizer.weight_decay }
    }
}

/// An optimiser's state between steps, in the flat layout of the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState<T> {
    /// The mean of gradients; the momentum buffer of SGD and RMSProp, the trace of ObGD, the utilities of UPGD.
    pub m: Vec<T>,
    /// The mean of `q`: squared gradients, squared diagonals, or what else the rule averages.
    pub v: Vec<T>,
    /// The mean of the parameters, where the optimiser keeps one ([`Optimizer::average`]); empty before the first step.
    pub average: Vec<T>,
    /// Updates of the parameters so far.
    pub step: u64,
    /// Updates of `v`, or of UPGD's utilities, so far: fewer than `step` where curvature is computed only now and then.
    pub curvature_steps: u64,
}

impl<T: Clone + Default> OptimizerState<T> {
    /// The state before the first step, for parameters of `len` elements.
    #[must_use]
    pub fn new(len: usize) -> OptimizerState<T> {
        let zeros = || vec![T::default(); len];
        OptimizerState { m: zeros(), v: zeros(), average: Vec::new(), step: 0, curvature_steps: 0 }
    }
}

#[cfg(feature = "train")]
impl OptimizerState<f32> {
    /// As [`OptimizerState::new`], or an error where memory does not suffice.
    pub(crate) fn zeroed(len: usize) -> Result<OptimizerState<f32>> {
        let moment = || zeros("an optimiser's moment", Some(len));
        let average = Vec::new();
        Ok(OptimizerState { m: moment()?, v: moment()?, average, step: 0, curvature_steps: 0 })
    }
}
