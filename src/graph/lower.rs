//! Lowers a model to operations on values, and inserts the conversions between layouts.

use super::{Layout, Op, Operation, Value};
use crate::model::{Layer, Model, NodeKind, Source};
use crate::{At, Error, Result};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Values and operations in the order of computation. Value 0 is the network's input.
#[derive(Debug)]
pub(crate) struct Graph {
    pub values: Vec<Value>,
    pub ops: Vec<Op>,
    /// The value that is the network's output, in rows.
    pub logits: usize,
    /// The same as the last layer leaves it.
    output: usize,
    /// For each root value, see [`Graph::is_along`].
    along: Vec<bool>,
}

/// Makes the operations of all layers.
pub(crate) trait Catalog {
    /// What a layer comes to.
    fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Lowered>;

    /// What the derivative of a layer without parameters comes to.
    fn tangent(layer: &Layer, at: &LayerContext<'_>) -> Result<Lowered>;

    /// Each channel times a parameter of its own, of samples of shape `input`.
    fn scale(input: &[usize]) -> Lowered;

    fn residual() -> Arc<dyn Operation>;

    /// The same numbers once more.
    fn copy() -> Arc<dyn Operation>;

    /// The conversion to a layout from the other one.
    fn reorder(to: Layout) -> Arc<dyn Operation>;
}

/// Where a layer is in the network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerContext<'a> {
    /// The layer's name in errors.
    pub name: &'a str,
    /// The model's node.
    pub node: usize,
    /// Shape of a sample at its input.
    pub input: &'a [usize],
    pub training: bool,
}

/// What a layer is lowered to.
#[derive(Debug)]
pub(crate) enum Lowered {
    /// Nothing: its output is its input.
    Nothing,
    /// The same numbers, in rows, in another shape.
    Flat,
    /// An operation of its own.
    Operation(Arc<dyn Operation>),
}

impl<T: Operation> From<T> for Lowered {
    fn from(operation: T) -> Lowered {
        Lowered::Operation(Arc::new(operation))
    }
}

impl Graph {
    /// Lowers `model`, for training or for inference, with the channels of images padded to a multiple of `alignment`.
    pub(crate) fn new<C: Catalog>(model: &Model, training: bool, alignment: usize) -> Result<Graph> {
        let shape = model.input_shape();
        let input = Value {
            name: "input".into(),
            shape: shape.to_vec(),
            layout: one_layout(Layout::Rows, shape, alignment),
            alignment,
            root: 0,
            readers: 0,
            outputs_of: vec![At::Input],
        };
        let graph = Graph { values: vec![input], ops: Vec::new(), logits: 0, output: 0, along: Vec::new() };
        let (mut read, mut shared) = (HashSet::new(), HashSet::new());
        let sources = model.nodes().iter().flat_map(|node| &node.inputs);
        shared.extend(sources.copied().filter(|source| training && !read.insert(*source)));
        let reordered = HashMap::new();
        let mut lowering = Lowering { graph, alignment, reorder: C::reorder, reordered, shared };
        let mut outputs = Vec::with_capacity(model.nodes().len());
        for index in 0..model.nodes().len() {
            let output = lowering.node::<C>(model, index, &outputs, training)?;
            outputs.push(output);
        }
        for layer in 0..model.layers().len() {
            lowering.graph.values[outputs[model.end(layer)]].outputs_of.push(At::Layer(layer));
        }
        let last = outputs.last().copied().unwrap_or(0);
        lowering.graph.output = lowering.graph.root(last);
        lowering.graph.logits = lowering.in_layout(last, Layout::Rows);
        let mut graph = lowering.graph;
        graph.along = vec![false; graph.values.len()];
        for op in &graph.ops {
            let begins = op.node.is_some_and(|node| model.is_along(node));
            graph.along[op.output] =
                begins || op.inputs.iter().any(|input| graph.along[graph.values[*input].root]);
        }
        Ok(graph)
    }

    /// The value whose memory `value` is.
    pub(crate) fn root(&self, value: usize) -> usize {
        self.values[value].root
    }

    /// Whether a value depends on the direction, in a network beside its derivative (`model/tangent.rs`).
    pub(crate) fn is_along(&self, value: usize) -> bool {
        self.along[self.root(value)]
    }

    /// Whether a value does, and its signal does not: a derivative, but not the outputs with theirs behind them.
    pub(crate) fn is_derivative(&self, value: usize) -> bool {
        self.is_along(value) && self.root(value) < self.output
    }

    /// How many operations read the memory of `value`.
    pub(crate) fn readers(&self, value: usize) -> usize {
        self.values[self.root(value)].readers
    }

    /// The operation that writes the memory of `value`; `None` for the input.
    pub(crate) fn writer(&self, value: usize) -> Option<&Op> {
        let root = self.root(value);
        self.ops.iter().find(|op| op.output == root)
    }

    /// The memory that holds the output of `at`.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a layer that is not there.
    pub(crate) fn find(&self, at: At) -> Result<usize> {
        self.root_at(at).ok_or_else(|| {
            let layers = self.values.iter().flat_map(|value| &value.outputs_of);
            let last =
                layers.filter_map(|at| if let At::Layer(index) = at { Some(*index) } else { None }).max();
            let name = match at {
                At::Layer(index) => index.to_string(),
                At::Input => "input".into(),
            };
            Error::unknown("layer", name, format!("0 to {}", last.unwrap_or(0)))
        })
    }

