//! The forward pass: one dispatch an operation, a product and the activation behind it one.

use super::build::Builder;
use super::memory::Kind;
use super::network::{Network, Op, OpKind, Value};
use super::schedule::{Place, Schedule};
use crate::Result;
use crate::gemm::{Gemm, Offsets, Product, Use};
use crate::gpu::{Resource, Tensor};
use crate::model::{Activation, Convolution, Role};
use crate::ops::act::ActForward;
use crate::ops::batchnorm::NormForward;
use crate::ops::conv::Pack;
use crate::ops::depthwise::{DepthwiseForward, DepthwiseSizes};
use crate::ops::dropout::DropoutForward;
use crate::ops::layout::{Direction, Reorder};
use crate::ops::pool::PoolForward;
use crate::ops::residual::Add;
use crate::ops::zeropad::PadForward;
use crate::shader::{Dtype, Kernel};

/// What the forward pass leaves for the backward pass.
pub(super) struct Held {
    /// Where each value lies, by its root.
    pub values: Vec<Option<Place>>,
    /// The weight of each convolution as its kernels read it.
    pub weights: Vec<Option<Resource>>,
    /// What else an operation leaves: which elements of max pooling were the largest, the statistics of a normalisation.
    pub extras: Vec<Option<Resource>>,
}

impl Held {
    pub(super) fn value(&self, network: &Network, value: usize) -> Place {
        self.values[network.root(value)].clone().expect("operations stand in the order of computation")
    }
}

struct Walk<'a, 'b> {
    builder: &'a Builder<'b>,
    network: &'a Network,
    schedule: Schedule,
    held: Held,
    /// Operations that are part of another's dispatch.
    fused: Vec<bool>,
    logits: Option<Tensor>,
}

/// The schedule, what it leaves, and the logits.
pub(super) fn build(
    builder: &Builder<'_>,
    network: &Network,
    input: &Tensor,
) -> Result<(Schedule, Held, Tensor)> {
    let mut values: Vec<Option<Place>> = network.values.iter().map(|_| None).collect();
    values[0] = Some(input.resource().into());
    let none = || network.ops.iter().map(|_| None).collect();
    let mut walk = Walk {
        builder,
        network,
        schedule: Schedule::default(),
        held: Held { values, weights: none(), extras: none() },
        fused: vec![false; network.ops.len()],
        logits: None,
    };
    for index in 0..network.ops.len() {
        if !walk.fused[index] {
            walk.op(index)?;
        }
    }
    let logits = walk.logits.unwrap_or_else(|| input.clone());
    Ok((walk.schedule, walk.held, logits.reshaped(builder.with_batch(builder.model.output_shape()))))
}

