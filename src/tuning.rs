//! How products are cut for a device: classes of devices, tiles and tables of them, matrix units.
//!
//! Nothing here is needed to train or to analyse a network. [`ContextOptions`](crate::ContextOptions) takes a [`TileTable`] that
//! was measured on the device (`cargo xtask tune` writes one) and the [`Cooperative`] matrices to use;
//! [`Plan::time_products`](crate::Plan::time_products) measures, an [`Outline`] is what a class of device would run, and a
//! [`Forecast`] what a model says of its time on a known [`Machine`]. These types follow the kernels, and change with them more
//! often than the rest of the crate.

pub use crate::gemm::{Cooperative, Cores, Family, Machine, Tile, TileEntry, TileTable, TileUse};
pub use crate::plan::{Outline, ProductTime, Tiles};
pub use crate::profile::{Forecast, KernelForecast};
pub use crate::shader::DeviceClass;
