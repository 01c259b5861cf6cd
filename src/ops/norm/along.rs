//! The derivative of a normalisation without γ and β along a direction, `ẏ = J(a) ȧ`. J is symmetric, so forward it is the rule that
//! takes a signal back.

#[cfg(feature = "cpu")]
use super::host;
use super::{GroupNormBend, GroupNormSignal, Norm};
use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, Graph, Layout, Op, Operation, Saved, Signal, Slice};
use crate::model::{Activation, Mode};
use crate::shader::Flow;
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

#[derive(Debug)]
pub(crate) struct Along(pub Norm);

impl Along {
    /// The statistics that the normalisation of a has kept.
    fn statistics(&self, graph: &Graph, saved: &Saved, op: &Op) -> Slice {
        let of_a = |other: &&Op| {
            let is_norm = other.operation.get::<Norm>().is_some_and(|norm| norm.0.is_alike(&self.0.0));
            is_norm && graph.root(other.input()) == graph.root(op.inputs[1])
        };
        let kept = graph.ops.iter().find(of_a).and_then(|norm| saved.extra(norm));
        kept.expect("the normalisation stands before its derivative, in training")
    }
}

impl Operation for Along {
    fn layout(&self) -> Option<Layout> {
        self.0.layout()
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        host::Along(host::Normalize::new(self.0.0)).into()
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let [along, a] = [0, 1].map(|input| pass.saved.value(pass.graph, op.inputs[input]));
        let statistics = self.statistics(pass.graph, &pass.saved, op);
        let norm = self.0.kernel(pass.setup, pass.output(op));
        let flow = Flow { mode: Mode::None, below: Activation::Identity, plane_in: 0, plane_out: 0 };
        pass.reading(op, GroupNormSignal { norm, flow }, vec![along], &[a, statistics])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let [along, a] = [0, 1].map(|input| pass.saved.value(pass.graph, op.inputs[input]));
        let statistics = self.statistics(pass.graph, pass.saved, op);
        let norm = self.0.kernel(pass.setup, pass.output(op));
        pass.through_to(op, 0, signal, &[a, statistics], |flow| GroupNormSignal { norm, flow })?;
        pass.through_to(op, 1, signal, &[a, statistics, along], |flow| GroupNormBend { norm, flow })
    }
}
