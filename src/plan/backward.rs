//! The backward pass: the loss, then operation by operation the parameters' sums and the signal's way down.

use super::At;
use super::build::Builder;
use super::ends::Ends;
use super::forward::Held;
use super::memory::Kind;
use super::network::{Layout, Network, Op, OpKind};
use super::schedule::{Place, Schedule};
use super::update;
use crate::gemm::{Gemm, GradientSink, Offsets, Product, Use};
use crate::gpu::{Buffer, Resource, Tensor};
use crate::model::{Activation, Convolution, Mode, Role};
use crate::ops::act::ActSignal;
use crate::ops::batchnorm::{NormForward, NormSignal};
use crate::ops::cast::Cast;
use crate::ops::channel_sums::{ChannelSums, Parameters};
use crate::ops::conv::{Packing, Unpack};
use crate::ops::depthwise::{DepthwiseSignal, DepthwiseSizes};
use crate::ops::dropout::{AdvanceNoise, DropoutForward, DropoutSignal};
use crate::ops::layout::{Direction, Reorder};
use crate::ops::pool::PoolSignal;
use crate::ops::residual::{Add, AddSignal};
use crate::ops::zeropad::{PadForward, PadSignal};
use crate::shader::{Dtype, Flow, Kernel, planes};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// Signals that the user asked for, by the root of the value they stand at: always in rows.
pub(super) struct Kept(BTreeMap<usize, Buffer>);

impl Kept {
    pub(super) fn new(builder: &Builder<'_>, network: &Network) -> Result<Kept> {
        let mut kept = BTreeMap::new();
        for at in &builder.options.signals {
            let root = network.root_at(*at).ok_or_else(|| {
                let known = format!("0 to {}", builder.model.layers().len() - 1);
                let name = match at {
                    At::Layer(index) => index.to_string(),
                    At::Input => "input".into(),
                };
                Error::Unknown { what: "layer", name, known }
            })?;
            let planes = planes(builder.options.mode) as usize;
            let name = format!("signal at {at:?}");
            let elements = builder.elements(&name, network.values[root].shape.iter().product())?;
            builder.elements(&name, network.values[root].len() * planes)?;
            if let std::collections::btree_map::Entry::Vacant(place) = kept.entry(root) {
                place.insert(builder.storage(Kind::Signal, &name, planes * Dtype::F32.plane(elements))?);
            }
        }
        Ok(Kept(kept))
    }

    /// As tensors: g, and the diagonal where the mode has one.
    pub(super) fn tensors(
        &self,
        builder: &Builder<'_>,
        network: &Network,
    ) -> Vec<(At, Tensor, Option<Tensor>)> {
        let tensors = builder.options.signals.iter().filter_map(|at| {
            let buffer = &self.0[&network.root_at(*at)?];
            let shape = match at {
                At::Input => builder.model.input_shape(),
                At::Layer(index) => builder.model.shape(*index).ok()?,
            };
            let whole = builder.with_batch(shape);
            let second = Dtype::F32.plane(whole.iter().product());
            let diagonal = Tensor::new(format!("diagonal at {at:?}"), buffer, second, &whole);
            let diagonal = builder.options.mode.has_diagonal().then_some(diagonal);
            Some((*at, Tensor::new(format!("gradient at {at:?}"), buffer, 0, &whole), diagonal))
        });
        tensors.collect()
    }
}

/// A signal somewhere in the network: where it lies, and the distance between its planes.
#[derive(Clone)]
struct Signal {
    place: Place,
    plane: u32,
}

/// What every backward pass of a plan stands on.
pub(super) struct Ground<'a, 'b> {
    pub builder: &'a Builder<'b>,
    pub network: &'a Network,
    /// The pass up to the logits, and what it leaves.
    pub forward: &'a Schedule,
    pub held: &'a Held,
    pub kept: &'a Kept,
    pub ends: &'a Ends,
}

/// One pass in the making.
struct Walk<'a, 'b> {
    builder: &'a Builder<'b>,
    network: &'a Network,
    held: &'a Held,
    kept: &'a Kept,
    mode: Mode,
    leave: GradientSink,
    schedule: Schedule,
    /// Flat ranges of parameters that have been updated already.
    updated: Vec<Range<usize>>,
    /// Signals that have arrived at each value, by its root: one from each of its readers.
    arrived: Vec<Vec<Signal>>,
    /// Whether anything needs the signal at a value, by its root.
    needed: Vec<bool>,
}

