//! What the operations' CPU paths are made of: the traits they implement, sums, products, vector loops and threads.
//!
//! Everything here works in `f32` and knows no operation.

pub(crate) mod math;
mod op;
pub(crate) mod product;
mod sums;
mod threads;
pub(crate) mod vector;

pub(crate) use op::{BatchOp, Call, HostOp, SampleOp, Weighted, is_diagonal, total_diagonal};
pub(crate) use sums::Sums;
pub use threads::Threads;
