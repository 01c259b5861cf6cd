//! Training and inference without a GPU: an [`Executor`] makes all buffers for a model, a batch size and a mode once, and runs
//! passes in `f32` with the CPU's vector units and threads.
//!
//! It computes what [`Plan`](crate::Plan) does, by the formulas that [`reference`](crate::reference) has in plain
//! loops: HesScale's signal `(g, h)`, with HesScale-R's `u`, or plain backprop. Matrix products are those of the crate `gemm`.
//! Results depend on the number of threads, which decides how sums over a batch are cut; with the same number of threads the same
//! inputs give the same bits.

mod executor;
mod flat;
mod products;
mod program;
mod stages;
mod views;
mod weights;
mod worker;

pub use crate::host::Threads;
pub use crate::ops::optimizer::host::{update, update_spans};
pub use executor::{Executor, ExecutorOptions};
#[cfg(feature = "train")]
pub(crate) use flat::Flat;
pub use products::{AtBatch, Products};