/// Forward pass, loss, signals and parameters, with what becomes of their gradient and diagonal.
pub(super) fn build(ground: &Ground<'_, '_>, mode: Mode, leave: GradientSink) -> Result<Schedule> {
    let Ground { builder, network, forward, held, kept, ends } = *ground;
    let mut walk = Walk {
        builder,
        network,
        held,
        kept,
        mode,
        leave,
        schedule: forward.clone(),
        updated: Vec::new(),
        arrived: network.values.iter().map(|_| Vec::new()).collect(),
        needed: needed(builder, network, kept),
    };
    walk.loss(ends)?;
    if let GradientSink::Update(step) = leave {
        update::advance(builder.state, &step, &mut walk.schedule);
    }
    for op in network.ops.iter().rev() {
        if let Some(signal) = walk.signal_at(op.output)? {
            walk.op(op, &signal)?;
        }
    }
    walk.signal_at(0)?;
    if network.ops.iter().any(|op| matches!(op.kind, OpKind::Dropout(_))) {
        walk.schedule.push(AdvanceNoise.into(), vec![builder.state.noise_words().resource().into()]);
    }
    if let GradientSink::Update(step) = leave {
        update::rest(builder.state, &step, walk.updated, &mut walk.schedule);
    }
    Ok(walk.schedule)
}

/// Of each value, whether something at it or before it needs its signal: parameters, or a user.
fn needed(builder: &Builder<'_>, network: &Network, kept: &Kept) -> Vec<bool> {
    let mut needed: Vec<bool> = (0..network.values.len()).map(|value| kept.0.contains_key(&value)).collect();
    for op in &network.ops {
        let has_parameters =
            op.node.is_some_and(|node| builder.model.parameter_of(node, Role::Weight).is_some());
        needed[op.output] |= has_parameters || op.inputs.iter().any(|input| needed[network.root(*input)]);
    }
    needed
}

/// Samples that one dispatch of a dense layer sums over; a larger batch is summed in several, one after the other. It keeps
/// each far from a driver's watchdog, and from the 65,535 trips after which llvmpipe leaves a loop, silently. A multiple of
/// 64, so that every part starts where a binding may.
const MOST_SAMPLES: u32 = 16_384;

impl Walk<'_, '_> {
    /// Memory for the signal at a value.
    fn passing(&mut self, value: usize) -> Result<Signal> {
        let value = &self.network.values[value];
        let number = self.builder.options.storage;
        let plane = number.plane(self.builder.elements(&value.name, value.len())?);
        let planes = planes(self.mode) as usize;
        self.builder.elements(&value.name, planes * value.len())?;
        let name = format!("signal at {}", value.name);
        Ok(Signal { place: self.schedule.passing(name, planes * plane, number), plane: plane as u32 })
    }

    /// Where the whole signal at a root goes: to the user, if it was asked for and lies as the user sees it.
    fn place(&mut self, root: usize) -> Result<Signal> {
        match self.kept.0.get(&root) {
            Some(buffer) if self.is_as_seen(root) => {
                let plane = Dtype::F32.plane(self.builder.batch * self.network.values[root].len()) as u32;
                Ok(Signal { place: whole(buffer).into(), plane })
            }
            _ => self.passing(root),
        }
    }

    /// Whether the signal at a root lies as a user sees it: in rows, and in f32.
    fn is_as_seen(&self, root: usize) -> bool {
        self.network.values[root].layout != Layout::Image && self.builder.options.storage == Dtype::F32
    }

    /// Loss, signal at the logits, and the sum over the batch.
    fn loss(&mut self, ends: &Ends) -> Result<()> {
        let root = self.network.root(self.network.logits);
        let top = match self.needed[root] {
            true => self.place(root)?,
            false => self.passing(root)?,
        };
        ends.push(self.builder, self.mode, &top.place, top.plane, &mut self.schedule);
        self.arrived[root].push(top);
        Ok(())
    }

    /// The whole signal at a value: the sum of what has arrived from its readers.
    fn signal_at(&mut self, value: usize) -> Result<Option<Signal>> {
        let root = self.network.root(value);
        let mut arrived = std::mem::take(&mut self.arrived[root]);
        let Some(signal) = arrived.pop() else { return Ok(None) };
        let mut signal = signal;
        while let Some(other) = arrived.pop() {
            let to = if arrived.is_empty() { self.place(root)? } else { self.passing(root)? };
            let elements = (self.builder.batch * self.network.values[root].len()) as u32;
            let flow = self.flow(&signal, &to, Activation::Identity);
            let kernel = AddSignal { add: Add { elements }, flow };
            self.schedule.push(kernel.into(), vec![signal.place, to.place.clone(), other.place]);
            signal = to;
        }
        if let Some(buffer) = self.kept.0.get(&root) {
            self.show(root, &signal, whole(buffer).into());
        }
        Ok(Some(signal))
    }

