//! Adds up the results of a batch's chunks.

use super::{Back, WholeNetwork};
use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, compose, words};

/// Adds up the chunks' sums, then updates the parameters if asked for: `shaders/gemm/whole/gather.wgsl`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gather {
    pub net: WholeNetwork,
    pub back: Back,
}

impl Key for Gather {
    fn label(&self) -> String {
        format!("whole gather {} {}x{}", self.back.label(), self.net.chunks(), self.net.flat)
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// Sizes, results, gradient; parameters and the optimiser's memory; the diagonal.
    fn bindings(&self) -> Vec<Binding> {
        let mut bindings = vec![Uniform, Write, Write];
        bindings.extend(self.back.update.into_iter().flat_map(|_| [Write, Write]));
        bindings.extend(self.back.mode.has_diagonal().then_some(Write));
        bindings
    }

    fn source(&self, _: Dtypes) -> String {
        let Back { mode, accumulate, update, .. } = self.back;
        let mut header = Header::default();
        header.number("LANES", LANES).number("PLANES", 1 + u32::from(mode.has_diagonal()));
        header.flag("ACCUMULATE", accumulate).number("DIAGONAL", if update.is_some() { 5 } else { 3 });
        let diagonal = mode.has_diagonal();
        let mut files = vec!["gemm/whole/gather"];
        files.push(if diagonal { "gemm/whole/gather_diagonal" } else { "gemm/whole/gather_no_diagonal" });
        match update {
            Some(update) => {
                header.number("MEMORY", 4);
                files.push("gemm/whole/gather_update");
                files.extend(update.rule(&mut header));
            }
            None => files.push("gemm/whole/gather_no_update"),
        }
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        (self.net.flat / 4).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let results = self.net.results(self.back.mode.has_diagonal());
        let (chunks, scale) = (self.net.chunks(), self.back.scale.to_bits());
        words(&[self.net.flat / 4, grid_x, chunks, results.losses, results.sums / 4, scale, 0, 0])
    }
}
