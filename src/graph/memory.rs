//! Memory by what it is for, before there are buffers.

use crate::shader::Dtype;

/// Which memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Memory {
    Input,
    Targets,
    Parameters,
    Gradient,
    Diagonal,
    /// Hyper-parameters, counters and moments.
    Optimizer,
    /// Seed and step of random numbers.
    Noise,
    /// One of the plan's own buffers, which all its lists share.
    Own(usize),
    /// One of a schedule's, in use from its first step to its last.
    Transient(usize),
}

/// A run of bytes that a step reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slice {
    pub memory: Memory,
    pub offset: u64,
    pub size: u64,
    /// What it holds, where that may differ.
    pub dtype: Dtype,
}

impl Slice {
    /// `elements` of `f32`, or as large, from element `first` on.
    pub(crate) fn new(memory: Memory, first: usize, elements: usize) -> Slice {
        Slice { memory, offset: 4 * first as u64, size: 4 * elements as u64, dtype: Dtype::F32 }
    }

    /// The same without its first bytes.
    pub(crate) fn skipping(self, bytes: u64) -> Slice {
        Slice { offset: self.offset + bytes, size: self.size - bytes, ..self }
    }

    /// Whether both have bytes in common.
    pub(crate) fn meets(&self, other: &Slice) -> bool {
        let apart = self.offset + self.size <= other.offset || other.offset + other.size <= self.offset;
        self.memory == other.memory && !apart
    }
}

/// A buffer of the plan's own.
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
