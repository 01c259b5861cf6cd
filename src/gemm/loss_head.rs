//! A network's last layer and the loss behind it in one dispatch, where a tile has all classes.

use super::gemm::{Gemm, GemmUniform, Use};
use super::loss::{LossKernel, LossUniform};
use super::source::{self, Header};
use super::splice::{Part, Slot, splice};
use super::tile::Tuning;
use super::{Binding, Binding::*, GemmPlaces, Number, Numbers, Workgroup, is_bindable};

/// A dense layer's forward product, then the loss of its rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LastLayer {
    gemm: Gemm,
    places: GemmPlaces,
    loss: LossKernel,
}

impl LastLayer {
    /// `loss` is of what `gemm` writes, rows of as many outputs; nothing where the two cannot be one, or would take longer.
    pub(crate) fn new(
        tuning: Tuning<'_>,
        gemm: Gemm,
        places: GemmPlaces,
        loss: LossKernel,
    ) -> Option<LastLayer> {
        let tile = gemm.tile();
        let plain = gemm.image.is_none() && !tile.is_cooperative();
        if !plain || !matches!(gemm.usage, Use::Forward { .. }) {
            return None;
        }
        let tile = tuning.choose_whole_rows(tile, &gemm.sizes())?;
        let (gemm, loss) = (gemm.with_tile(tile), loss.by_rows(tile.rows * tile.height)?);
        let last = LastLayer { gemm, places, loss };
        let adding_up = LastLayer { loss: last.loss.clone().adding_up(true), ..last.clone() };
        (is_bindable(&last.bindings()) && adding_up.workgroup().fits(&tuning.allowed)).then_some(last)
    }

    pub(super) fn workgroup(&self) -> Workgroup {
        let product = self.gemm.workgroup();
        let loss = self.loss.workgroup_of(product.invocations());
        Workgroup { bytes: product.bytes + loss.bytes, ..product }
    }

    /// The same with the sum of all losses in place of each, where that is wanted and one workgroup has them all, an
    /// invocation each. They are added up by halves, so there must be halves.
    pub(crate) fn adding_up(self, wanted: bool) -> LastLayer {
        let tile = self.gemm.tile();
        let alone = tile.rows <= tile.width && tile.lanes().is_power_of_two();
        LastLayer { loss: self.loss.adding_up(wanted && alone), ..self }
    }

    /// Whether it does.
    pub(crate) fn adds_up(&self) -> bool {
        self.loss.adds_up()
    }

    pub(crate) fn label(&self) -> String {
        format!("{} with {}", self.gemm.label(), self.loss.label())
    }

    /// Where both's bindings go, after their uniforms; logits are what the product writes.
    fn slots(&self) -> [Vec<Slot>; 2] {
        let [first, second] = [self.gemm.bindings(), self.loss.bindings()].map(|of| of.len() as u32);
        let behind = |index| match index {
            0 => Slot::At(1),
            1 => Slot::Shared("out"),
            index => Slot::At(first - 1 + index),
        };
        let ahead = |index| Slot::At(if index == 0 { 0 } else { index + 1 });
        [(0..first).map(ahead).collect(), (0..second).map(behind).collect()]
    }

    pub(crate) fn bindings(&self) -> Vec<Binding> {
        let [first, second] = [self.gemm.bindings(), self.loss.bindings()];
        [&[Uniform, Uniform], &first[1..], &second[2..]].concat()
    }

    pub(crate) fn source(&self) -> String {
        let tile = self.gemm.tile();
        let logits = if self.gemm.n.is_multiple_of(4) { "join/logits_vec4" } else { "join/logits_scalar" };
        let [product, loss] = [self.gemm.source(Number::F32), self.loss.source_with(logits, tile.lanes())]
            .map(|text| Numbers::default().with(&text, Number::F32));
        let [of_product, of_loss] = self.slots();
        let mut header = Header::default();
        header.number("WIDTH", tile.width).number("HEIGHT", tile.height);
        header.number("TILE_ROWS", tile.rows * tile.height);
        let both = splice([
            Part { text: &product, slots: &of_product, foreign: &[] },
            Part { text: &loss, slots: &of_loss, foreign: &["out"] },
        ]);
        source::compose(&header, &["join/loss"]) + &both
    }

    pub(crate) fn groups(&self) -> u32 {
        self.gemm.groups()
    }

    /// Of the product and of the loss.
    pub(crate) fn uniforms(&self, grid_x: u32) -> (GemmUniform, LossUniform) {
        (self.gemm.uniform(grid_x, &self.places), self.loss.uniform(grid_x))
    }

    pub(crate) fn flops(&self) -> u64 {
        self.gemm.flops()
    }
}
