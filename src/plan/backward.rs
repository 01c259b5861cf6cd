//! The backward pass: the loss, then layer by layer the parameters' products and the signal's way down.

use super::At;
use super::build::Builder;
use super::forward::{Stage, plane};
use crate::gpu::{Dispatch, Resource, Tensor};
use crate::kernel::{self, Backward, Gemm, GemmPlaces, Kernel, LossKernel, Reduce, Use};
use crate::model::{Activation, Layer, Mode, Role};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Buffers for signals: one for each place that is to be kept, and two that take turns for all others.
pub(super) struct Signals {
    kept: BTreeMap<At, wgpu::Buffer>,
    turns: [wgpu::Buffer; 2],
}

/// A signal somewhere in the network: its buffer and the distance between its planes.
#[derive(Clone)]
struct Signal {
    buffer: wgpu::Buffer,
    plane: u32,
}

impl Signal {
    fn resource(&self) -> Resource {
        Resource { buffer: self.buffer.clone(), offset: 0, size: self.buffer.size() }
    }
}

impl Signals {
    pub(super) fn new(builder: &Builder<'_>) -> Result<Signals> {
        let planes = kernel::planes(builder.options.mode) as usize;
        let layers = builder.model.layers().len();
        let make = |name: String, per_sample: usize| {
            let elements = builder.elements(&name, per_sample)?;
            builder.elements(&name, per_sample * planes)?;
            builder.context.storage(&name, planes * plane(elements))
        };
        let mut kept = BTreeMap::new();
        for at in &builder.options.signals {
            let size = match *at {
                At::Input => builder.model.inputs(),
                At::Layer(index) if index < layers => builder.model.shape(index).iter().product(),
                At::Layer(index) => {
                    let known = format!("0 to {}", layers - 1);
                    return Err(Error::Unknown { what: "layer", name: index.to_string(), known });
                }
            };
            if let std::collections::btree_map::Entry::Vacant(place) = kept.entry(above_flatten(builder, *at))
            {
                place.insert(make(format!("signal at {at:?}"), size)?);
            }
        }
        let widest = (0..layers)
            .map(|i| builder.model.shape(i).iter().product())
            .chain([builder.model.inputs()])
            .max();
        let turn = || make("signal".into(), widest.unwrap_or(1));
        Ok(Signals { kept, turns: [turn()?, turn()?] })
    }

    /// Where the signal at `at` goes, when what is read lies in `source`.
    fn place(&self, builder: &Builder<'_>, at: At, source: Option<&Signal>) -> Signal {
        let free = &self.turns[usize::from(source.is_some_and(|s| s.buffer == self.turns[0]))];
        let buffer = self.kept.get(&above_flatten(builder, at)).unwrap_or(free).clone();
        let size: usize = match at {
            At::Input => builder.model.inputs(),
            At::Layer(index) => builder.model.shape(index).iter().product(),
        };
        Signal { buffer, plane: plane(builder.batch * size) as u32 }
    }

    /// The kept ones as tensors: g, and the diagonal where the mode has one.
    pub(super) fn kept(&self, builder: &Builder<'_>) -> Vec<(At, Tensor, Option<Tensor>)> {
        let tensors = builder.options.signals.iter().map(|at| {
            let buffer = &self.kept[&above_flatten(builder, *at)];
            let shape = match at {
                At::Input => builder.model.input_shape(),
                At::Layer(index) => builder.model.shape(*index),
            };
            let whole: Vec<usize> = std::iter::once(builder.batch).chain(shape.iter().copied()).collect();
            let second = plane(whole.iter().product());
            let diagonal = Tensor::new(format!("diagonal at {at:?}"), buffer, second, &whole);
            let diagonal = builder.options.mode.has_diagonal().then_some(diagonal);
            (*at, Tensor::new(format!("gradient at {at:?}"), buffer, 0, &whole), diagonal)
        });
        tensors.collect()
    }
}

