//! The model lowered to operations on values.

use super::stages::Stage;
use crate::host::SampleOp;
use crate::model::{Convolution, Kind, Layer, Model, Source};
use crate::ops::act::host::Act;
use crate::ops::batchnorm::host::Normalize;
use crate::ops::conv::host::Convolve;
use crate::ops::depthwise::host::Depthwise;
use crate::ops::dropout::host::Dropout;
use crate::ops::layout::host::Reorder;
use crate::ops::pool::host::{AvgPool, MaxPool};
use crate::ops::residual::host::Add;
use crate::ops::zeropad::host::Pad;
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct Network {
    pub ops: Vec<Op>,
    pub stages: Vec<Stage>,
    /// Value 0 is the network's input.
    pub values: Vec<Value>,
    pub logits: usize,
    /// Components of a signal; 0 for inference.
    pub components: usize,
    /// For each top-level layer, the value that is its output.
    pub layers: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Value {
    /// Elements of a sample.
    pub size: usize,
    /// `[positions, channels]` of a sample that is stored channels last; `None` for a value in the user's order.
    pub image: Option<[usize; 2]>,
    /// Whether its signal is needed: an operation before it has parameters, or signals are saved.
    pub wanted: bool,
    /// Whether its signal, or for inference the value itself, lives only within a block of samples of one run.
    pub block_local: bool,
}

#[derive(Debug)]
pub(super) struct Op {
    pub kind: OpKind,
    /// The model's node; a reordering, which has none, has the node that it serves.
    pub node: usize,
    pub inputs: Vec<usize>,
    /// For each input, whether another operation has written its signal before, so that this one's must be added.
    pub adds: Vec<bool>,
    pub output: usize,
}

#[derive(Debug)]
pub(super) enum OpKind {
    /// Inputs and outputs.
    Dense([usize; 2]),
    Sample(Box<dyn SampleOp>),
}

impl Network {
    /// `components` of the signal in the backward pass; 0 for inference. With `save` every signal is saved to the end.
    pub(super) fn new(model: &Model, components: usize, save: bool) -> Result<Network> {
        let (ops, stages, values, layers) = Default::default();
        let mut network = Network { ops, stages, values, logits: 0, components, layers };
        network.value(model.input_shape(), false);
        let input = network.image(0, 0, model.input_shape());
        let mut outputs: Vec<usize> = Vec::with_capacity(model.nodes().len());
        for (node, spec) in model.nodes().iter().enumerate() {
            let read = |source: &Source| match source {
                Source::Input => input,
                Source::Node(before) => outputs[*before],
            };
            let inputs = spec.inputs.iter().map(read).collect();
            let output = network.node(model, node, inputs, components > 0)?;
            outputs.push(output);
        }
        network.layers = (0..model.layers().len()).map(|layer| outputs[model.end(layer)]).collect();
        let last = outputs.last().copied().unwrap_or(input);
        network.logits = network.rows(last, model.nodes().len().saturating_sub(1));
        network.want(save);
        network.mark_adds();
        network.cut_stages();
        if !(save && components > 0) {
            network.mark_block_local();
        }
        Ok(network)
    }

    fn value(&mut self, shape: &[usize], image: bool) -> usize {
        let image = image.then(|| [shape[1..].iter().product(), shape[0]]);
        let size = shape.iter().product();
        self.values.push(Value { size, image, wanted: false, block_local: false });
        self.values.len() - 1
    }

    fn op(&mut self, kind: OpKind, node: usize, inputs: Vec<usize>, output: usize) -> usize {
        let adds = vec![false; inputs.len()];
        self.ops.push(Op { kind, node, inputs, adds, output });
        output
    }

    /// A value of several positions as an image.
    fn image(&mut self, value: usize, node: usize, shape: &[usize]) -> usize {
        if shape.len() == 1 {
            return value;
        }
        let output = self.value(shape, true);
        let [positions, channels] = [shape[1..].iter().product(), shape[0]];
        let reorder = Reorder { from: [channels, positions] };
        self.op(OpKind::Sample(Box::new(reorder)), node, vec![value], output)
    }

    /// A value in the user's order.
    fn rows(&mut self, value: usize, node: usize) -> usize {
        match self.values[value].image {
            Some([positions, channels]) if positions > 1 && channels > 1 => {
                let output = self.value(&[positions * channels], false);
                let reorder = Reorder { from: [positions, channels] };
                self.op(OpKind::Sample(Box::new(reorder)), node, vec![value], output)
            }
            _ => value,
        }
    }

    /// The operation of a node; the value that is its output.
    fn node(&mut self, model: &Model, node: usize, inputs: Vec<usize>, training: bool) -> Result<usize> {
        let spec = &model.nodes()[node];
        let shape = &spec.shape;
        let (size, before) = (shape.iter().product(), model.shape_at(spec.inputs[0]));
        let layer = match &spec.kind {
            Kind::Add => {
                let output = self.value(shape, shape.len() > 1);
                return Ok(self.op(OpKind::Sample(Box::new(Add { size })), node, inputs, output));
            }
            Kind::Layer(layer) => layer,
        };
        let positions = shape[1..].iter().product();
        let kind: Box<dyn SampleOp> = match layer {
            Layer::Identity => return Ok(inputs[0]),
            Layer::Dropout { p } if !training || *p == 0.0 => return Ok(inputs[0]),
            Layer::Flatten => return Ok(self.rows(inputs[0], node)),
            Layer::Dense { inputs: from, outputs: to, .. } => {
                let output = self.value(shape, false);
                return Ok(self.op(OpKind::Dense([*from, *to]), node, inputs, output));
            }
            Layer::Act(function) => Box::new(Act { function: *function, size }),
            Layer::Dropout { p } => {
                Box::new(Dropout { p: *p, node: node as u32, shape: [positions, shape[0]] })
            }
            Layer::BatchNorm(norm) => Box::new(Normalize::new(norm, positions)),
            Layer::ZeroPad2d { padding } => {
                let &[channels, height, width] = before else {
                    return Err(Error::Unsupported { layer: spec.name(), kind: layer.kind().into() });
                };
                Box::new(Pad::new([channels, height, width], *padding))
            }
            Layer::AdaptiveAvgPool2d { output } => {
                let &[channels, height, width] = before else {
                    return Err(Error::Unsupported { layer: spec.name(), kind: layer.kind().into() });
                };
                Box::new(AvgPool::adaptive([height, width], *output, channels))
            }
            other => windowed(other, &spec.name(), before)?,
        };
        let output = self.value(shape, shape.len() > 1);
        Ok(self.op(OpKind::Sample(kind), node, inputs, output))
    }

    fn want(&mut self, save: bool) {
        for op in &self.ops {
            let weighted = match &op.kind {
                OpKind::Dense(_) => true,
                OpKind::Sample(sample_op) => sample_op.weighted().is_some(),
            };
            self.values[op.output].wanted = weighted || op.inputs.iter().any(|v| self.values[*v].wanted);
        }
        self.values.iter_mut().for_each(|value| value.wanted |= save);
    }

    fn mark_adds(&mut self) {
        let mut reached = vec![false; self.values.len()];
        for op in self.ops.iter_mut().rev() {
            for (input, adds) in op.inputs.iter().zip(&mut op.adds) {
                *adds = std::mem::replace(&mut reached[*input], true);
            }
        }
    }
}

fn windowed(layer: &Layer, name: &str, input: &[usize]) -> Result<Box<dyn SampleOp>> {
    if let Some(c) = layer.convolution(name, input)? {
        let Convolution { inputs, outputs, groups, transposed, .. } = c;
        let alone = groups > 1 && [inputs, outputs] == [groups; 2] && !transposed;
        return Ok(if alone { Box::new(Depthwise::new(&c)) } else { Box::new(Convolve::new(&c)) });
    }
    match (layer, layer.pooling(name, input)?) {
        (Layer::MaxPool2d(_), Some(window)) => Ok(Box::new(MaxPool::new(&window, input[0]))),
        (Layer::AvgPool2d(pool), Some(window)) => {
            Ok(Box::new(AvgPool::new(&window, input[0], pool.count_include_pad)))
        }
        _ => Err(Error::Unsupported { layer: name.into(), kind: layer.kind().into() }),
    }
}
