//! The counter of steps.

use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, Workgroup, compose};

/// Advances the step on the GPU, so that any number of recorded passes may be submitted together: `shaders/noise/advance.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AdvanceNoise;

impl Key for AdvanceNoise {
    fn label(&self) -> String {
        "noise advance".into()
    }

    /// Seed and step.
    fn bindings(&self) -> Vec<Binding> {
        vec![Write]
    }

    fn source(&self, _: Dtypes) -> String {
        compose(&Header::default(), &["noise/advance"])
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(1)
    }

    fn groups(&self) -> u32 {
        1
    }

    fn uniforms(&self, _: u32) -> Vec<Vec<u8>> {
        vec![]
    }
}
