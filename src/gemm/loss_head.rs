//! A network's last layer and its loss in one dispatch, if a tile covers all classes.

use super::choose::Tuning;
use super::product::{Product, Use};
use crate::ops::loss::LossKernel;
use crate::shader::{
    Binding, Binding::*, Dtype, Dtypes, Header, Key, Part, Slot, Workgroup, bytes_of, compose, is_bindable,
    splice,
};

/// A dense layer's forward product, then the loss of its rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LossHead {
    product: Product,
    loss: LossKernel,
}

impl LossHead {
    /// `loss` takes the rows that `product` writes; `None` if the two cannot be one kernel, or that would be slower.
    pub(crate) fn new(tuning: Tuning<'_>, product: Product, loss: LossKernel) -> Option<LossHead> {
        let gemm = product.gemm;
        let tile = gemm.tile();
        let plain = gemm.image.is_none() && !tile.is_cooperative();
        if !plain || !matches!(gemm.usage, Use::Forward { .. }) {
            return None;
        }
        let tile = tuning.choose_whole_rows(tile, &gemm.sizes())?;
        let (product, loss) = (product.with_tile(tile), loss.by_rows(tile.high())?);
        let head = LossHead { product, loss };
        let adding_up = LossHead { loss: head.loss.clone().adding_up(true), ..head.clone() };
        (is_bindable(&head.bindings()) && tuning.allowed.has(adding_up.workgroup())).then_some(head)
    }

    /// The same with the total of all losses instead of each, if wanted and if one workgroup has all losses, one per invocation.
    /// The total is made by halving, so the number of invocations must be a power of two.
    pub(crate) fn adding_up(self, wanted: bool) -> LossHead {
        let tile = self.product.gemm.tile();
        let alone = tile.high() <= tile.lanes() && tile.lanes().is_power_of_two();
        LossHead { loss: self.loss.adding_up(wanted && alone), ..self }
    }

    pub(super) fn product(&self) -> &Product {
        &self.product
    }

    pub(crate) fn adds_up(&self) -> bool {
        self.loss.adds_up()
    }

    /// Where the bindings of each go, after their uniforms; the loss reads the logits that the product writes.
    fn slots(&self) -> [Vec<Slot>; 2] {
        let [first, second] = [self.product.gemm.bindings(), self.loss.bindings()].map(|of| of.len() as u32);
        let behind = |index| match index {
            0 => Slot::At(1),
            1 => Slot::Shared("out"),
            index => Slot::At(first - 1 + index),
        };
        let ahead = |index| Slot::At(if index == 0 { 0 } else { index + 1 });
        [(0..first).map(ahead).collect(), (0..second).map(behind).collect()]
    }
}

impl Key for LossHead {
    fn label(&self) -> String {
        format!("{} with {}", self.product.gemm.label(), self.loss.label())
    }

    fn is_generic(&self) -> bool {
        false
    }

    fn bindings(&self) -> Vec<Binding> {
        let [first, second] = [self.product.gemm.bindings(), self.loss.bindings()];
        [&[Uniform, Uniform], &first[1..], &second[2..]].concat()
    }

    fn source(&self, _: Dtypes) -> String {
        let tile = self.product.gemm.tile();
        let logits = if self.product.gemm.n.is_multiple_of(4) {
            "gemm/join/logits_vec4"
        } else {
            "gemm/join/logits_scalar"
        };
        let [product, loss] = [
            (self.product.gemm.source(Dtype::F32), self.product.gemm.bindings()),
            (self.loss.source_with(logits, tile.lanes()), self.loss.bindings()),
        ]
        .map(|(text, bindings)| Dtypes::default().complete(&text, bindings.len() - 1, Dtype::F32));
        let [of_product, of_loss] = self.slots();
        let mut header = Header::default();
        let [width, height] = tile.shape();
        header.number("WIDTH", width).number("HEIGHT", height);
        header.number("TILE_ROWS", tile.high());
        let both = splice([
            Part { text: &product, slots: &of_product, foreign: &[] },
            Part { text: &loss, slots: &of_loss, foreign: &["out"] },
        ]);
        compose(&header, &["gemm/join/loss"]) + &both
    }

    fn groups(&self) -> u32 {
        self.product.gemm.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        vec![bytes_of(&self.product.uniform(grid_x)), bytes_of(&self.loss.uniform(grid_x))]
    }

    fn workgroup(&self) -> Workgroup {
        let product = self.product.gemm.workgroup();
        let loss = self.loss.workgroup_of(product.invocations());
        Workgroup { bytes: product.bytes + loss.bytes, ..product }
    }

    fn flops(&self) -> u64 {
        self.product.gemm.flops()
    }
}
