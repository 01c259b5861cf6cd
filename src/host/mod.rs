//! What the operations' CPU paths are made of: the traits they implement, sums, products, vector loops and threads.
//!
//! Everything here works in `f32` and knows no operation.

mod call;
mod host_op;
pub(crate) mod math;
pub(crate) mod product;
mod sample_op;
mod signal;
mod sums;
mod threads;
pub(crate) mod vector;
mod weighted;

pub(crate) use call::Call;
pub(crate) use host_op::HostOp;
pub(crate) use sample_op::SampleOp;
pub(crate) use signal::{is_diagonal, total_diagonal};
pub(crate) use sums::Sums;
pub use threads::Threads;
pub(crate) use weighted::Weighted;
