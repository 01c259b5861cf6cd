//! Gradient and diagonal of parameters that each channel has of its own: depthwise convolutions, batch normalisation.

use crate::graph::{Backward, Op, Signal, Slice};
use crate::kernel::{Number, Packing, Parameters, Partial, Unpack};
use crate::ops::conv;

/// Pushes partial sums and what adds them up. `extras` is bound behind the operation's input; each channel has `taps`
/// weights.
pub(crate) fn push(
    pass: &mut Backward<'_>,
    op: &Op,
    signal: &Signal,
    parameters: Parameters,
    extras: &[Slice],
    taps: u32,
    bias: bool,
) {
    let partial = Partial { parameters, mode: pass.mode, plane: signal.plane };
    let output = pass.output(op);
    let name = format!("sums of {}", output.name);
    let sums = pass.schedule.transient(name, partial.len() as usize, Number::F32);
    let slices = [signal.slice, sums, pass.saved_input(op)].into_iter().chain(extras.iter().copied());
    pass.schedule.push(partial, slices.collect());
    let packing = Packing::of_channels(output.channels() as u32, taps, partial.stride(), bias);
    conv::unpack(pass, op, Unpack::new(packing, partial.splits(), partial.numbers()), sums);
}
