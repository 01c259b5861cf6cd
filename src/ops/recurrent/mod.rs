//! Recurrent layers: at each position a product with the state of all units before it, then a step of each unit by itself.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{Before, Recurrent, RecurrentForward, RecurrentSignal};

use crate::Result;
use crate::gemm::{Gemm, Offsets, Product, Use};
use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Purpose, Setup, Signal, Slice,
    Value,
};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Activation, Layer, Mode, Recurrence, Role};
use crate::ops::conv;
use crate::shader::{Dtype, Flow};

#[derive(Debug)]
struct Recur(Recurrence);

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    Ok(layer.recurrence(at.name, at.input)?.map(|layer| Recur(layer).into()))
}

impl Operation for Recur {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (setup, batch, output) = (pass.setup, pass.batch(), pass.output(op));
        let layer = Recurrent::new(self.0, batch);
        let name = format!("gates of {}", output.name);
        let kept = setup.elements(&name, self.0.positions.saturating_mul(layer.kept()))?;
        let kept = setup.options.training.then(|| setup.own(Purpose::Activation, name, kept));
        kept.into_iter().for_each(|kept| pass.save(op, kept));
        let state = pass.schedule.transient(format!("state of {}", output.name), layer.state(), Dtype::F32);
        let name = format!("products of {}", output.name);
        let q = setup.elements(&name, self.0.channels())?;
        let q = pass.schedule.transient(name, q, Dtype::F32);
        let (x, z) = (pass.saved.value(pass.graph, op.input()), pass.memory(op)?);
        let weight = setup.parameter(op, Role::Weight);
        let bias = self.0.bias.then(|| setup.parameter(op, Role::Bias));
        for position in 0..self.0.positions {
            // At first there is no state, and q is the bias, or nothing: then what is bound in its place is not looked at.
            let (q, before) = match (position, bias) {
                (0, Some(bias)) => (bias, Before::Bias),
                (0, None) => (weight, Before::Nothing),
                _ => {
                    let usage =
                        Use::Forward { activation: Activation::Identity, bias: bias.is_some(), keep: false };
                    let gemm = self.product(setup, usage);
                    let h = Slice { size: 4 * u64::from(batch) * self.0.hidden as u64, ..state };
                    let slices = [h, weight, q].into_iter().chain(bias).collect();
                    pass.schedule.push(Product { gemm, offsets: Offsets::ALONE }, slices);
                    (q, Before::State)
                }
            };
            let kernel = RecurrentForward { layer, position: position as u32, before, keep: kept.is_some() };
            pass.schedule.push(kernel, [x, z, q, state].into_iter().chain(kept).collect());
        }
        Ok(())
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        let Some(kept) = pass.saved.extra(op) else { return Ok(()) };
        let (setup, mode) = (pass.setup, pass.mode);
        let layer = Recurrent::new(self.0, pass.batch());
        let name = &pass.output(op).name;
        let planes = layer.planes(mode);
        let transient = |pass: &mut BackwardPass<'_>, what: &str, elements: usize| -> Result<Slice> {
            let name = format!("{what} {name}");
            setup.elements(&name, elements.div_ceil(setup.batch))?;
            Ok(pass.schedule.transient(name, elements, Dtype::F32))
        };
        let rows = transient(pass, "signal at products of", planes.rows())?;
        let carried = transient(pass, "signal at states of", planes.carried())?;
        let image = transient(pass, "signals at products of", planes.image())?;
        let below = if pass.continues(op) { Some(pass.below(op.input())?) } else { None };
        let weight = setup.parameter(op, Role::Weight);
        for position in (0..self.0.positions).rev() {
            let last = position + 1 == self.0.positions;
            let flow = match &below {
                Some((to, activation, _)) => pass.flow(signal, to, *activation),
                None => Flow { mode, below: Activation::Identity, plane_in: signal.plane, plane_out: 0 },
            };
            let (position, continues) = (position as u32, below.is_some());
            let kernel = RecurrentSignal { layer, flow, position, last, continues };
            let mut slices = vec![signal.slice];
            slices.extend(below.as_ref().map(|(to, ..)| to.slice));
            // Behind the last position nothing is carried, and what is bound in its place is not looked at.
            slices.extend([kept, if last { kept } else { carried }, rows, image]);
            slices.extend(
                below
                    .as_ref()
                    .and_then(|(_, activation, under)| under.filter(|_| *activation != Activation::Identity)),
            );
            pass.schedule.push(kernel, slices);
            if position > 0 {
                let gemm = self.product(setup, Use::Signal { mode, below: Activation::Identity });
                let (a_plane, c_plane) = (planes.row, planes.state);
                let offsets = Offsets { a_plane, c_plane, ..Offsets::ALONE };
                let from = Slice { size: 4 * planes.row_signal() as u64, ..rows };
                pass.schedule.push(Product { gemm, offsets }, vec![from, weight, carried]);
            }
        }
        if setup.trains(op) {
            let signal = Signal { slice: image, plane: planes.image };
            conv::Conv(self.0.product()).parameters(
                pass,
                op,
                &signal,
                pass.saved.value(pass.graph, op.output),
            );
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        host::Recur::new(self.0).into()
    }

    fn packed_weight(&self) -> Option<usize> {
        conv::packed_weight(&self.0.product())
    }

    fn scratch(&self, output: &Value, batch: usize, mode: Mode) -> usize {
        let layer = Recurrent::new(self.0, batch as u32);
        let planes = layer.planes(mode);
        let kept = batch.saturating_mul(self.0.positions).saturating_mul(layer.kept());
        let sums = conv::Conv(self.0.product()).scratch(output, batch, mode);
        [kept, planes.rows(), planes.image(), sums].into_iter().max().unwrap_or(0)
    }
}

impl Recur {
    /// The product with the weight at one position, forward or back.
    fn product(&self, setup: &Setup<'_>, usage: Use) -> Gemm {
        let (batch, hidden, gates) = (setup.batch as u32, self.0.hidden as u32, self.0.channels() as u32);
        match usage {
            Use::Signal { .. } => Gemm::new(setup.tuning, usage, batch, hidden, gates),
            _ => Gemm::new(setup.tuning, usage, batch, gates, hidden),
        }
    }
}
