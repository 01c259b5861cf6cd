//! The path without a GPU: model, batch and mode become buffers and steps, all made once, that run in `f32` on the processor's
//! own vectors and threads.
//!
//! It computes what [`Plan`](crate::Plan) does, by the same formulas ([`reference`](crate::reference) has them in plain
//! loops): HesScale's signal `(g, h)`, with HesScale-R's `u`, beside plain backprop. Products are those of the crate `gemm`.
//! The same executor on the same numbers gives the same bits, every time, for one number of threads; with another number
//! sums over a batch are cut elsewhere.

mod activation;
mod convolution;
mod dense;
mod depthwise;
mod executor;
mod local;
mod math;
mod network;
mod pooling;
mod product;
mod simple;
mod threads;
mod update;
mod views;
mod weights;
mod worker;

pub use executor::{Executor, ExecutorOptions};
pub use threads::Threads;
pub use update::update;
