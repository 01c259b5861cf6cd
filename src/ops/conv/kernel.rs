//! Packs a convolution's weight, and unpacks the sums of its parameters.

use super::packing::Packing;
use crate::gemm::Gemm;
use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, compose, words};

/// Packs a weight: `shaders/conv/pack.wgsl`. Padding is not written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pack(pub Packing);

impl Key for Pack {
    fn label(&self) -> String {
        format!("pack {}", self.0.elements)
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// The weight, the packed weight.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        compose(&Header::lanes(), &["conv/packing", "lib/each", "conv/pack"])
    }

    fn groups(&self) -> u32 {
        self.0.elements.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&uniform_words(&self.0, [grid_x, self.0.elements, 0, 0]))
    }
}

/// Adds partial sums into the flat gradient and diagonal: `shaders/conv/unpack.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unpack {
    pub packing: Packing,
    pub splits: u32,
    /// Parts of the sum that make one sample, where u is still to be squared; else 1.
    pub parts: u32,
    /// Components each part left.
    pub components: u32,
    pub diagonal: bool,
    pub accumulate: bool,
    /// Offset of the bias from the weight in the flat layout.
    pub bias: u32,
    pub scale: f32,
}

impl Unpack {
    /// For whole samples; replaces what was there.
    pub(crate) fn new(packing: Packing, splits: u32, components: u32) -> Unpack {
        let (parts, diagonal, accumulate, bias, scale) = (1, components > 1, false, 0, 1.0);
        Unpack { packing, splits, parts, components, diagonal, accumulate, bias, scale }
    }

    pub(crate) fn after(partial: &Gemm, packing: Packing) -> Unpack {
        let split = partial.split();
        Unpack { parts: split.parts, ..Unpack::new(packing, split.splits, partial.kept()) }
    }

    fn elements(&self) -> u32 {
        self.packing.elements + self.packing.biases
    }
}

impl Key for Unpack {
    fn label(&self) -> String {
        format!("unpack {} from {} parts", self.elements(), self.splits)
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// The sums, the gradient; the diagonal.
    fn bindings(&self) -> Vec<Binding> {
        [Uniform, Read, Write].into_iter().chain(self.diagonal.then_some(Write)).collect()
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        header.number("NUMBERS", self.components);
        header.flag("HAS_DIAGONAL", self.diagonal).flag("ACCUMULATE", self.accumulate);
        let diagonal = if self.diagonal { "conv/diagonal" } else { "conv/no_diagonal" };
        compose(&header, &["conv/packing", "lib/each", "conv/unpack", diagonal])
    }

    fn groups(&self) -> u32 {
        self.elements().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let more = [grid_x, self.packing.len, self.splits, self.parts];
        let rest = [self.bias, self.scale.to_bits(), self.elements(), 0];
        words(&[&uniform_words(&self.packing, more)[..], &rest].concat())
    }
}

fn uniform_words(packing: &Packing, more: [u32; 4]) -> [u32; 16] {
    let mut words = [0; 16];
    words[..12].copy_from_slice(&packing.words());
    words[12..].copy_from_slice(&more);
    words
}