    /// The memory that holds the output of `at`.
    pub(crate) fn root_at(&self, at: At) -> Option<usize> {
        self.values.iter().find(|value| value.outputs_of.contains(&at)).map(|value| value.root)
    }
}

/// A single position without padding is in both layouts at once; so is a single channel that is not padded.
fn one_layout(layout: Layout, shape: &[usize], alignment: usize) -> Layout {
    let alone = shape[1..].iter().product::<usize>() == 1 && shape[0].is_multiple_of(alignment);
    if alone || (shape[0] == 1 && alignment == 1) { Layout::Either } else { layout }
}

struct Lowering {
    graph: Graph,
    alignment: usize,
    reorder: fn(Layout) -> Arc<dyn Operation>,
    /// Values that exist in the other layout too.
    reordered: HashMap<usize, usize>,
    /// In training, what several nodes read.
    shared: HashSet<Source>,
}

impl Lowering {
    fn value(&mut self, name: String, shape: &[usize], layout: Layout) -> usize {
        let layout = one_layout(layout, shape, self.alignment);
        let (shape, outputs_of, root) = (shape.to_vec(), Vec::new(), self.graph.values.len());
        let alignment = self.alignment;
        self.graph.values.push(Value { name, shape, layout, alignment, root, readers: 0, outputs_of });
        root
    }

    fn view(&mut self, value: usize, name: String, shape: &[usize]) -> usize {
        let root = self.graph.root(value);
        let view = self.value(name, shape, Layout::Rows);
        self.graph.values[view].root = root;
        view
    }

    fn op(
        &mut self,
        operation: Arc<dyn Operation>,
        node: Option<usize>,
        inputs: Vec<usize>,
        output: usize,
    ) -> usize {
        for input in &inputs {
            let root = self.graph.root(*input);
            self.graph.values[root].readers += 1;
        }
        self.graph.ops.push(Op { operation, node, inputs, output });
        output
    }

    /// `value` in a layout, converted once for all its readers.
    fn in_layout(&mut self, value: usize, layout: Layout) -> usize {
        let from = &self.graph.values[value];
        if layout == Layout::Either || [layout, Layout::Either].contains(&from.layout) {
            return value;
        }
        if let Some(known) = self.reordered.get(&value) {
            return *known;
        }
        let (name, shape) = (from.name.clone(), from.shape.clone());
        let output = self.value(name, &shape, layout);
        self.reordered.insert(value, output);
        self.op((self.reorder)(layout), None, vec![value], output)
    }

    /// Adds the operations of one node. Returns the value of its output.
    fn node<C: Catalog>(
        &mut self,
        model: &Model,
        index: usize,
        outputs: &[usize],
        training: bool,
    ) -> Result<usize> {
        let node = &model.nodes()[index];
        let (name, shape) = (node.name(), &node.shape);
        let inputs = node.inputs.iter().map(|source| match source {
            Source::Input => 0,
            Source::Node(before) => outputs[*before],
        });
        let inputs: Vec<usize> = inputs.collect();
        let lowered = match &node.kind {
            NodeKind::Add => Lowered::Operation(C::residual()),
            NodeKind::Scale => C::scale(model.shape_at(node.inputs[0])),
            NodeKind::Layer(layer) | NodeKind::Tangent(layer) => {
                let input = model.shape_at(node.inputs[0]);
                let lower = if let NodeKind::Layer(_) = node.kind { C::lower } else { C::tangent };
                lower(layer, &LayerContext { name: &name, node: index, input, training })?
            }
        };
        let same = match lowered {
            Lowered::Nothing => inputs[0],
            Lowered::Flat => {
                let rows = self.in_layout(inputs[0], Layout::Rows);
                self.view(rows, name.clone(), shape)
            }
            Lowered::Operation(operation) => {
                let layout = operation.layout().unwrap_or_else(|| self.common_layout(&inputs));
                return Ok(self.written(operation, index, inputs, layout, (name, shape)));
            }
        };
        // A layer's output has a signal of its own: where others read what it passes on, it is a copy.
        if self.shared.contains(&node.inputs[0]) && model.end(node.layer) == index {
            let layout = self.graph.values[same].layout;
            return Ok(self.written(C::copy(), index, vec![same], layout, (name, shape)));
        }
        Ok(same)
    }

    /// The value that an operation writes.
    fn written(
        &mut self,
        operation: Arc<dyn Operation>,
        node: usize,
        inputs: Vec<usize>,
        layout: Layout,
        (name, shape): (String, &[usize]),
    ) -> usize {
        let below = operation.input_layout().unwrap_or(layout);
        let inputs = inputs.into_iter().map(|value| self.in_layout(value, below)).collect();
        let output = self.value(name, shape, layout);
        self.op(operation, Some(node), inputs, output)
    }

    /// The layout of some values; images if they differ.
    fn common_layout(&self, values: &[usize]) -> Layout {
        let mut layouts = values.iter().map(|value| self.graph.values[*value].layout);
        let first = layouts.next().unwrap_or(Layout::Rows);
        layouts.fold(first, |common, layout| match (common, layout) {
            (Layout::Image, _) | (_, Layout::Image) => Layout::Image,
            (Layout::Rows, _) | (_, Layout::Rows) => Layout::Rows,
            _ => Layout::Either,
        })
    }
}
