//! Batch normalisation with fixed statistics.

use crate::shader::{Binding, Binding::*, Dtypes, Flow, Key, Storage, affine};

/// Batch normalisation with fixed statistics: `shaders/batchnorm/batchnorm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormForward {
    pub storage: Storage,
}

impl NormForward {
    /// Numbers of the statistics: the means, then 1 / √(var + ε), each padded as the storage's channels are.
    pub(crate) fn statistics_len(&self) -> u32 {
        2 * self.storage.vectors() * self.storage.width().elements()
    }
}

impl Key for NormForward {
    fn label(&self) -> String {
        format!("norm {}", self.storage.label())
    }

    /// x, z, statistics, γ, β.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read, Read, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        affine::forward(self.storage, &["batchnorm/batchnorm", "batchnorm/forward"])
    }

    fn groups(&self) -> u32 {
        self.storage.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        affine::uniforms(self.storage, grid_x, [0, 0], [0; 3])
    }
}

/// The signal through batch normalisation and the activation below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormSignal {
    pub norm: NormForward,
    pub flow: Flow,
}

impl Key for NormSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.norm.label())
    }

    /// The signals above and below, statistics, γ; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(2)
    }

    fn source(&self, _: Dtypes) -> String {
        affine::signal(self.norm.storage, &self.flow, &["batchnorm/batchnorm"], 2)
    }

    fn groups(&self) -> u32 {
        self.norm.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let storage = self.norm.storage;
        affine::uniforms(storage, grid_x, self.flow.planes(storage.width()), [0; 3])
    }
}
