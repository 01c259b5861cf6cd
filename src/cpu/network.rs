//! The model as operations on values, in stages: a dense layer is one, on the whole batch; what treats each sample by itself
//! goes a few samples at a time through a run of operations, so that what one leaves is in cache for the next.

use super::convolution::Convolve;
use super::depthwise::Depthwise;
use super::local::Local;
use super::pooling::{Maximum, Mean};
use super::simple::{Act, Add, Dropout, Normalize, Pad, Reorder};
use crate::Result;
use crate::model::{Convolution, Kind, Layer, Model, Source};
use std::ops::Range;

#[derive(Debug)]
pub(super) struct Network {
    pub ops: Vec<Op>,
    pub stages: Vec<Stage>,
    /// Value 0 is the network's input.
    pub values: Vec<Value>,
    pub logits: usize,
    /// Numbers of a signal; 0 for inference.
    pub planes: usize,
    /// Of each top-level layer, the value that is its output.
    pub layers: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Value {
    /// Numbers of a sample.
    pub size: usize,
    /// Whether a sample lies as `[positions, channels]`: of a value in the user's order, `None`.
    pub image: Option<[usize; 2]>,
    /// Whether anything before it has parameters, so that its signal is of use.
    pub wanted: bool,
    /// Whether its signal, or without a backward pass it itself, lives only within a block of samples of one run.
    pub brief: bool,
}

#[derive(Debug)]
pub(super) struct Op {
    pub kind: OpKind,
    /// The model's node; of a reordering, where there is none, the one that it is for.
    pub node: usize,
    pub inputs: Vec<usize>,
    /// Of each input, whether its signal has a share of another operation already when this one's comes.
    pub adds: Vec<bool>,
    pub output: usize,
}

#[derive(Debug)]
pub(super) enum OpKind {
    /// Inputs and outputs.
    Dense([usize; 2]),
    Local(Box<dyn Local>),
}

/// Operations that are done together.
#[derive(Debug)]
pub(super) enum Stage {
    Dense(usize),
    Run {
        ops: Range<usize>,
        /// Samples at a time.
        block: usize,
        /// Operations of the forward pass on one sample, roughly.
        work: usize,
    },
}

impl Stage {
    pub(super) fn ops(&self) -> Range<usize> {
        match self {
            Stage::Dense(op) => *op..op + 1,
            Stage::Run { ops, .. } => ops.clone(),
        }
    }
}

/// Numbers that a block of samples should not exceed, so that it stays in cache.
const BLOCK: usize = 1 << 17;
/// Rows that a product should have, so that the weight is not read too often.
const LEAST_ROWS: usize = 256;

impl Network {
    /// For a backward pass with signals of `planes` numbers; for inference none. With `keep` every signal is wanted to the
    /// end.
    pub(super) fn new(model: &Model, planes: usize, keep: bool) -> Result<Network> {
        let (ops, stages, values, layers) = Default::default();
        let mut network = Network { ops, stages, values, logits: 0, planes, layers };
        network.value(model.input_shape(), false);
        let input = network.image(0, 0, model.input_shape());
        let mut outputs: Vec<usize> = Vec::with_capacity(model.nodes().len());
        for (node, spec) in model.nodes().iter().enumerate() {
            let read = |source: &Source| match source {
                Source::Input => input,
                Source::Node(before) => outputs[*before],
            };
            let inputs = spec.inputs.iter().map(read).collect();
            let output = network.node(model, node, inputs, planes > 0)?;
            outputs.push(output);
        }
        network.layers = (0..model.layers().len()).map(|layer| outputs[model.end(layer)]).collect();
        let last = outputs.last().copied().unwrap_or(input);
        network.logits = network.rows(last, model.nodes().len().saturating_sub(1));
        network.want(keep);
        network.mark_adds();
        network.stage();
        if !(keep && planes > 0) {
            network.shorten();
        }
        Ok(network)
    }

    /// The values that `ops` read or write, some of them more than once.
    pub(super) fn touched(&self, ops: &Range<usize>) -> impl Iterator<Item = usize> {
        self.ops[ops.clone()].iter().flat_map(|op| op.inputs.iter().copied().chain([op.output]))
    }

    /// From the first to the last of them.
    pub(super) fn span(&self, ops: &Range<usize>) -> Range<usize> {
        let first = self.touched(ops).min().unwrap_or(0);
        first..self.touched(ops).max().map_or(first, |last| last + 1)
    }

    fn value(&mut self, shape: &[usize], image: bool) -> usize {
        let image = image.then(|| [shape[1..].iter().product(), shape[0]]);
        let size = shape.iter().product();
        self.values.push(Value { size, image, wanted: false, brief: false });
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
        self.op(OpKind::Local(Box::new(reorder)), node, vec![value], output)
    }

