//! What an operation tells the passes and the executor. Each lives in a folder of `ops/`.

use super::{BackwardPass, ForwardPass, Layout, Setup, Signal, Value};
use crate::Result;
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Activation, Mode};
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// One operation of a lowered network: what the GPU's passes push for it, and what the CPU does.
pub(crate) trait Operation: Debug + Any + Send + Sync {
    /// How its inputs have to lie, and its output does. `None`: as the input lies, whichever that is.
    fn layout(&self) -> Option<Layout>;

    /// Pushes what computes the output, and leaves what [`Operation::backward`] will read.
    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()>;

    /// Pushes what takes the signal at the output to the parameters and, where [`BackwardPass::continues`], to the inputs.
    /// Called only where one of the two is to be done.
    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()>;

    /// The same on the CPU, between values that lie as `input` and `output` do.
    #[cfg(feature = "cpu")]
    fn host(&self, input: &Value, output: &Value) -> HostOp;

    /// The elementwise function that it is: producers of its input may compute it in their own kernel.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// Whether it draws random numbers, which each backward pass moves on.
    fn is_random(&self) -> bool {
        false
    }

    /// Elements of the weight as its kernels read it, where they read a copy; `None` where that is beyond counting.
    fn packed_weight(&self) -> Option<usize> {
        Some(0)
    }

    /// Elements of its parameters' partial sums at most, on any class of device.
    fn partial_sums(&self, _output: &Value, _batch: usize, _mode: Mode) -> usize {
        0
    }
}

impl dyn Operation {
    /// Itself, if it is a `T`.
    pub(crate) fn get<T: Operation>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}

/// An operation at its place in a graph.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub operation: Arc<dyn Operation>,
    /// The model's node that it computes; `None` for a change of layout.
    pub node: Option<usize>,
    /// The values it reads: two for an addition.
    pub inputs: Vec<usize>,
    pub output: usize,
}

impl Op {
    pub(crate) fn input(&self) -> usize {
        self.inputs[0]
    }

    /// Whether it has parameters.
    pub(crate) fn has_parameters(&self, setup: &Setup<'_>) -> bool {
        self.node.is_some_and(|node| setup.model.parameter_of(node, crate::model::Role::Weight).is_some())
    }
}