    /// Brings g and the diagonal of a signal to the user, if they are not there: an image becomes rows, f16 becomes f32.
    fn show(&mut self, root: usize, signal: &Signal, to: Place) {
        if self.is_as_seen(root) {
            return;
        }
        let value = &self.network.values[root];
        let elements = self.builder.batch * value.shape.iter().product::<usize>();
        let (planes, number) = (1 + u32::from(self.mode.has_diagonal()), self.builder.options.storage);
        let shown = Signal { place: to, plane: Dtype::F32.plane(elements) as u32 };
        let mut signal = signal.clone();
        if value.layout == Layout::Image {
            let mut rows = shown.clone();
            if number != Dtype::F32 {
                let (name, plane) = (format!("rows of {}", value.name), number.plane(elements));
                rows.place = self.schedule.passing(name, planes as usize * plane, number);
                rows.plane = plane as u32;
            }
            let kernel = self.convert(root, Direction::ToRows, planes, [rows.plane, signal.plane]);
            self.schedule.push(kernel, vec![signal.place, rows.place.clone()]);
            signal = rows;
        }
        if number != Dtype::F32 {
            let (plane_in, plane_out, scale) = (signal.plane, shown.plane, 1.0 / self.builder.loss_scale);
            let kernel = Cast { elements: elements as u32, planes, plane_in, plane_out, scale };
            self.schedule.push(kernel.into(), vec![signal.place, shown.place]);
        }
    }

    /// All planes of the signal at a value in its other layout; `planes_of`: sizes of the planes in rows and in the image.
    fn convert(&self, value: usize, direction: Direction, planes: u32, planes_of: [u32; 2]) -> Kernel {
        let value = &self.network.values[value];
        let (batch, channels, positions) =
            (self.builder.batch as u32, value.shape[0] as u32, value.positions() as u32);
        let [plane_rows, plane_image] = planes_of;
        Reorder { direction, batch, channels, positions, planes, plane_rows, plane_image }.into()
    }

    fn flow(&self, from: &Signal, to: &Signal, below: Activation) -> Flow {
        Flow { mode: self.mode, below, plane_in: from.plane, plane_out: to.plane }
    }

    /// Where the signal below an operation goes: to its input, or through the activation that stands there, which then is
    /// part of the same dispatch; unless the signal between the two is to be seen, or nothing under it needs one.
    fn below(&mut self, input: usize) -> Result<(Signal, Activation, Option<Place>)> {
        let root = self.network.root(input);
        let writer = self.network.writer(root).map(|writer| &self.network.ops[writer]);
        if let Some(Op { kind: OpKind::Act(activation), inputs, .. }) = writer {
            let under = self.network.root(inputs[0]);
            let alone = self.network.readers(root) == 1 && !self.kept.0.contains_key(&root);
            if alone && self.needed[under] {
                let signal = self.target(under)?;
                return Ok((signal, *activation, Some(self.held.value(self.network, under))));
            }
        }
        Ok((self.target(root)?, Activation::Identity, None))
    }

    /// Where a signal that arrives at a root goes: where the whole is to be, if nothing else arrives there.
    fn target(&mut self, root: usize) -> Result<Signal> {
        let signal = match self.network.readers(root) {
            0 | 1 => self.place(root)?,
            _ => self.passing(root)?,
        };
        self.arrived[root].push(signal.clone());
        Ok(signal)
    }

