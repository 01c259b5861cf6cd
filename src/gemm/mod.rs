//! The tiled product and what is made of products: tiles and their choice, two kernels in one dispatch, whole networks.

mod choose;
mod cooperative;
mod costs;
mod image;
mod join;
mod loss_head;
mod machine;
mod occupancy;
mod product;
mod sizes;
mod table;
mod text;
mod tile;
mod timing;
mod whole;

pub(crate) use choose::{TileLimits, Tuning};
pub use cooperative::Cooperative;
pub(crate) use image::{ImageGeometry, Split};
pub(crate) use join::Join;
pub(crate) use loss_head::LossHead;
pub use machine::Machine;
pub use occupancy::Cores;
pub(crate) use product::{Gemm, GradientSink, Offsets, Product, Use};
pub use sizes::TileUse;
pub use table::{TileEntry, TileTable};
pub use tile::{Family, Tile};
pub(crate) use timing::Load;
pub(crate) use whole::{
    Back, Gather, MOST_CLASSES, MOST_LAYERS, WholeKernel, WholeLayer, WholeNetwork, WholePass,
};
