//! Convolutions and transposed convolutions, as products over images.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;
mod packing;
mod product;

pub(crate) use kernel::{Pack, Unpack};
pub(crate) use packing::Packing;

use crate::Result;
use crate::gemm::{GradientSink, Offsets, Product, Use};
use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Purpose, Region, Signal, Slice,
    Value,
};
#[cfg(feature = "cpu")]
use crate::host::HostOp;
use crate::model::{Convolution, Layer, Mode, Role};
use crate::ops::depthwise::{Depthwise, DepthwiseSizes};
use crate::shader::{DeviceClass, Dtype, padded};

#[derive(Debug)]
pub(crate) struct Conv(pub Convolution);

/// A convolution of each channel by itself is an operation of its own.
pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Some(convolution) = layer.convolution(at.name, at.input)? else { return Ok(None) };
    let alone = [convolution.inputs, convolution.outputs] == [convolution.groups; 2];
    let short = convolution.window.taps() <= DepthwiseSizes::MOST_TAPS;
    let depthwise = alone && short && convolution.groups > 1 && !convolution.transposed;
    Ok(Some(if depthwise { Depthwise(convolution).into() } else { Conv(convolution).into() }))
}

/// Elements of a convolution's weight with its channels padded.
pub(crate) fn packed_weight(convolution: &Convolution) -> Option<usize> {
    let weight = padded(convolution.inputs).checked_mul(padded(convolution.outputs));
    weight.and_then(|weight| weight.checked_mul(convolution.window.taps()))
}

impl Operation for Conv {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let (tuning, batch, bias) = (pass.setup.tuning, pass.batch(), self.0.bias);
        let weight = self.pack(pass, op);
        pass.linear(op, weight, bias, |activation, keep, c_plane| {
            let gemm = self.0.forward(tuning, batch, Use::Forward { activation, bias, keep });
            Product { gemm, offsets: Offsets { c_plane, ..Offsets::ALONE } }
        })
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        if pass.setup.trains(op) {
            self.parameters(pass, op, signal, pass.saved_input(op));
        }
        let (tuning, batch) = (pass.setup.tuning, pass.batch());
        if let (true, Some(weight)) = (pass.continues(op), pass.saved.extra(op)) {
            pass.through_weight(op, signal, weight, |flow| {
                let gemm = self.0.signal(tuning, batch, Use::Signal { mode: flow.mode, below: flow.below });
                let (a_plane, c_plane) = (flow.plane_in, flow.plane_out);
                Product { gemm, offsets: Offsets { a_plane, c_plane, ..Offsets::ALONE } }
            })?;
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        host::Convolve::new(&self.0).into()
    }

    fn packed_weight(&self) -> Option<usize> {
        packed_weight(&self.0)
    }

    fn scratch(&self, _: &Value, batch: usize, mode: Mode) -> usize {
        let of = |class: DeviceClass| {
            let partial = self.0.partial(class, batch as u32, mode);
            partial.split().splits as usize * partial.kept() as usize * self.0.packing().len as usize
        };
        DeviceClass::ALL.into_iter().map(of).max().unwrap_or(0)
    }
}

impl Conv {
    /// The weight in the order its kernels read it.
    fn pack(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Slice {
        let weight = pass.setup.parameter(op, Role::Weight);
        let packed = if self.0.is_packed() {
            weight
        } else {
            let packing = self.0.packing();
            let name = format!("weight of {}", pass.output(op).name);
            let packed = pass.setup.own(Purpose::Parameter, name, packing.bias as usize);
            pass.schedule.push(Pack(packing), vec![weight, packed]);
            packed
        };
        pass.save(op, packed);
        packed
    }

    /// Gradient and diagonal of a convolution of `input`: partial sums over parts of the batch, then their total.
    pub(crate) fn parameters(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal, input: Slice) {
        let (partial, packing) =
            (self.0.partial(pass.setup.tuning, pass.batch(), pass.mode), self.0.packing());
        let elements = partial.split().splits as usize * partial.kept() as usize * packing.len as usize;
        let name = format!("sums of {}", pass.output(op).name);
        let sums = pass.schedule.transient(name, elements, Dtype::F32);
        let (a_plane, c_plane, bias) = (signal.plane, packing.len, packing.bias);
        let offsets = Offsets { a_plane, c_plane, bias, ..Offsets::ALONE };
        let slices = vec![signal.slice, input, sums];
        pass.schedule.push(Product { gemm: partial, offsets }, slices);
        unpack(pass, op, Unpack::after(&partial, packing), sums);
    }
}

/// Adds complete sums up into the parameters' gradient and diagonal.
pub(crate) fn unpack(pass: &mut BackwardPass<'_>, op: &Op, unpack: Unpack, sums: Slice) {
    let flat = pass.flat(op);
    let (accumulate, scale) = (pass.sink_of(op) == GradientSink::Accumulate, pass.setup.parameter_scale());
    let unpack = Unpack { accumulate, scale, bias: flat.bias, ..unpack };
    let mut slices = vec![sums, flat.of(Region::Gradient)];
    slices.extend(unpack.diagonal.then(|| flat.of(Region::Diagonal)));
    pass.schedule.push(unpack, slices);
}