    fn op(&mut self, op: &Op, signal: &Signal) -> Result<()> {
        let goes_on = self.needed[self.network.root(op.input())];
        match &op.kind {
            OpKind::Dense { inputs, outputs, bias } => {
                let sizes = (*inputs as u32, *outputs as u32);
                let (tuning, batch) = (self.builder.context.tuning(), self.builder.batch as u32);
                let weight = self.builder.parameter(op, Role::Weight).resource();
                if goes_on {
                    self.product(op, signal, weight, |usage| {
                        Gemm::new(tuning, usage, batch, sizes.0, sizes.1)
                    })?;
                }
                // After the signal, for the weights may be updated here.
                self.dense(op, signal, sizes, *bias);
            }
            OpKind::Convolution(convolution) => {
                self.convolution(op, signal, convolution)?;
                let (tuning, batch) = (self.builder.context.tuning(), self.builder.batch as u32);
                let index = self.network.writer(op.output);
                let weight = index.and_then(|index| self.held.weights[index].clone());
                if let (true, Some(weight)) = (goes_on, weight) {
                    self.product(op, signal, weight, |usage| convolution.signal(tuning, batch, usage))?;
                }
            }
            OpKind::Depthwise(convolution) => {
                let (window, batch) = (convolution.window, self.builder.batch as u32);
                let sizes = DepthwiseSizes { window, batch, channels: convolution.inputs as u32 };
                let parameters = Parameters::Depthwise { sizes, bias: convolution.bias };
                self.channels(op, signal, parameters, window.taps() as u32, convolution.bias)?;
                let weight = self.builder.parameter(op, Role::Weight).resource();
                if goes_on {
                    self.through(op, signal, vec![weight], |flow| DepthwiseSignal { sizes, flow })?;
                }
            }
            OpKind::Norm(_) => {
                let storage = self.network.values[op.output].storage(self.builder.batch);
                self.channels(op, signal, Parameters::Norm(storage), 1, true)?;
                let mut extras = self.extras(op);
                extras.push(self.builder.parameter(op, Role::Weight).resource());
                if goes_on {
                    self.through(op, signal, extras, |flow| NormSignal {
                        norm: NormForward { storage },
                        flow,
                    })?;
                }
            }
            OpKind::Add => {
                for input in &op.inputs {
                    let root = self.network.root(*input);
                    if self.needed[root] {
                        self.arrived[root].push(signal.clone());
                    }
                }
            }
            _ if !goes_on => {}
            OpKind::Pool(pooling) => {
                let (pooling, batch) = (*pooling, self.builder.batch as u32);
                let channels = self.network.values[op.output].shape[0] as u32;
                self.through(op, signal, self.extras(op), |flow| PoolSignal {
                    pooling,
                    batch,
                    channels,
                    flow,
                })?;
            }
            OpKind::Pad(padding) => {
                let value = &self.network.values[op.input()];
                let (batch, channels, image) =
                    (self.builder.batch as u32, value.shape[0] as u32, value.size());
                let pad = PadForward { batch, channels, image, padding: *padding };
                self.through(op, signal, Vec::new(), |flow| PadSignal { pad, flow })?;
            }
            OpKind::Dropout(p) => {
                let storage = self.network.values[op.output].storage(self.builder.batch);
                let dropout = DropoutForward { storage, node: op.node.unwrap_or(0) as u32, p: *p };
                let noise = vec![self.builder.state.noise_words().resource()];
                self.through(op, signal, noise, |flow| DropoutSignal { dropout, flow })?;
            }
            OpKind::ToImage | OpKind::ToRows => {
                let to = self.target(self.network.root(op.input()))?;
                let planes = planes(self.mode);
                let kernel = match op.kind {
                    OpKind::ToImage => {
                        self.convert(op.output, Direction::ToRows, planes, [to.plane, signal.plane])
                    }
                    _ => self.convert(op.output, Direction::ToImage, planes, [signal.plane, to.plane]),
                };
                self.schedule.push(kernel, vec![signal.place.clone(), to.place]);
            }
            OpKind::Act(activation) => {
                let to = self.target(self.network.root(op.input()))?;
                let value = &self.network.values[op.input()];
                let kernel = ActSignal {
                    activation: *activation,
                    mode: self.mode,
                    elements: (self.builder.batch * value.len()) as u32,
                    plane_in: signal.plane,
                    plane_out: to.plane,
                };
                let input = self.held.value(self.network, op.input());
                self.schedule.push(Kernel::from(kernel), vec![signal.place.clone(), input, to.place]);
            }
        }
        Ok(())
    }

    /// What else the operation left on the way up.
    fn extras(&self, op: &Op) -> Vec<Resource> {
        let index = self.network.writer(op.output);
        index.and_then(|index| self.held.extras[index].clone()).into_iter().collect()
    }

