//! Gradient and diagonal of parameters that act on one channel each: depthwise convolutions, normalisations, slopes of PReLU,
//! learned positions.

mod kernel;

pub(crate) use kernel::{ChannelParameters, ChannelSums};

use crate::Result;
use crate::graph::{BackwardPass, Op, Signal, Slice};
use crate::ops::conv;
use crate::ops::conv::{Packing, Unpack};
use crate::shader::Dtype;

/// Pushes partial sums and their total. `extras` are bound after the input; each channel has `taps` weights.
///
/// # Errors
/// [`Error::Limit`](crate::Error::Limit) for more positions than an invocation may visit.
pub(crate) fn push(
    pass: &mut BackwardPass<'_>,
    op: &Op,
    signal: &Signal,
    parameters: ChannelParameters,
    extras: &[Slice],
    taps: u32,
    bias: bool,
) -> Result<()> {
    let kernel = ChannelSums { parameters, mode: pass.mode, plane: signal.plane };
    let output = pass.output(op);
    kernel.check(&output.name)?;
    let name = format!("sums of {}", output.name);
    let sums = pass.schedule.transient(name, kernel.len(), Dtype::F32);
    let mut slices = vec![signal.slice, sums];
    slices.extend(kernel.reads_input().then(|| pass.saved_input(op)));
    slices.extend(extras);
    pass.schedule.push(kernel, slices);
    let packing = Packing::of_channels(kernel.channels(), taps, kernel.stride(), bias);
    conv::unpack(pass, op, Unpack::new(packing, kernel.splits(), kernel.components()), sums);
    Ok(())
}