impl Walk<'_, '_> {
    fn op(&mut self, index: usize) -> Result<()> {
        let op = &self.network.ops[index];
        match &op.kind {
            OpKind::Dense { inputs, outputs, bias } => {
                let (tuning, batch) = (self.builder.context.tuning(), self.builder.batch as u32);
                let (bias, n, k) = (*bias, *outputs as u32, *inputs as u32);
                self.product(index, |usage| Gemm::new(tuning, usage, batch, n, k), bias)
            }
            OpKind::Convolution(convolution) => {
                let (tuning, batch) = (self.builder.context.tuning(), self.builder.batch as u32);
                self.pack(index)?;
                self.product(index, |usage| convolution.forward(tuning, batch, usage), convolution.bias)
            }
            OpKind::Act(activation) => {
                let elements = self.elements(op.output)? as u32;
                let kernel = Kernel::from(ActForward { activation: *activation, elements });
                self.simple(op, kernel, Vec::new())
            }
            OpKind::Depthwise(convolution) => self.depthwise(index, convolution),
            OpKind::Pool(pooling) => {
                let keep = self.builder.options.training;
                let kernel =
                    PoolForward { pooling: *pooling, batch: self.batch(), channels: self.channels(op), keep };
                let mut taps = None;
                if kernel.taps_len() > 0 {
                    let (name, len) = (format!("places of {}", self.name(op)), kernel.taps_len() as usize);
                    let buffer = self.builder.storage(Kind::Activation, &name, len)?;
                    taps = Some(Tensor::new(name, &buffer, 0, &[len]).resource());
                }
                self.held.extras[index] = taps.clone();
                self.simple(op, kernel.into(), taps.map(Place::from).into_iter().collect())
            }
            OpKind::Pad(padding) => {
                let (batch, channels) = (self.batch(), self.channels(op));
                let image = self.network.values[op.input()].size();
                self.simple(op, PadForward { batch, channels, image, padding: *padding }.into(), Vec::new())
            }
            OpKind::Norm(norm) => {
                let kernel =
                    NormForward { storage: self.network.values[op.output].storage(self.builder.batch) };
                let mut numbers = vec![0.0; kernel.statistics_len() as usize];
                let len = numbers.len();
                numbers[..norm.mean.len()].copy_from_slice(&norm.mean);
                let inverse = numbers[len / 2..].iter_mut().zip(norm.inverse_deviations());
                inverse.for_each(|(number, inverse)| *number = inverse as f32);
                let name = format!("statistics of {}", self.name(op));
                let statistics = self.builder.constants(&name, &numbers)?;
                self.held.extras[index] = Some(statistics.resource());
                let [weight, bias] =
                    [Role::Weight, Role::Bias].map(|role| self.builder.parameter(op, role).resource());
                self.simple(op, kernel.into(), vec![statistics.resource().into(), weight.into(), bias.into()])
            }
            OpKind::Dropout(p) => {
                let storage = self.network.values[op.output].storage(self.builder.batch);
                let kernel = DropoutForward { storage, node: op.node.unwrap_or(0) as u32, p: *p };
                self.simple(op, kernel.into(), vec![self.builder.state.noise_words().resource().into()])
            }
            OpKind::Add => {
                let elements = self.elements(op.output)? as u32;
                self.simple(op, Add { elements }.into(), Vec::new())
            }
            OpKind::ToImage => self.simple(op, self.layout(op, Direction::ToImage).into(), Vec::new()),
            OpKind::ToRows => self.simple(op, self.layout(op, Direction::ToRows).into(), Vec::new()),
        }
    }

    fn batch(&self) -> u32 {
        self.builder.batch as u32
    }

    fn channels(&self, op: &Op) -> u32 {
        self.network.values[op.output].shape[0] as u32
    }

    fn name(&self, op: &Op) -> &str {
        &self.network.values[op.output].name
    }

    fn layout(&self, op: &Op, direction: Direction) -> Reorder {
        let (channels, positions) = (self.channels(op), self.network.values[op.output].positions() as u32);
        let (plane_rows, plane_image) = (0, 0);
        Reorder { direction, batch: self.batch(), channels, positions, planes: 1, plane_rows, plane_image }
    }

    /// A depthwise convolution, and the activation that alone reads its output.
    fn depthwise(&mut self, index: usize, convolution: &Convolution) -> Result<()> {
        let sizes = DepthwiseSizes {
            window: convolution.window,
            batch: self.batch(),
            channels: convolution.inputs as u32,
        };
        let kernel = |activation, keep, plane| {
            DepthwiseForward { sizes, bias: convolution.bias, activation, keep, plane }.into()
        };
        self.linear(index, kernel, convolution.bias)
    }

    /// Elements of a value, counted in 32 bits as the shaders do.
    fn elements(&self, value: usize) -> Result<usize> {
        let value = &self.network.values[value];
        self.builder.elements(&value.name, value.len())
    }

    /// Memory for a value in so many planes, called after the value `named`. In training it stays; at inference only the
    /// logits do, which are never stored in less than f32.
    fn hold(&mut self, value: usize, named: usize, planes: usize) -> Result<Place> {
        let elements = self.elements(value)?;
        let Value { name, .. } = &self.network.values[named];
        let is_logits = self.network.root(self.network.logits) == value;
        let number = if is_logits { Dtype::F32 } else { self.builder.options.storage };
        if !self.builder.options.training && !is_logits {
            return Ok(self.schedule.passing(name.clone(), planes * number.plane(elements), number));
        }
        let bytes = number.bytes(planes * number.plane(elements));
        let buffer = self.builder.storage(Kind::Activation, name, bytes / 4)?;
        if is_logits {
            self.logits = Some(Tensor::new(name, &buffer, 0, &[elements]));
        }
        let size = number.bytes(elements).next_multiple_of(4) as u64;
        Ok(Resource { buffer, offset: 0, size, dtype: number }.into())
    }

