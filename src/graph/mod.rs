//! A network between model and device: values, the operations that make them, and the steps of a pass over memory that has
//! no buffers yet. Lowered once for the GPU and once, with its own padding, for the CPU. No wgpu type appears here.

mod backward;
mod forward;
mod lower;
mod operation;
mod region;
mod schedule;
mod setup;
mod value;

pub(crate) use backward::{BackwardInputs, BackwardPass, Requested, RequestedSlices, Signal};
pub(crate) use forward::{ForwardPass, Saved};
pub(crate) use lower::{Catalog, Graph, LayerContext, Lowered};
pub(crate) use operation::{Op, Operation};
pub(crate) use region::{Owned, Purpose, Region, Slice};
pub(crate) use schedule::{Schedule, Step};
pub(crate) use setup::{MOST_ELEMENTS, Options, Setup};
pub(crate) use value::{Layout, Value};
