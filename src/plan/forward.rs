//! The forward pass: one dispatch an operation, a product and the activation behind it one.

use super::build::Builder;
use super::memory::Kind;
use super::network::{Network, Op, OpKind, Value};
use super::schedule::{Place, Schedule};
use crate::Result;
use crate::gpu::{Resource, Tensor};
use crate::kernel::{Forward, Gemm, GemmPlaces, Kernel, Pack, Use};
use crate::model::{Activation, Role};

/// What the forward pass leaves for the backward pass.
pub(super) struct Held {
    /// Where each value lies, by its root.
    pub values: Vec<Option<Place>>,
    /// The weight of each convolution as its kernels read it.
    pub weights: Vec<Option<Resource>>,
}

impl Held {
    pub(super) fn value(&self, network: &Network, value: usize) -> Place {
        self.values[network.root(value)].clone().expect("operations stand in the order of computation")
    }
}

/// The activation's input can stand for its output here, and the other way round: both have the same sign, and that is
/// all its derivatives ask for.
fn derivatives_from_output(activation: Activation) -> bool {
    match activation {
        Activation::Identity | Activation::Relu => true,
        Activation::LeakyRelu { alpha } => alpha > 0.0,
        _ => false,
    }
}

/// Distance between planes of `elements` each: whole 256 bytes, so that each can be bound by itself.
pub(super) fn plane(elements: usize) -> usize {
    elements.next_multiple_of(64)
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
    let weights = network.ops.iter().map(|_| None).collect();
    let mut walk = Walk {
        builder,
        network,
        schedule: Schedule::default(),
        held: Held { values, weights },
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
                let (class, batch) = (self.builder.context.class(), self.builder.batch as u32);
                let (bias, n, k) = (*bias, *outputs as u32, *inputs as u32);
                self.product(index, |usage| Gemm::new(class, usage, batch, n, k), bias)
            }
            OpKind::Convolution(convolution) => {
                let (class, batch) = (self.builder.context.class(), self.builder.batch as u32);
                self.pack(index)?;
                self.product(index, |usage| convolution.forward(class, batch, usage), convolution.bias)
            }
            OpKind::Act(activation) => {
                let elements = self.elements(op.output)? as u32;
                let kernel = Kernel::Forward(Forward { activation: *activation, elements });
                self.simple(op, kernel, Vec::new())
            }
            _ => todo!(),
        }
    }

    /// Elements of a value, counted in 32 bits as the shaders do.
    fn elements(&self, value: usize) -> Result<usize> {
        let value = &self.network.values[value];
        self.builder.elements(&value.name, value.len())
    }

    /// Memory for a value in so many planes. In training it stays; at inference only the logits do.
    fn hold(&mut self, value: usize, planes: usize) -> Result<Place> {
        let elements = self.elements(value)?;
        let Value { name, .. } = &self.network.values[value];
        let is_logits = self.network.root(self.network.logits) == value;
        if !self.builder.options.training && !is_logits {
            return Ok(self.schedule.passing(name.clone(), planes * plane(elements)));
        }
        let buffer = self.builder.storage(Kind::Activation, name, planes * plane(elements))?;
        let tensor = Tensor::new(name, &buffer, 0, &[elements]);
        if is_logits {
            self.logits = Some(tensor.clone());
        }
        Ok(tensor.resource().into())
    }

    /// An operation that reads its inputs and writes its output, and nothing else.
    fn simple(&mut self, op: &Op, kernel: Kernel, more: Vec<Place>) -> Result<()> {
        let output = self.hold(op.output, 1)?;
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
        self.schedule.push(Kernel::Pack(Pack(packing)), vec![weight.into(), packed.clone().into()]);
        self.held.weights[index] = Some(packed);
        Ok(())
    }

    /// A dense layer or a convolution, and the activation that alone reads its output.
    fn product(&mut self, index: usize, gemm: impl FnOnce(Use) -> Gemm, bias: bool) -> Result<()> {
        let op = &self.network.ops[index];
        let behind = self.network.ops.iter().position(|next| {
            matches!(next.kind, OpKind::Act(_)) && self.network.root(next.input()) == op.output
        });
        let behind = behind.filter(|_| self.network.readers(op.output) == 1);
        let activation = match behind.map(|next| &self.network.ops[next].kind) {
            Some(OpKind::Act(activation)) => *activation,
            _ => Activation::Identity,
        };
        let keep = self.builder.options.training && !derivatives_from_output(activation);
        let last = behind.map_or(op.output, |next| self.network.ops[next].output);
        let elements = self.elements(op.output)?;
        let z = self.hold(last, 1 + usize::from(keep))?;
        let (whole, a) = match &z {
            Place::Fixed(first) if keep => {
                let mut whole = first.clone();
                whole.size = whole.buffer.size();
                let a = Resource { offset: 4 * plane(elements) as u64, ..first.clone() };
                (Place::Fixed(whole), Place::Fixed(a))
            }
            _ => (z.clone(), z.clone()),
        };
        let places = GemmPlaces { a_plane: 0, c_plane: plane(elements) as u32, bias: 0, scale: 1.0 };
        let kernel = Kernel::Gemm(gemm(Use::Forward { activation, bias, keep }), places);
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
