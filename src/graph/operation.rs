//! The interface of an operation. Each is implemented in a folder of `ops/`.

use super::{BackwardPass, ForwardPass, Layout, Signal, Value};
use crate::Result;
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Activation, Mode};
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// One operation of a lowered network: the kernels that it pushes on a GPU, and its CPU implementation.
pub(crate) trait Operation: Debug + Any + Send + Sync {
    /// The layout of its output, and of its inputs too. `None`: any, the same for all.
    fn layout(&self) -> Option<Layout>;

    /// The layout of its inputs, where that is another one.
    fn input_layout(&self) -> Option<Layout> {
        self.layout()
    }

    /// Pushes the kernels that compute the output, and saves what [`Operation::backward`] reads.
    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()>;

    /// Pushes what takes the signal to the parameters and, if [`BackwardPass::continues`], to the inputs; not called if neither
    /// is needed.
    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()>;

    /// Pushes what is behind each backward pass, whether or not the operation has a part in it.
    fn finish(&self, _pass: &mut BackwardPass<'_>, _op: &Op) {}

    /// The CPU implementation between `input` and `output`.
    #[cfg(feature = "cpu")]
    fn host(&self, input: &Value, output: &Value) -> HostOp;

    /// The elementwise function, if it is one: the kernel that writes its input may apply it.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// Whether it draws random numbers, which each backward pass advances.
    fn is_random(&self) -> bool {
        false
    }

    /// Elements of the weight in the layout of its kernels or of its partial sums, channels padded; `None` if the number
    /// overflows.
    fn packed_weight(&self) -> Option<usize> {
        Some(0)
    }

    /// The most elements of memory of its own that it binds at once on any class of device, such as its parameters' partial sums.
    fn scratch(&self, _output: &Value, _batch: usize, _mode: Mode) -> usize {
        0
    }
}

impl dyn Operation {
    pub(crate) fn get<T: Operation>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}

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
}