    /// A value in the user's order.
    fn rows(&mut self, value: usize, node: usize) -> usize {
        match self.values[value].image {
            Some([positions, channels]) if positions > 1 && channels > 1 => {
                let output = self.value(&[positions * channels], false);
                let reorder = Reorder { from: [positions, channels] };
                self.op(OpKind::Local(Box::new(reorder)), node, vec![value], output)
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
                return Ok(self.op(OpKind::Local(Box::new(Add { size })), node, inputs, output));
            }
            Kind::Layer(layer) => layer,
        };
        let positions = shape[1..].iter().product();
        let kind: Box<dyn Local> = match layer {
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
                    unreachable!("{}: its input's shape was checked when the model was built", spec.name());
                };
                Box::new(Pad::new([channels, height, width], *padding))
            }
            Layer::AdaptiveAvgPool2d { output } => {
                let &[channels, height, width] = before else {
                    unreachable!("{}: its input's shape was checked when the model was built", spec.name());
                };
                Box::new(Mean::adaptive([height, width], *output, channels))
            }
            other => windowed(other, &spec.name(), before)?,
        };
        let output = self.value(shape, shape.len() > 1);
        Ok(self.op(OpKind::Local(kind), node, inputs, output))
    }

    fn want(&mut self, keep: bool) {
        for op in &self.ops {
            let weighted = match &op.kind {
                OpKind::Dense(_) => true,
                OpKind::Local(local) => local.weighted().is_some(),
            };
            self.values[op.output].wanted = weighted || op.inputs.iter().any(|v| self.values[*v].wanted);
        }
        self.values.iter_mut().for_each(|value| value.wanted |= keep);
    }

    fn mark_adds(&mut self) {
        let mut reached = vec![false; self.values.len()];
        for op in self.ops.iter_mut().rev() {
            for (input, adds) in op.inputs.iter().zip(&mut op.adds) {
                *adds = std::mem::replace(&mut reached[*input], true);
            }
        }
    }

    /// A run ends before a dense layer and, where there is a backward pass, before a convolution: each wants blocks of its own
    /// size.
    fn stage(&mut self) {
        let mut start = 0;
        let mut stages = Vec::new();
        let close = |start: &mut usize, end: usize, stages: &mut Vec<Stage>| {
            if *start < end {
                stages.push(self.run(*start..end));
            }
            *start = end;
        };
        for (index, op) in self.ops.iter().enumerate() {
            match &op.kind {
                OpKind::Dense(_) => {
                    close(&mut start, index, &mut stages);
                    stages.push(Stage::Dense(index));
                    start = index + 1;
                }
                OpKind::Local(local) if self.planes > 0 && local.rows().is_some() => {
                    close(&mut start, index, &mut stages);
                }
                OpKind::Local(_) => {}
            }
        }
        close(&mut start, self.ops.len(), &mut stages);
        self.stages = stages;
    }

    fn run(&self, ops: Range<usize>) -> Stage {
        let (mut numbers, mut least, mut work) = (0, 1, 0);
        for op in &self.ops[ops.clone()] {
            numbers += self.values[op.output].size * (1 + self.planes);
            if let OpKind::Local(local) = &op.kind {
                work = local.work().saturating_add(work);
                least = local.rows().map_or(least, |rows| least.max(LEAST_ROWS.div_ceil(rows)));
            }
        }
        Stage::Run { ops, block: (BLOCK / numbers.max(1)).max(least), work }
    }

    /// Which signals, or without a backward pass which values, live only within a block: what a run writes that is read, and
    /// in that run alone.
    fn shorten(&mut self) {
        let mut writers = vec![None; self.values.len()];
        let mut read = vec![false; self.values.len()];
        let mut together = vec![true; self.values.len()];
        for (index, stage) in self.stages.iter().enumerate() {
            for op in &self.ops[stage.ops()] {
                for value in &op.inputs {
                    read[*value] = true;
                    together[*value] &= writers[*value] == Some(index);
                }
                writers[op.output] = matches!(stage, Stage::Run { .. }).then_some(index);
            }
        }
        for (index, value) in self.values.iter_mut().enumerate() {
            value.brief = writers[index].is_some() && read[index] && together[index] && index != self.logits;
        }
    }
}

fn windowed(layer: &Layer, name: &str, input: &[usize]) -> Result<Box<dyn Local>> {
    if let Some(c) = layer.convolution(name, input)? {
        let Convolution { inputs, outputs, groups, transposed, .. } = c;
        let alone = groups > 1 && [inputs, outputs] == [groups; 2] && !transposed;
        return Ok(if alone { Box::new(Depthwise::new(&c)) } else { Box::new(Convolve::new(&c)) });
    }
    match (layer, layer.pooling(name, input)?) {
        (Layer::MaxPool2d(_), Some(window)) => Ok(Box::new(Maximum::new(&window, input[0]))),
        (Layer::AvgPool2d(pool), Some(window)) => {
            Ok(Box::new(Mean::new(&window, input[0], pool.count_include_pad)))
        }
        _ => unreachable!("{name}: every kind of layer has an operation"),
    }
}