    /// The signal through an operation without a product, and the activation below.
    fn through<K: Into<Kernel>>(
        &mut self,
        op: &Op,
        signal: &Signal,
        extras: Vec<Resource>,
        kernel: impl FnOnce(Flow) -> K,
    ) -> Result<()> {
        let (to, below, under) = self.below(op.input())?;
        let kernel = kernel(self.flow(signal, &to, below)).into();
        let mut places = vec![signal.place.clone(), to.place];
        places.extend(extras.into_iter().map(Place::from));
        places.extend(under.filter(|_| below != Activation::Identity));
        self.schedule.push(kernel, places);
        Ok(())
    }

    /// Gradient and diagonal of parameters that each channel has of its own.
    fn channels(
        &mut self,
        op: &Op,
        signal: &Signal,
        parameters: Parameters,
        taps: u32,
        bias: bool,
    ) -> Result<()> {
        let partial = ChannelSums { parameters, mode: self.mode, plane: signal.plane };
        let name = &self.network.values[op.output].name;
        let sums = self.schedule.passing(format!("sums of {name}"), partial.len() as usize, Dtype::F32);
        let input = self.held.value(self.network, op.input());
        let mut places = vec![signal.place.clone(), sums.clone(), input];
        if let Parameters::Norm(_) = parameters {
            places.extend(self.extras(op).into_iter().map(Place::from));
        }
        self.schedule.push(partial.into(), places);
        let channels = self.network.values[op.output].shape[0] as u32;
        let packing = Packing::of_channels(channels, taps, partial.stride(), bias);
        self.unpack(op, Unpack::new(packing, partial.splits(), partial.components()), sums);
        Ok(())
    }

    /// Sums that are complete go where the parameters' gradient and diagonal lie.
    fn unpack(&mut self, op: &Op, unpack: Unpack, sums: Place) {
        let flat = Flat::of(self.builder, op);
        let (accumulate, scale) = (self.leave == GradientSink::Accumulate, self.builder.parameter_scale());
        let unpack = Unpack { accumulate, scale, bias: flat.bias, ..unpack };
        let state = self.builder.state;
        let mut places = vec![sums, flat.part(state.gradient())];
        places.extend(unpack.diagonal.then(|| flat.part(state.diagonal())));
        self.schedule.push(Kernel::from(unpack), places);
    }

    /// The signal through a product with `weight`, and the activation below.
    fn product(
        &mut self,
        op: &Op,
        signal: &Signal,
        weight: Resource,
        gemm: impl FnOnce(Use) -> Gemm,
    ) -> Result<()> {
        let (to, below, under) = self.below(op.input())?;
        let gemm = gemm(Use::Signal { mode: self.mode, below });
        let places = Offsets { a_plane: signal.plane, c_plane: to.plane, ..Offsets::ALONE };
        let mut resources = vec![signal.place.clone(), weight.into(), to.place];
        resources.extend(under.filter(|_| below != Activation::Identity));
        self.schedule.push(Product { gemm, offsets: places }.into(), resources);
        Ok(())
    }

    /// Gradient and diagonal of a dense layer, weight and bias in one dispatch, or what the optimiser makes of them.
    fn dense(&mut self, op: &Op, signal: &Signal, (inputs, outputs): (u32, u32), bias: bool) {
        let (builder, batch) = (self.builder, self.builder.batch as u32);
        let (tuning, diagonal) = (builder.context.tuning(), self.mode.has_diagonal());
        let input = self.held.value(self.network, op.input());
        let flat = Flat::of(builder, op);
        let places = Offsets {
            a_plane: signal.plane,
            bias: flat.bias,
            scale: builder.parameter_scale(),
            ..Offsets::ALONE
        };
        if let GradientSink::Update(update) = self.leave
            && update.reads_diagonal() == diagonal
            && batch <= MOST_SAMPLES
            && Gemm::update_pays(tuning.class, inputs, batch)
        {
            let usage = Use::Parameters { diagonal, bias, sink: self.leave };
            let gemm = Gemm::new(tuning, usage, outputs, inputs, batch);
            let places = Offsets {
                c_plane: builder.state.parameters().len() as u32,
                first: flat.range.start as u32 / 4,
                ..places
            };
            let parameters = builder.state.parameters().resource().into();
            let memory = update::memory(builder.state).map(Place::from);
            let resources = [signal.place.clone(), input, parameters].into_iter().chain(memory);
            self.schedule.push(Product { gemm, offsets: places }.into(), resources.collect());
            self.updated.push(flat.range);
            return;
        }
        let mut start = 0;
        while start < batch {
            let leave = match self.leave {
                GradientSink::Replace | GradientSink::Update(_) if start == 0 => GradientSink::Replace,
                _ => GradientSink::Accumulate,
            };
            let usage = Use::Parameters { diagonal, bias, sink: leave };
            let samples = (batch - start).min(MOST_SAMPLES);
            let gemm = Gemm::new(tuning, usage, outputs, inputs, samples);
            let skip = |place: &Place, width: u32| {
                let bytes = self.schedule.number(place).bytes(start as usize * width as usize);
                place.clone().skipping(bytes as u64)
            };
            let mut resources =
                vec![skip(&signal.place, gemm.m), skip(&input, gemm.n), flat.part(builder.state.gradient())];
            if diagonal {
                resources.push(flat.part(builder.state.diagonal()));
            }
            self.schedule.push(Product { gemm, offsets: places }.into(), resources);
            start += samples;
        }
    }

