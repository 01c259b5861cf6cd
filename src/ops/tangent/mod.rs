//! Derivatives of layers without parameters along a direction, `ż = F'(a) ȧ`: of activations, whose backward pass bends with `f''`,
//! of max pooling, which takes ȧ where a was largest, and of normalisations (`ops/norm/along.rs`); and what a normalisation's γ does to
//! the last. Products with the Hessian are made of them (`model/tangent.rs`); they carry a gradient, and no diagonal: that would take
//! third derivatives.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Factor, SlopeForward, SlopeSignal, Take};

use super::depthwise::Depthwise;
use super::norm::{Along, Norm};
use super::pool::{Pool, PoolSignal, Pooling};
use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Signal, Slice};
use crate::model::{Activation, Convolution, Layer};
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

/// What the derivative of a layer comes to.
pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Lowered> {
    if let Some(norm) = layer.normalization(at.name, at.input)? {
        return Ok(Along(Norm(norm)).into());
    }
    match (layer, layer.pooling(at.name, at.input)?) {
        (Layer::Act(activation), _) => Ok(Slope(*activation).into()),
        (Layer::MaxPool2d(_), Some(window)) => Ok(Largest(Pooling::Max(window)).into()),
        _ => unreachable!("{}: no derivative is asked for", at.name),
    }
}

/// Each channel times a parameter of its own: a depthwise convolution of one pixel.
pub(super) fn scale(input: &[usize]) -> Lowered {
    let image = match input {
        [_, height, width] => [*height, *width],
        _ => [1, input[1..].iter().product()],
    };
    Depthwise(Convolution::of_each_channel(input[0], image)).into()
}

/// `ż = f'(a) ȧ`
#[derive(Debug)]
struct Slope(Activation);

impl Operation for Slope {
    fn layout(&self) -> Option<Layout> {
        None
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, output: &Value) -> HostOp {
        host::Slope { function: self.0, size: output.len() }.into()
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let elements = pass.setup.elements_of(pass.output(op))? as u32;
        pass.simple(op, SlopeForward { activation: self.0, elements }, &[])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let elements = pass.setup.elements_of(pass.output(op))? as u32;
        let [along, a] = [0, 1].map(|input| pass.saved.value(pass.graph, op.inputs[input]));
        let kernel = |factor| {
            let forward = SlopeForward { activation: self.0, elements };
            move |flow| SlopeSignal { forward, factor, flow }
        };
        pass.through_to(op, 0, signal, &[a], kernel(Factor::Slope))?;
        if self.0.bends() {
            pass.through_to(op, 1, signal, &[a, along], kernel(Factor::Bend))?;
        }
        Ok(())
    }
}

/// `ż = ȧ` where a is the largest of its window.
#[derive(Debug)]
struct Largest(Pooling);

impl Largest {
    /// Where the largest were, as the pooling of a has kept them.
    fn places(&self, graph: &crate::graph::Graph, saved: &crate::graph::Saved, op: &Op) -> Slice {
        let of_a = |other: &&Op| {
            let pools = other.operation.get::<Pool>().is_some_and(|pool| pool.0 == self.0);
            pools && graph.root(other.input()) == graph.root(op.inputs[1])
        };
        let places = graph.ops.iter().find(of_a).and_then(|pool| saved.extra(pool));
        places.expect("the pooling stands before its derivative, in training")
    }
}

impl Operation for Largest {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    #[cfg(feature = "cpu")]
    fn host(&self, input: &Value, _: &Value) -> HostOp {
        let Pooling::Max(window) = &self.0 else { unreachable!("it is no other pooling") };
        super::pool::host::TakeLargest::new(window, input.channels()).into()
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (batch, channels) = (pass.batch(), pass.output(op).channels() as u32);
        let places = self.places(pass.graph, &pass.saved, op);
        let along = pass.saved.value(pass.graph, op.inputs[0]);
        pass.reading(op, Take { pooling: self.0, batch, channels }, vec![along], &[places])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let (pooling, batch, channels) = (self.0, pass.batch(), pass.output(op).channels() as u32);
        let places = self.places(pass.graph, pass.saved, op);
        pass.through_to(op, 0, signal, &[places], |flow| PoolSignal { pooling, batch, channels, flow })
    }
}
