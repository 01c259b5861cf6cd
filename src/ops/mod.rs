//! One folder for each operation: what it is, its kernels, its CPU path.
//!
//! An operation is a type that implements [`Operation`](crate::graph::Operation), and a function that makes one of a layer; that
//! function stands in [`LAYERS`], and nothing else has to know it.

pub(crate) mod act;
pub(crate) mod attention;
pub(crate) mod batchnorm;
pub(crate) mod cast;
pub(crate) mod channel_sums;
pub(crate) mod concat;
pub(crate) mod conv;
pub(crate) mod dense;
pub(crate) mod depthwise;
pub(crate) mod dropout;
pub(crate) mod embedding;
pub(crate) mod encode;
pub(crate) mod hashgrid;
pub(crate) mod layout;
pub(crate) mod loss;
#[cfg(test)]
#[path = "../../tests/unit/mirror/mod.rs"]
mod mirror;
pub(crate) mod multiply;
pub(crate) mod noise;
pub(crate) mod norm;
pub(crate) mod optimizer;
pub(crate) mod outside;
pub(crate) mod partial;
pub(crate) mod pixelshuffle;
pub(crate) mod pool;
pub(crate) mod positions;
pub(crate) mod prelu;
pub(crate) mod recurrent;
pub(crate) mod resample;
pub(crate) mod residual;
pub(crate) mod row_sums;
pub(crate) mod tangent;
pub(crate) mod zeropad;

use crate::Result;
use crate::graph::{Catalog, LayerContext, Layout, Lowered, Operation};
use crate::model::{Activation, Layer};
use std::sync::Arc;

/// What makes an operation of a layer; `None` for layers of other folders.
type Lower = fn(&Layer, &LayerContext<'_>) -> Result<Option<Lowered>>;

/// All of them.
const LAYERS: &[Lower] = &[
    act::lower,
    attention::lower,
    batchnorm::lower,
    concat::lower,
    conv::lower,
    dense::lower,
    dropout::lower,
    embedding::lower,
    encode::lower,
    hashgrid::lower,
    layout::lower,
    multiply::lower,
    norm::lower,
    pixelshuffle::lower,
    pool::lower,
    positions::lower,
    prelu::lower,
    recurrent::lower,
    resample::lower,
    residual::lower,
    zeropad::lower,
    #[cfg(test)]
    mirror::lower,
];

/// The crate's operations.
#[derive(Debug)]
pub(crate) struct Ops;

impl Catalog for Ops {
    fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Lowered> {
        for lower in LAYERS {
            if let Some(lowered) = lower(layer, at)? {
                return Ok(lowered);
            }
        }
        unreachable!("{}: every layer has an operation", at.name)
    }

    fn tangent(layer: &Layer, at: &LayerContext<'_>) -> Result<Lowered> {
        tangent::lower(layer, at)
    }

    fn scale(input: &[usize]) -> Lowered {
        tangent::scale(input)
    }

    fn residual() -> Arc<dyn Operation> {
        Arc::new(residual::Residual)
    }

    fn copy() -> Arc<dyn Operation> {
        Arc::new(act::Act(Activation::Identity))
    }

    fn reorder(to: Layout) -> Arc<dyn Operation> {
        Arc::new(layout::Reordering { to })
    }
}

/// Height and width of an image `[channels, height, width]`.
fn image_size(at: &LayerContext<'_>) -> [usize; 2] {
    match at.input {
        [_, height, width] => [*height, *width],
        other => unreachable!("{}: the model was validated, but its input is {other:?}", at.name),
    }
}