    /// Gradient and diagonal of a convolution: sums over parts of the batch, then their sum.
    fn convolution(&mut self, op: &Op, signal: &Signal, convolution: &Convolution) -> Result<()> {
        let partial =
            convolution.partial(self.builder.context.tuning(), self.builder.batch as u32, self.mode);
        let packing = convolution.packing();
        let elements = partial.split().splits as usize * partial.kept() as usize * packing.len as usize;
        let name = &self.network.values[op.output].name;
        let sums = self.schedule.passing(format!("sums of {name}"), elements, Dtype::F32);
        let places =
            Offsets { a_plane: signal.plane, c_plane: packing.len, bias: packing.bias, ..Offsets::ALONE };
        let input = self.held.value(self.network, op.input());
        self.schedule.push(
            Product { gemm: partial, offsets: places }.into(),
            vec![signal.place.clone(), input, sums.clone()],
        );
        self.unpack(op, Unpack::after(&partial, packing), sums);
        Ok(())
    }
}

/// The part of the flat layout that is one operation's, weight and bias together.
struct Flat {
    range: Range<usize>,
    /// Where the bias begins, counted from the weight.
    bias: u32,
}

impl Flat {
    fn of(builder: &Builder<'_>, op: &Op) -> Flat {
        let mine = || builder.model.parameters().iter().filter(|p| Some(p.node) == op.node);
        let first = mine().map(|p| p.offset).min().unwrap_or(0);
        let end = mine().map(|p| p.range().end).max().unwrap_or(first).next_multiple_of(64);
        let bias = mine().find(|p| p.role == Role::Bias).map_or(0, |p| p.offset - first) as u32;
        Flat { range: first..end, bias }
    }

    fn part(&self, flat: &Tensor) -> Place {
        let Range { start, end } = self.range;
        Tensor::new(flat.name(), flat.owned(), start, &[end - start]).resource().into()
    }
}

fn whole(buffer: &Buffer) -> Resource {
    Resource { buffer: buffer.clone(), offset: 0, size: buffer.size(), dtype: Dtype::F32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Conv2d, Loss, Model};
    use crate::shader::DeviceClass;

    /// Else the order of a sum, and the last bits of the gradient, would depend on the mode.
    #[test]
    fn a_convolutions_sums_are_cut_alike_in_every_mode() {
        let mut cut = 0;
        for class in DeviceClass::ALL {
            for (inputs, outputs, kernel, size) in
                choices(&[3, 8, 64, 128], &[8, 36, 128], &[1, 3, 5], &[2, 8, 16])
            {
                let layer = Conv2d::new(outputs, kernel).same();
                let model =
                    Model::builder([inputs, size, size]).layer(layer).loss(Loss::mse()).expect("valid");
                let network = Network::new(&model, true).expect("can be planned");
                for op in &network.ops {
                    let OpKind::Convolution(convolution) = &op.kind else { continue };
                    for batch in [16, 64, 256] {
                        let splits =
                            Mode::ALL.map(|mode| convolution.partial(class, batch, mode).split().splits);
                        assert_eq!(splits, [splits[0]; 6], "{class:?} {} batch {batch}", model.to_json());
                        cut += usize::from(splits[0] > 1);
                    }
                }
            }
        }
        assert!(cut > 300, "{cut}");
    }

    /// Every choice of one from each.
    fn choices<'a>(
        a: &'a [usize],
        b: &'a [usize],
        c: &'a [usize],
        d: &'a [usize],
    ) -> impl Iterator<Item = (usize, usize, usize, usize)> + 'a {
        a.iter().flat_map(move |a| {
            b.iter().flat_map(move |b| c.iter().flat_map(move |c| d.iter().map(|d| (*a, *b, *c, *d))))
        })
    }
}
