//! The forward pass: layers become stages, a dense layer and the activation behind it one.

use super::build::Builder;
use crate::Result;
use crate::gpu::{Dispatch, Tensor};
use crate::kernel::{Forward, Gemm, GemmPlaces, Kernel, Use};
use crate::model::{Activation, Layer, Role};

/// What one layer read and wrote, as the backward pass needs it.
#[derive(Debug)]
pub(super) struct Stage {
    /// Its input.
    pub input: Tensor,
    /// Its output.
    pub output: Tensor,
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

/// One stage per layer, and the dispatches.
pub(super) fn build(builder: &Builder<'_>, input: &Tensor) -> Result<(Vec<Stage>, Vec<Dispatch>)> {
    let model = builder.model;
    let mut stages = Vec::with_capacity(model.layers().len());
    let mut dispatches = Vec::new();
    let mut at = input.clone();
    let mut index = 0;
    while let Some(layer) = model.layers().get(index) {
        let next = match layer {
            Layer::Dense { inputs, outputs, bias } => {
                let fused = match model.layers().get(index + 1) {
                    Some(Layer::Act(activation)) => Some(*activation),
                    _ => None,
                };
                let activation = fused.unwrap_or(Activation::Identity);
                let keep = builder.options.training && !derivatives_from_output(activation);
                let (z, a) = output(builder, index, keep)?;
                let usage = Use::Forward { activation, bias: *bias, keep };
                let (m, n, k) = (builder.batch as u32, *outputs as u32, *inputs as u32);
                let gemm = Gemm::new(builder.context.class(), usage, m, n, k);
                let c_plane = plane(builder.batch * outputs) as u32;
                let kernel = Kernel::Gemm(gemm, GemmPlaces { a_plane: 0, c_plane, bias: 0, scale: 1.0 });
                let part = |role| {
                    let parameter = model.parameter(index, role)?;
                    Some(builder.state.part(builder.state.parameters(), parameter).resource())
                };
                let mut written = z.resource();
                written.size = z.buffer().size();
                let resources = [Some(at.resource()), part(Role::Weight), Some(written), part(Role::Bias)];
                let resources: Vec<_> = resources.into_iter().flatten().collect();
                dispatches.push(builder.context.dispatch(&kernel, &resources)?);
                stages.push(Stage { input: at, output: a.clone() });
                if fused.is_some() {
                    index += 1;
                    stages.push(Stage { input: a, output: z.clone() });
                }
                z
            }
            Layer::Act(activation) => {
                let (z, _) = output(builder, index, false)?;
                let kernel = Kernel::Forward(Forward { activation: *activation, elements: z.len() as u32 });
                dispatches.push(builder.context.dispatch(&kernel, &[at.resource(), z.resource()])?);
                stages.push(Stage { input: at, output: z.clone() });
                z
            }
            other if *other != Layer::Flatten => {
                let kind = other.kind().into();
                return Err(crate::Error::Unsupported { layer: model.layer_name(index), kind });
            }
            _ => {
                stages.push(Stage { input: at.clone(), output: at.clone() });
                at
            }
        };
        at = next;
        index += 1;
    }
    Ok((stages, dispatches))
}

/// Distance between planes of `elements` each: whole 256 bytes, so that each can be bound by itself.
pub(super) fn plane(elements: usize) -> usize {
    elements.next_multiple_of(64)
}

/// The output of the stage that begins at layer `index`: z, and a, which is z again where it is not kept.
fn output(builder: &Builder<'_>, index: usize, keep: bool) -> Result<(Tensor, Tensor)> {
    let name = builder.model.layer_name(index);
    let shape = builder.model.shape(index);
    let elements = builder.elements(&name, shape.iter().product())?;
    let buffer = builder.context.storage(&name, plane(elements) * (1 + usize::from(keep)))?;
    let whole: Vec<usize> = std::iter::once(builder.batch).chain(shape.iter().copied()).collect();
    let z = Tensor::new(&name, &buffer, 0, &whole);
    let a = if keep { Tensor::new(&name, &buffer, plane(elements), &whole) } else { z.clone() };
    Ok((z, a))
}
