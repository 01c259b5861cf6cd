//! The buffers of a plan, named by what they hold: no buffer exists yet when a schedule is made.

use crate::shader::Dtype;

/// A buffer, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Region {
    Input,
    Targets,
    SampleWeights,
    /// The host's signal at the outputs.
    Outside,
    /// The number of samples that count.
    Count,
    Parameters,
    Gradient,
    Diagonal,
    /// Hyper-parameters, counters and moments.
    Optimizer,
    /// Seed and step of random numbers.
    Noise,
    /// Running statistics.
    Statistics,
    /// One of the plan's own buffers, which all its lists share.
    Own(usize),
    /// One of a schedule's, in use from its first step to its last.
    Transient(usize),
}

/// A run of bytes that a step reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slice {
    pub region: Region,
    pub offset: u64,
    pub size: u64,
    /// What it holds, where that may differ.
    pub dtype: Dtype,
}

impl Slice {
    /// `elements` of `f32`, or as large, from element `first` on.
    pub(crate) fn new(region: Region, first: usize, elements: usize) -> Slice {
        Slice { region, offset: 4 * first as u64, size: 4 * elements as u64, dtype: Dtype::F32 }
    }

    /// The same without its first bytes.
    pub(crate) fn skipping(self, bytes: u64) -> Slice {
        Slice { offset: self.offset + bytes, size: self.size - bytes, ..self }
    }

    pub(crate) fn meets(&self, other: &Slice) -> bool {
        let apart = self.offset + self.size <= other.offset || other.offset + other.size <= self.offset;
        self.region == other.region && !apart
    }
}

#[derive(Debug)]
pub(crate) struct Owned {
    pub name: String,
    pub purpose: Purpose,
    /// In elements of four bytes.
    pub elements: usize,
    /// What it holds from the start, and no kernel changes.
    pub constants: Option<Vec<f32>>,
}

/// What a buffer counts as in [`crate::Memory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Parameter,
    Activation,
    Signal,
}