/// The same signal above all flattening, which changes no number: that is where it is kept.
fn above_flatten(builder: &Builder<'_>, at: At) -> At {
    let above = match at {
        At::Input => 0,
        At::Layer(index) => index + 1,
    };
    match builder.model.layers().get(above) {
        Some(Layer::Flatten) => above_flatten(builder, At::Layer(above)),
        _ => at,
    }
}

/// The network's end: logits, targets, loss.
pub(super) struct Ends {
    logits: Tensor,
    targets: Tensor,
    values: Tensor,
    total: Tensor,
    weights: Option<Tensor>,
}

impl Ends {
    pub(super) fn new(
        builder: &Builder<'_>,
        logits: &Tensor,
        targets: &Tensor,
        total: &Tensor,
    ) -> Result<Ends> {
        let values =
            Tensor::new("losses", &builder.context.storage("losses", builder.batch)?, 0, &[builder.batch]);
        let weights = match builder.model.loss().class_weights() {
            None => None,
            Some(weights) => {
                let buffer = builder.context.storage("class weights", weights.len())?;
                let tensor = Tensor::new("class weights", &buffer, 0, &[weights.len()]);
                builder.context.write(&tensor, weights)?;
                Some(tensor)
            }
        };
        let (logits, targets, total) = (logits.clone(), targets.clone(), total.clone());
        Ok(Ends { logits, targets, values, total, weights })
    }

    fn top(builder: &Builder<'_>, signals: &Signals) -> Signal {
        signals.place(builder, At::Layer(builder.model.layers().len() - 1), None)
    }

    /// Loss, signal at the logits, and the sum over the batch.
    pub(super) fn loss(&self, builder: &Builder<'_>, signals: &Signals, mode: Mode) -> Result<Vec<Dispatch>> {
        let top = Ends::top(builder, signals);
        let loss = LossKernel::new(
            builder.context.class(),
            builder.model.loss().clone(),
            mode,
            builder.batch as u32,
            builder.model.outputs() as u32,
            1,
            top.plane,
        );
        let mut resources = vec![self.logits.resource(), self.targets.resource(), self.values.resource()];
        resources.push(top.resource());
        resources.extend(self.weights.as_ref().map(Tensor::resource));
        let reduce = Kernel::Reduce(Reduce::new(builder.context.class(), builder.batch as u32));
        Ok(vec![
            builder.context.dispatch(&Kernel::Loss(loss), &resources)?,
            builder.context.dispatch(&reduce, &[self.values.resource(), self.total.resource()])?,
        ])
    }
}

/// Dispatches from the signal at the logits down to the first layer that has parameters, or further where a signal is
/// asked for.
pub(super) fn build(
    builder: &Builder<'_>,
    stages: &[Stage],
    signals: &Signals,
    mode: Mode,
    accumulate: bool,
) -> Result<Vec<Dispatch>> {
    let layers = builder.model.layers();
    let last_needed = last_needed(builder);
    let mut dispatches = Vec::new();
    let mut signal = Ends::top(builder, signals);
    let mut index = layers.len();
    // `signal` stands at the output of layer `index - 1`.
    while index > 0 {
        index -= 1;
        let below = index.checked_sub(1).map_or(At::Input, At::Layer);
        let goes_on = last_needed.is_some_and(|last| below >= last);
        match &layers[index] {
            Layer::Flatten => {}
            other => {
                let kind = other.kind().into();
                return Err(Error::Unsupported { layer: builder.model.layer_name(index), kind });
            }
            Layer::Act(activation) => {
                if !goes_on {
                    break;
                }
                let to = signals.place(builder, below, Some(&signal));
                let kernel = Backward {
                    activation: *activation,
                    mode,
                    elements: stages[index].input.len() as u32,
                    plane_in: signal.plane,
                    plane_out: to.plane,
                };
                let resources = [signal.resource(), stages[index].input.resource(), to.resource()];
                dispatches.push(builder.context.dispatch(&Kernel::Backward(kernel), &resources)?);
                signal = to;
            }
            Layer::Dense { inputs, outputs, bias } => {
                let (batch, outputs, inputs) = (builder.batch as u32, *outputs as u32, *inputs as u32);
                let mut start = 0;
                while start < batch {
                    let usage = Use::Parameters {
                        diagonal: mode.has_diagonal(),
                        bias: *bias,
                        accumulate: accumulate || start > 0,
                    };
                    let samples = (batch - start).min(MOST_SAMPLES);
                    let gemm = Gemm::new(builder.context.class(), usage, outputs, inputs, samples);
                    dispatches.push(parameters(builder, gemm, index, start, &signal, &stages[index].input)?);
                    start += samples;
                }
                if !goes_on {
                    break;
                }
                // The activation below is fused, unless the signal between the two is to be seen, or nothing under it.
                let fused = match index.checked_sub(1).map(|i| &layers[i]) {
                    Some(Layer::Act(activation)) if !signals.kept.contains_key(&below) => {
                        let under = (index - 1).checked_sub(1).map_or(At::Input, At::Layer);
                        last_needed.filter(|last| under >= *last).map(|_| (under, *activation))
                    }
                    _ => None,
                };
                let (at, activation) = fused.unwrap_or((below, Activation::Identity));
                let to = signals.place(builder, at, Some(&signal));
                let usage = Use::Signal { mode, below: activation };
                let gemm = Gemm::new(builder.context.class(), usage, batch, inputs, outputs);
                let places = GemmPlaces { a_plane: signal.plane, c_plane: to.plane, bias: 0, scale: 1.0 };
                let mut resources = vec![signal.resource(), weight(builder, index).resource(), to.resource()];
                if activation != Activation::Identity {
                    resources.push(stages[index - 1].input.resource());
                }
                dispatches.push(builder.context.dispatch(&Kernel::Gemm(gemm, places), &resources)?);
                signal = to;
                index -= usize::from(fused.is_some());
            }
        }
    }
    Ok(dispatches)
}

