//! Dense layers, `z = W x + b`.

#[cfg(feature = "cpu")]
pub(crate) mod host;

use crate::Result;
use crate::gemm::{Gemm, GradientSink, Offsets, Product, Use};
use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Region, Signal, Slice,
};
use crate::model::{Layer, Role};
use crate::ops::optimizer::{self, Update};
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Dense {
    pub inputs: usize,
    pub outputs: usize,
    pub bias: bool,
}

pub(super) fn lower(layer: &Layer, _: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Layer::Dense { inputs, outputs, bias } = *layer else { return Ok(None) };
    Ok(Some(Dense { inputs, outputs, bias }.into()))
}

/// The most samples that one dispatch sums over, far from a driver's watchdog and from the 65,535 iterations after which llvmpipe
/// silently leaves a loop. A multiple of 64, so that every part is aligned for binding.
const MOST_SAMPLES: u32 = 16_384;

impl Operation for Dense {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Rows)
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        HostOp::Dense([self.inputs, self.outputs])
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let Dense { bias, .. } = *self;
        let (tuning, batch) = (pass.setup.tuning, pass.batch());
        let weight = pass.setup.parameter(op, Role::Weight);
        pass.linear(op, weight, bias, |activation, keep, c_plane| {
            let usage = Use::Forward { activation, bias, keep };
            let gemm = Gemm::new(tuning, usage, batch, self.outputs as u32, self.inputs as u32);
            Product { gemm, offsets: Offsets { c_plane, ..Offsets::ALONE } }
        })
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        if pass.continues(op) {
            let (tuning, batch) = (pass.setup.tuning, pass.batch());
            let weight = pass.setup.parameter(op, Role::Weight);
            pass.through_weight(op, signal, weight, |flow| {
                let usage = Use::Signal { mode: flow.mode, below: flow.below };
                let gemm = Gemm::new(tuning, usage, batch, self.inputs as u32, self.outputs as u32);
                let (a_plane, c_plane) = (flow.plane_in, flow.plane_out);
                Product { gemm, offsets: Offsets { a_plane, c_plane, ..Offsets::ALONE } }
            })?;
        }
        // After the signal, because this may update the weights.
        match pass.sink_of(op) {
            _ if !pass.setup.trains(op) => {}
            GradientSink::Update(update) if self.is_updated_in_place(pass, &update) => {
                self.update(pass, op, signal, update);
            }
            _ => self.parameters(pass, op, signal),
        }
        Ok(())
    }
}

impl Dense {
    /// Whether the kernel that sums the gradient also takes the optimiser's step.
    fn is_updated_in_place(&self, pass: &BackwardPass<'_>, update: &Update) -> bool {
        let (class, batch) = (pass.setup.tuning.class, pass.batch());
        update.reads_diagonal() == pass.mode.has_diagonal()
            && batch <= MOST_SAMPLES
            && Gemm::update_pays(class, self.inputs as u32, batch)
    }

    fn update(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal, update: Update) {
        let (setup, flat) = (pass.setup, pass.flat(op));
        let (diagonal, bias, sink) = (pass.mode.has_diagonal(), self.bias, GradientSink::Update(update));
        let usage = Use::Parameters { diagonal, bias, sink };
        let gemm = Gemm::new(setup.tuning, usage, self.outputs as u32, self.inputs as u32, pass.batch());
        let offsets = Offsets {
            a_plane: signal.plane,
            bias: flat.bias,
            scale: setup.parameter_scale(),
            c_plane: setup.flat_len() as u32,
            first: flat.range.start as u32 / 4,
        };
        let slices = [signal.slice, pass.saved_input(op), setup.flat(Region::Parameters)];
        let slices = slices.into_iter().chain(optimizer::memory(setup)).collect();
        pass.schedule.push(Product { gemm, offsets }, slices);
        pass.updated.push(flat.range);
    }

    /// Gradient and diagonal, weight and bias in one dispatch.
    fn parameters(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) {
        let (setup, batch, flat) = (pass.setup, pass.batch(), pass.flat(op));
        let (diagonal, bias, input) = (pass.mode.has_diagonal(), self.bias, pass.saved_input(op));
        let offsets = Offsets {
            a_plane: signal.plane,
            bias: flat.bias,
            scale: setup.parameter_scale(),
            ..Offsets::ALONE
        };
        let mut start = 0;
        while start < batch {
            let sink = match pass.sink_of(op) {
                GradientSink::Replace | GradientSink::Update(_) if start == 0 => GradientSink::Replace,
                _ => GradientSink::Accumulate,
            };
            let usage = Use::Parameters { diagonal, bias, sink };
            let samples = (batch - start).min(MOST_SAMPLES);
            let gemm = Gemm::new(setup.tuning, usage, self.outputs as u32, self.inputs as u32, samples);
            let from = |slice: Slice, width: u32| {
                slice.skipping(slice.dtype.bytes(start as usize * width as usize) as u64)
            };
            let mut slices = vec![from(signal.slice, gemm.m), from(input, gemm.n), flat.of(Region::Gradient)];
            slices.extend(diagonal.then(|| flat.of(Region::Diagonal)));
            pass.schedule.push(Product { gemm, offsets }, slices);
            start += samples;
        }
    }
}
