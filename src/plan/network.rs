//! The model as a list of operations on values, with the conversions between the two ways a value can lie in memory.

use super::At;
use crate::Result;
use crate::kernel::{DepthwiseSizes, Pooling, Storage, padded};
use crate::model::{Activation, BatchNorm, Convolution, Kind, Layer, Model, Source};
use std::collections::HashMap;

/// How the samples of a value lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Layout {
    /// As the model counts: `[C, H, W]`, row-major.
    Rows,
    /// `[H, W, C]`, C padded to a multiple of four.
    Image,
    /// Both at once: a single position, and nothing to pad.
    Either,
}

/// What one operation writes and others read.
#[derive(Debug)]
pub(super) struct Value {
    pub name: String,
    /// Of a sample, as the model counts.
    pub shape: Vec<usize>,
    pub layout: Layout,
    /// The value whose memory it is: its own, or of what it is another view of.
    pub root: usize,
    /// How many operations read the memory; only counted at the root.
    pub readers: usize,
    /// The layers whose output it is.
    pub places: Vec<At>,
}

impl Value {
    /// Elements of a sample as they lie.
    pub(super) fn len(&self) -> usize {
        match self.layout {
            Layout::Image => self.positions() * padded(self.shape[0]),
            _ => self.shape.iter().product(),
        }
    }

    /// Height × width, or the length of a sequence.
    pub(super) fn positions(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// Height and width.
    pub(super) fn size(&self) -> [usize; 2] {
        match self.shape[..] {
            [_, h, w] => [h, w],
            _ => [1, self.positions()],
        }
    }

    /// As the kernels for whole samples see it.
    pub(super) fn storage(&self, batch: usize) -> Storage {
        let batch = batch as u32;
        match self.layout {
            Layout::Rows => Storage::Rows { batch, features: self.len() as u32 },
            _ => {
                let (channels, positions) = (self.shape[0] as u32, self.positions() as u32);
                Storage::Image { batch, channels, positions }
            }
        }
    }
}

/// One operation.
#[derive(Debug)]
pub(super) struct Op {
    pub kind: OpKind,
    /// The model's node that it computes; `None` for a conversion.
    pub node: Option<usize>,
    /// The values it reads: two for a sum.
    pub inputs: Vec<usize>,
    pub output: usize,
}

#[derive(Debug)]
pub(super) enum OpKind {
    Dense {
        inputs: usize,
        outputs: usize,
        bias: bool,
    },
    Convolution(Convolution),
    /// A convolution of each channel by itself.
    Depthwise(Convolution),
    Act(Activation),
    Pool(Pooling),
    /// Left, right, top, bottom.
    Pad([usize; 4]),
    Norm(BatchNorm),
    Dropout(f64),
    Add,
    /// Rows become an image.
    ToImage,
    /// An image becomes rows.
    ToRows,
}

impl Op {
    pub(super) fn input(&self) -> usize {
        self.inputs[0]
    }
}

/// Values and operations in the order of computation. Value 0 is the network's input.
#[derive(Debug)]
pub(super) struct Network {
    pub values: Vec<Value>,
    pub ops: Vec<Op>,
    /// The value that is the network's output, in rows.
    pub logits: usize,
}

impl Network {
    pub(super) fn new(model: &Model, training: bool) -> Result<Network> {
        let input = Value {
            name: "input".into(),
            shape: model.input_shape().to_vec(),
            layout: one_layout(Layout::Rows, model.input_shape()),
            root: 0,
            readers: 0,
            places: vec![At::Input],
        };
        let mut lowering = Lowering {
            network: Network { values: vec![input], ops: Vec::new(), logits: 0 },
            converted: HashMap::new(),
        };
        let mut outputs = Vec::with_capacity(model.nodes().len());
        for index in 0..model.nodes().len() {
            let output = lowering.node(model, index, &outputs, training)?;
            outputs.push(output);
        }
        for layer in 0..model.layers().len() {
            lowering.network.values[outputs[model.end(layer)]].places.push(At::Layer(layer));
        }
        let last = outputs.last().copied().unwrap_or(0);
        lowering.network.logits = lowering.rows(last);
        Ok(lowering.network)
    }

    /// The value whose memory `value` is.
    pub(super) fn root(&self, value: usize) -> usize {
        self.values[value].root
    }

    /// How many operations read the memory of `value`.
    pub(super) fn readers(&self, value: usize) -> usize {
        self.values[self.root(value)].readers
    }

    /// The operation that writes the memory of `value`; `None` for the input.
    pub(super) fn writer(&self, value: usize) -> Option<usize> {
        let root = self.root(value);
        self.ops.iter().position(|op| op.output == root)
    }

    /// The memory that holds the output of `at`.
    pub(super) fn root_at(&self, at: At) -> Option<usize> {
        self.values.iter().find(|value| value.places.contains(&at)).map(|value| value.root)
    }
}

/// A single position without padding lies in both ways at once.
fn one_layout(layout: Layout, shape: &[usize]) -> Layout {
    let alone = shape[1..].iter().product::<usize>() == 1 && shape[0].is_multiple_of(4);
    if alone { Layout::Either } else { layout }
}

struct Lowering {
    network: Network,
    /// Values that stand in the other layout too.
    converted: HashMap<usize, usize>,
}

impl Lowering {
    fn value(&mut self, name: String, shape: &[usize], layout: Layout) -> usize {
        let layout = one_layout(layout, shape);
        let (shape, places, root) = (shape.to_vec(), Vec::new(), self.network.values.len());
        self.network.values.push(Value { name, shape, layout, root, readers: 0, places });
        root
    }

