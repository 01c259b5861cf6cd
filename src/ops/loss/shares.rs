//! A weighted mean's weights, which add up to 1.

use super::kernel::narrowed;
use crate::model::Loss;
use crate::rules::CANCELLED;
use crate::shader::{Binding, Binding::*, DeviceClass, Dtypes, Header, Key, Workgroup, compose, words};

/// What each sample counts in a weighted mean: `shaders/loss/shares.wgsl`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shares {
    loss: Loss,
    samples: u32,
    positions: u32,
    classes: u32,
    terms: u32,
    lanes: u32,
    partial: bool,
}

impl Shares {
    /// For logits `[batch, …]` of shape `output` a sample.
    pub(crate) fn new(class: DeviceClass, loss: Loss, batch: u32, output: &[usize]) -> Shares {
        let positions = loss.rows(output) as u32;
        // As many on llvmpipe too where 8 would loop too often.
        let few = class.is_software() && batch.saturating_mul(positions) <= 131_072;
        let (classes, terms, lanes) =
            (output[0] as u32, loss.terms(output) as u32, if few { 8 } else { 256 });
        Shares { loss, samples: batch, positions, classes, terms, lanes, partial: false }
    }

    /// Of as many samples as a number in memory says, which is bound last.
    pub(crate) fn partial(self, partial: bool) -> Shares {
        Shares { partial, ..self }
    }

    /// The same with at most `invocations`.
    pub(crate) fn within(self, invocations: u32) -> Shares {
        Shares { lanes: narrowed(self.lanes, invocations), ..self }
    }
}

impl Key for Shares {
    fn label(&self) -> String {
        let counted = if self.partial { ", counted" } else { "" };
        format!("weighted mean's shares {}x{}{counted}", self.samples, self.positions)
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// Targets, class weights, sample weights; the shares; the number of samples.
    fn bindings(&self) -> Vec<Binding> {
        [&[Uniform, Read, Read, Read, Write], &vec![Read; usize::from(self.partial)][..]].concat()
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::default();
        header.number("LANES", self.lanes).number("ROWS", 1).flag("CLASSES", self.loss.takes_classes());
        header.float("CANCELLED", CANCELLED);
        let samples = if self.partial { "loss/counted" } else { "loss/all_samples" };
        compose(&header, &["lib/rows", "lib/math", "loss/shares", samples])
    }

    fn groups(&self) -> u32 {
        1
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(self.lanes).each(16)
    }

    fn uniforms(&self, _: u32) -> Vec<Vec<u8>> {
        let ignored = self.loss.ignored();
        let (ignore, has_ignore) = (ignored.unwrap_or(0), u32::from(ignored.is_some()));
        let terms = (self.terms as f32).to_bits();
        words(&[self.samples, self.positions, terms, ignore, has_ignore, self.classes])
    }
}
