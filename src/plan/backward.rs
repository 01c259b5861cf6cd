//! The backward pass: the loss, then operation by operation the parameters' sums and the signal's way down.

use crate::Result;
use crate::gemm::GradientSink;
use crate::graph::{BackwardInputs, BackwardPass, Schedule};
use crate::model::Mode;
use crate::ops::{cast, dropout, loss::LossStep, optimizer, residual};

/// Forward pass, loss, signals and parameters, with what becomes of their gradient and diagonal.
pub(super) fn build(
    inputs: &BackwardInputs<'_>,
    loss_step: &LossStep,
    mode: Mode,
    sink: GradientSink,
) -> Result<Schedule> {
    let (setup, graph) = (inputs.setup, inputs.graph);
    let mut pass = BackwardPass::new(inputs, mode, sink);
    loss_step.push(&mut pass)?;
    if let GradientSink::Update(update) = sink {
        optimizer::advance(setup, &update, &mut pass.schedule);
    }
    for op in graph.ops.iter().rev() {
        if let Some(signal) = pass.signal_at(op.output, residual::add_signals, cast::show)? {
            op.operation.backward(&mut pass, op, &signal)?;
        }
    }
    pass.signal_at(0, residual::add_signals, cast::show)?;
    if graph.ops.iter().any(|op| op.operation.is_random()) {
        dropout::advance(&mut pass);
    }
    if let GradientSink::Update(update) = sink {
        optimizer::rest(setup, &update, pass.updated, &mut pass.schedule);
    }
    Ok(pass.schedule)
}