/// The lowest place whose signal something needs: the output of the first layer with parameters, or what is asked for.
fn last_needed(builder: &Builder<'_>) -> Option<At> {
    let parameters = builder.model.parameters().first().map(|p| At::Layer(p.layer));
    parameters.into_iter().chain(builder.options.signals.iter().copied()).min()
}

fn weight(builder: &Builder<'_>, layer: usize) -> Tensor {
    let parameter = builder.model.parameter(layer, Role::Weight).expect("a dense layer has a weight");
    builder.state.part(builder.state.parameters(), parameter)
}

/// Samples that one dispatch sums over; a larger batch is summed in several, one after the other. It keeps each far from a
/// driver's watchdog, and from the 65,535 trips after which llvmpipe leaves a loop, silently. A multiple of 64, so that
/// every part starts where a binding may.
const MOST_SAMPLES: u32 = 16_384;

/// Gradient and diagonal of one dense layer, weight and bias in one dispatch, from the samples that begin with `start`.
fn parameters(
    builder: &Builder<'_>,
    gemm: Gemm,
    layer: usize,
    start: u32,
    signal: &Signal,
    input: &Tensor,
) -> Result<Dispatch> {
    let from = |mut resource: Resource, width: u32| {
        let skipped = 4 * u64::from(start) * u64::from(width);
        resource.offset += skipped;
        resource.size -= skipped;
        resource
    };
    let mine: Vec<_> = builder.model.parameters().iter().filter(|p| p.layer == layer).collect();
    let first = mine[0].offset;
    let end = mine.iter().map(|p| p.range().end).max().unwrap_or(first).next_multiple_of(64);
    let whole = |flat: &Tensor| Tensor::new(flat.name(), flat.buffer(), first, &[end - first]).resource();
    let bias = mine.iter().find(|p| p.role == Role::Bias).map_or(0, |p| p.offset - first);
    let places =
        GemmPlaces { a_plane: signal.plane, c_plane: 0, bias: bias as u32, scale: builder.options.scale };
    let mut resources = vec![
        from(signal.resource(), gemm.m),
        from(input.resource(), gemm.n),
        whole(builder.state.gradient()),
    ];
    if let Use::Parameters { diagonal: true, .. } = gemm.usage {
        resources.push(whole(builder.state.diagonal()));
    }
    builder.context.dispatch(&Kernel::Gemm(gemm, places), &resources)
}