    /// An operation that reads its inputs and writes its output, and nothing else.
    fn simple(&mut self, op: &Op, kernel: Kernel, more: Vec<Place>) -> Result<()> {
        let output = self.hold(op.output, op.output, 1)?;
        let inputs = op.inputs.iter().map(|input| self.held.value(self.network, *input));
        let places: Vec<Place> = inputs.chain([output.clone()]).chain(more).collect();
        self.held.values[op.output] = Some(output);
        self.schedule.push(kernel, places);
        Ok(())
    }

    /// The weight of a convolution in the order its kernels read it.
    fn pack(&mut self, index: usize) -> Result<()> {
        let op = &self.network.ops[index];
        let OpKind::Convolution(convolution) = &op.kind else { return Ok(()) };
        let weight = self.builder.parameter(op, Role::Weight).resource();
        if convolution.is_packed() {
            self.held.weights[index] = Some(weight);
            return Ok(());
        }
        let packing = convolution.packing();
        let name = format!("weight of {}", self.network.values[op.output].name);
        let buffer = self.builder.storage(Kind::Parameter, &name, packing.bias as usize)?;
        let packed = Tensor::new(name, &buffer, 0, &[packing.bias as usize]).resource();
        self.schedule.push(Kernel::from(Pack(packing)), vec![weight.into(), packed.clone().into()]);
        self.held.weights[index] = Some(packed);
        Ok(())
    }

    /// A dense layer or a convolution, and the activation that alone reads its output.
    fn product(&mut self, index: usize, gemm: impl FnOnce(Use) -> Gemm, bias: bool) -> Result<()> {
        let kernel = |activation, keep, c_plane| {
            let places = Offsets { c_plane, ..Offsets::ALONE };
            Product { gemm: gemm(Use::Forward { activation, bias, keep }), offsets: places }.into()
        };
        self.linear(index, kernel, bias)
    }

    /// A linear map with parameters, and the activation that alone reads its output. `kernel` is told that activation,
    /// whether to keep what it reads, and the distance to where.
    fn linear(
        &mut self,
        index: usize,
        kernel: impl FnOnce(Activation, bool, u32) -> Kernel,
        bias: bool,
    ) -> Result<()> {
        let op = &self.network.ops[index];
        let behind = self.network.ops.iter().position(|next| {
            matches!(next.kind, OpKind::Act(_)) && self.network.root(next.input()) == op.output
        });
        let behind = behind.filter(|_| self.network.readers(op.output) == 1);
        let activation = match behind.map(|next| &self.network.ops[next].kind) {
            Some(OpKind::Act(activation)) => *activation,
            _ => Activation::Identity,
        };
        let keep = self.builder.options.training && !activation.is_told_by_output();
        let last = behind.map_or(op.output, |next| self.network.ops[next].output);
        let elements = self.elements(op.output)?;
        let z = self.hold(last, op.output, 1 + usize::from(keep))?;
        let plane = self.schedule.number(&z).plane(elements);
        let (whole, a) = match &z {
            Place::Fixed(first) if keep => {
                let mut whole = first.clone();
                whole.size = whole.buffer.size();
                let a = Resource { offset: first.dtype.bytes(plane) as u64, ..first.clone() };
                (Place::Fixed(whole), Place::Fixed(a))
            }
            _ => (z.clone(), z.clone()),
        };
        let kernel = kernel(activation, keep, plane as u32);
        let weight = match &self.held.weights[index] {
            Some(packed) => packed.clone(),
            None => self.builder.parameter(op, Role::Weight).resource(),
        };
        let mut resources = vec![self.held.value(self.network, op.input()), weight.into(), whole];
        if bias {
            resources.push(self.builder.parameter(op, Role::Bias).resource().into());
        }
        self.schedule.push(kernel, resources);
        if let Some(next) = behind {
            self.fused[next] = true;
            self.held.values[last] = Some(z);
        }
        self.held.values[op.output] = Some(a);
        Ok(())
    }
}
