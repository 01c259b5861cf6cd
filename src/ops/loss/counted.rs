//! The shares of a mean over as many samples as a number in memory says.

use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, compose, words};

/// A sample's weight times the factor of the count, 0 behind it: `shaders/loss/counted_mean.wgsl`. The factors come from the host, one
/// for each count, so that they have the bits that a plan of so many samples has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CountedMean {
    pub batch: u32,
}

impl Key for CountedMean {
    fn label(&self) -> String {
        format!("mean over a count, of {}", self.batch)
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// The count, factors from that of a count of 0 on, sample weights; the shares.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Read, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        compose(&Header::lanes(), &["loss/counted_mean", "lib/each"])
    }

    fn groups(&self) -> u32 {
        self.batch.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.batch, grid_x, 0, 0])
    }
}