    /// The same numbers in another shape.
    fn view(&mut self, value: usize, name: String, shape: &[usize]) -> usize {
        let root = self.network.root(value);
        let view = self.value(name, shape, Layout::Rows);
        self.network.values[view].root = root;
        view
    }

    fn op(&mut self, kind: OpKind, node: Option<usize>, inputs: Vec<usize>, output: usize) -> usize {
        for input in &inputs {
            let root = self.network.root(*input);
            self.network.values[root].readers += 1;
        }
        self.network.ops.push(Op { kind, node, inputs, output });
        output
    }

    /// `value` in another layout.
    fn convert(&mut self, value: usize, layout: Layout, kind: OpKind) -> usize {
        let from = &self.network.values[value];
        if [layout, Layout::Either].contains(&from.layout) {
            return value;
        }
        if let Some(known) = self.converted.get(&value) {
            return *known;
        }
        let (name, shape) = (from.name.clone(), from.shape.clone());
        let output = self.value(name, &shape, layout);
        self.converted.insert(value, output);
        self.op(kind, None, vec![value], output)
    }

    fn image(&mut self, value: usize) -> usize {
        self.convert(value, Layout::Image, OpKind::ToImage)
    }

    fn rows(&mut self, value: usize) -> usize {
        self.convert(value, Layout::Rows, OpKind::ToRows)
    }

    /// The operations of one node; what holds its output.
    fn node(&mut self, model: &Model, index: usize, outputs: &[usize], training: bool) -> Result<usize> {
        let node = &model.nodes()[index];
        let (name, shape) = (node.name(), node.shape.clone());
        let inputs = node.inputs.iter().map(|source| match source {
            Source::Input => 0,
            Source::Node(before) => outputs[*before],
        });
        let inputs: Vec<usize> = inputs.collect();
        let input_shape = model.shape_at(node.inputs[0]);
        let layer = match &node.kind {
            Kind::Layer(layer) => layer,
            Kind::Add => {
                let any_image =
                    inputs.iter().any(|value| self.network.values[*value].layout == Layout::Image);
                let layout = if any_image { Layout::Image } else { Layout::Rows };
                let inputs = inputs.into_iter();
                let inputs: Vec<usize> = inputs
                    .map(|value| if any_image { self.image(value) } else { self.rows(value) })
                    .collect();
                let output = self.value(name, &shape, layout);
                return Ok(self.op(OpKind::Add, Some(index), inputs, output));
            }
        };
        let input = inputs[0];
        let as_it_lies = self.network.values[input].layout;
        let (kind, layout) = match layer {
            Layer::Identity => return Ok(input),
            Layer::Dropout { p } if !training || *p == 0.0 => return Ok(input),
            Layer::Flatten => {
                let rows = self.rows(input);
                return Ok(self.view(rows, name, &shape));
            }
            Layer::Dense { inputs, outputs, bias } => {
                (OpKind::Dense { inputs: *inputs, outputs: *outputs, bias: *bias }, Layout::Rows)
            }
            Layer::Act(activation) => (OpKind::Act(*activation), as_it_lies),
            Layer::Dropout { p } => (OpKind::Dropout(*p), as_it_lies),
            Layer::BatchNorm(norm) => (OpKind::Norm(norm.clone()), Layout::Image),
            Layer::ZeroPad2d { padding } => (OpKind::Pad(*padding), Layout::Image),
            Layer::AdaptiveAvgPool2d { output } => {
                let [_, h, w] = input_shape[..] else {
                    unreachable!("{name}: its input's shape was checked when the model was built");
                };
                (OpKind::Pool(Pooling::Adaptive { image: [h, w], positions: *output }), Layout::Image)
            }
            other => (windowed(other, &name, input_shape)?, Layout::Image),
        };
        let input = match layout {
            Layout::Image => self.image(input),
            Layout::Rows => self.rows(input),
            Layout::Either => input,
        };
        let output = self.value(name, &shape, layout);
        Ok(self.op(kind, Some(index), vec![input], output))
    }
}

fn windowed(layer: &Layer, name: &str, input: &[usize]) -> Result<OpKind> {
    if let Some(convolution) = layer.convolution(name, input)? {
        let alone = [convolution.inputs, convolution.outputs] == [convolution.groups; 2];
        let short = convolution.window.taps() <= DepthwiseSizes::MOST_TAPS;
        if alone && short && convolution.groups > 1 && !convolution.transposed {
            return Ok(OpKind::Depthwise(convolution));
        }
        return Ok(OpKind::Convolution(convolution));
    }
    match (layer, layer.pooling(name, input)?) {
        (Layer::MaxPool2d(_), Some(window)) => Ok(OpKind::Pool(Pooling::Max(window))),
        (Layer::AvgPool2d(pool), Some(window)) => {
            Ok(OpKind::Pool(Pooling::Mean { window, count_padding: pool.count_include_pad }))
        }
        _ => unreachable!("{name}: every kind of layer has an operation"),
    }
}
