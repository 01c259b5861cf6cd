//! Attention: every position of a sample meets every other. The weights p are stored, and so is the signal at the scores.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Attention, AttentionForward, AttentionScores, AttentionSignal, AttentionWeights};

use crate::Result;
use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Purpose, Setup, Signal, Value,
};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Heads, Layer, Mode};
use crate::shader::Dtype;

#[derive(Debug)]
struct Attend(Heads);

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(layer.heads(at.name, at.input)?.map(|heads| Attend(heads).into()))
}

impl Attend {
    fn kernel(&self, setup: &Setup<'_>) -> Attention {
        Attention::new(setup.tuning.class, self.0, setup.batch as u32)
    }
}

impl Operation for Attend {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (setup, output) = (pass.setup, pass.output(op));
        let kernel = self.kernel(setup);
        kernel.check(&output.name)?;
        let name = format!("weights of {}", output.name);
        let len = setup.elements(&name, self.0.weights())?;
        let weights = if setup.options.training {
            setup.own(Purpose::Activation, name, len)
        } else {
            pass.schedule.transient(name, len, Dtype::F32)
        };
        pass.save(op, weights);
        let x = pass.saved.value(pass.graph, op.input());
        pass.schedule.push(AttentionWeights(kernel), vec![x, weights]);
        pass.simple(op, AttentionForward(kernel), &[weights])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let (true, Some(weights)) = (pass.continues(op), pass.saved.extra(op)) else { return Ok(()) };
        let attention = self.kernel(pass.setup);
        let name = format!("scores of {}", pass.output(op).name);
        let len = attention.scores(pass.mode);
        pass.setup.elements(&name, len.div_ceil(pass.setup.batch))?;
        let scores = pass.schedule.transient(name, len, Dtype::F32);
        let x = pass.saved_input(op);
        let kernel = AttentionScores { attention, mode: pass.mode, plane: signal.plane };
        pass.schedule.push(kernel, vec![signal.slice, scores, x, weights]);
        pass.through(op, signal, &[x, weights, scores], |flow| AttentionSignal { attention, flow })
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        host::Attend(self.0).into()
    }

    fn scratch(&self, _: &Value, batch: usize, mode: Mode) -> usize {
        mode.components().saturating_mul(batch).saturating_mul(self.0.weights())
    }
}
