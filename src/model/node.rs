//! The network in the order of computation, blocks flattened.

use super::{Layer, check_count};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// One step: a layer other than a block, or the sum at a block's end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Index of the top-level layer that it belongs to.
    pub layer: usize,
    /// Its path in the model: `3`, or `3.body.0` within the block that is layer 3. A block's sum has the block's own path.
    pub path: String,
    pub kind: NodeKind,
    /// Its inputs: outputs of earlier nodes, or the network's input. Of a block's sum the body is the first; of a layer with two
    /// what stands before it.
    pub inputs: Vec<Source>,
    pub shape: Vec<usize>,
    /// The earlier node whose parameters it uses in place of its own.
    pub shares: Option<usize>,
    /// Whether a later node uses the same parameters.
    pub used_again: bool,
    /// Whether it uses no bias, where the node that it shares with has one.
    pub weight_only: bool,
    pub part: Part,
}

/// What of a node takes part in the backward pass. Of a model of the user's all do; see `tangent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// Its parameters are constants.
    Constant,
    /// No signal goes through it.
    Detached,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    Layer(Layer),
    /// The sum of its two inputs.
    Add,
    /// The derivative of a layer without parameters, at the second input, along the first.
    Tangent(Layer),
    /// Each channel times the weight of the node that it shares with.
    Scale,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Source {
    Input,
    Node(usize),
}

impl Node {
    fn new(layer: usize, path: String, kind: NodeKind, inputs: Vec<Source>, shape: Vec<usize>) -> Node {
        let (shares, used_again, weight_only, part) = (None, false, false, Part::Whole);
        Node { layer, path, kind, inputs, shape, shares, used_again, weight_only, part }
    }

    /// `dense 3`, `conv2d 2.body.0`, `residual 2`, `shared 4`.
    pub(crate) fn name(&self) -> String {
        match &self.kind {
            _ if self.shares.is_some() && !self.weight_only => format!("shared {}", self.path),
            NodeKind::Layer(layer) | NodeKind::Tangent(layer) => layer.name_at(&self.path),
            NodeKind::Scale => format!("scale {}", self.path),
            NodeKind::Add => format!("residual {}", self.path),
        }
    }
}

/// The nodes so far, the values that have a name, and the layers that have parameters.
#[derive(Debug, Clone, Default)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    named: BTreeMap<String, Output>,
    /// By its path, a layer and its node.
    weighted: BTreeMap<String, (Layer, usize)>,
}

/// Where a value comes from, and its shape.
type Output = (Source, Vec<usize>);

/// The nodes of all layers, and of each layer the node that is its output.
pub(super) fn nodes(input: &[usize], layers: &[Layer]) -> Result<(Vec<Node>, Vec<usize>)> {
    let mut nodes = Nodes::default();
    let (mut at, mut ends) = ((Source::Input, input.to_vec()), Vec::with_capacity(layers.len()));
    for (index, layer) in layers.iter().enumerate() {
        at = nodes.push(index, index.to_string(), layer, at)?;
        if let Source::Node(end) = at.0 {
            ends.push(end);
        }
    }
    let mut nodes = nodes.all_read(at.0)?;
    check_selections(&nodes)?;
    let mut used = BTreeSet::new();
    for index in (0..nodes.len()).rev() {
        nodes[index].used_again = !used.insert(nodes[index].shares.unwrap_or(index));
    }
    Ok((nodes, ends))
}

/// Checks that what selects by its inputs reads the network's own.
fn check_selections(nodes: &[Node]) -> Result<()> {
    let selects = |node: &&Node| matches!(&node.kind, NodeKind::Layer(layer) if layer.selects());
    for node in nodes.iter().filter(selects) {
        let mut source = node.inputs[0];
        while let Source::Node(index) = source {
            let before = &nodes[index];
            if !matches!(&before.kind, NodeKind::Layer(layer) if layer.passes_on()) {
                let what = format!("a place behind {}: it reads the network's own inputs", before.name());
                return Err(Error::unsupported(node.name(), what));
            }
            source = before.inputs[0];
        }
    }
    Ok(())
}

/// Deepest nesting of blocks, so that the stack suffices, also for reading JSON.
const DEEPEST: usize = 32;

impl Nodes {
    /// The output shape of one layer, including nested ones, behind a value of shape `input`. Values that it names are known
    /// from then on.
    pub(super) fn shape_of(&mut self, path: &str, layer: &Layer, input: &[usize]) -> Result<Vec<usize>> {
        let at = (Source::Input, input.to_vec());
        let shape = self.push(0, path.into(), layer, at).map(|(_, shape)| shape);
        self.nodes.clear();
        shape
    }

    /// Appends the nodes of one layer that reads `at`.
    fn push(&mut self, top: usize, path: String, layer: &Layer, at: Output) -> Result<Output> {
        let name = || layer.name_at(&path);
        if let Layer::From { name } = layer {
            return self.named(name, layer, &path).cloned();
        }
        if let Layer::Shared { layer: with } = layer {
            let (layer, owner) = self.shared(with, &name())?;
            let (inputs, shape) = self.inputs_of(&layer, &path, at)?;
            check_count(&name(), &shape)?;
            let output = (Source::Node(self.nodes.len()), shape.clone());
            let (kind, shares) = (NodeKind::Layer(layer), Some(owner));
            self.nodes.push(Node { shares, ..Node::new(top, path, kind, inputs, shape) });
            return Ok(output);
        }
        let (kind, inputs, shape) = match layer {
            Layer::Residual { body, projection } => {
                // A path has two more parts for each enclosing block.
                if path.split('.').count() / 2 >= DEEPEST {
                    return Err(Error::unsupported(name(), format!("a block within {DEEPEST} blocks")));
                }
                let mut through = |part: &str, layers: &[Layer]| {
                    let named = layers.iter().enumerate();
                    named
                        .map(|(i, layer)| (format!("{path}.{part}.{i}"), layer))
                        .try_fold(at.clone(), |at, (path, layer)| self.push(top, path, layer, at))
                };
                let (sum, shape) = through("body", body)?;
                let (shortcut, other) = through("projection", projection)?;
                if shape != other {
                    let needed = format!("{other:?}, the shape of what it is added to");
                    return Err(Error::shape(name(), &shape, needed));
                }
                (NodeKind::Add, vec![sum, shortcut], shape)
            }
            layer => {
                let (inputs, shape) = self.inputs_of(layer, &path, at)?;
                check_count(&name(), &shape)?;
                (NodeKind::Layer(layer.clone()), inputs, shape)
            }
        };
        let output = (Source::Node(self.nodes.len()), shape.clone());
        if let Layer::Name { name: value } = layer
            && self.named.insert(value.clone(), output.clone()).is_some()
        {
            return Err(Error::unsupported(name(), format!("a second value with the name `{value}`")));
        }
        if layer.has_parameters() {
            self.weighted.insert(path.clone(), (layer.clone(), self.nodes.len()));
        }
        self.nodes.push(Node::new(top, path, kind, inputs, shape));
        Ok(output)
    }

    /// The layer at the path `with` and its node, whose parameters the layer `name` uses.
    fn shared(&self, with: &str, name: &str) -> Result<(Layer, usize)> {
        let (layer, node) = self.weighted.get(with).ok_or_else(|| {
            let known: Vec<&str> = self.weighted.keys().map(String::as_str).collect();
            Error::unknown("layer with parameters", format!("{with}, for {name}"), known.join(", "))
        })?;
        if matches!(layer, Layer::BatchNorm(_)) {
            return Err(Error::unsupported(
                name,
                "parameters of a batch normalisation, which has statistics beside them",
            ));
        }
        Ok((layer.clone(), *node))
    }

    /// The value of this name, which `layer` reads.
    fn named(&self, value: &str, layer: &Layer, path: &str) -> Result<&Output> {
        self.named.get(value).ok_or_else(|| {
            let known: Vec<&str> = self.named.keys().map(String::as_str).collect();
            Error::unknown("value", format!("{value}, for {}", layer.name_at(path)), known.join(", "))
        })
    }

    /// What a layer reads, and its output's shape.
    fn inputs_of(&self, layer: &Layer, path: &str, at: Output) -> Result<(Vec<Source>, Vec<usize>)> {
        let (source, mut shape) = at;
        match layer {
            Layer::Add { with } | Layer::Multiply { with } => {
                let (other, needed) = self.named(with, layer, path)?;
                if shape != *needed {
                    let needed = format!("{needed:?}, the shape of `{with}`");
                    return Err(Error::shape(layer.name_at(path), &shape, needed));
                }
                Ok((vec![source, *other], shape))
            }
            Layer::Concat { with } => {
                let (other, behind) = self.named(with, layer, path)?;
                if shape[1..] != behind[1..] || shape.len() != behind.len() {
                    let needed = format!("that of `{with}`, {behind:?}, but for the first dimension");
                    return Err(Error::shape(layer.name_at(path), &shape, needed));
                }
                shape[0] = shape[0].saturating_add(behind[0]);
                Ok((vec![source, *other], shape))
            }
            layer => layer.output_shape(path, &shape).map(|shape| (vec![source], shape)),
        }
    }

    /// The nodes, if each is read or the `output`: what leads nowhere has no gradient.
    fn all_read(self, output: Source) -> Result<Vec<Node>> {
        let mut read = vec![false; self.nodes.len()];
        for source in self.nodes.iter().flat_map(|node| &node.inputs).chain([&output]) {
            if let Source::Node(node) = source {
                read[*node] = true;
            }
        }
        match read.iter().position(|read| !read) {
            Some(node) => Err(Error::unsupported(self.nodes[node].name(), "an output that no layer reads")),
            None => Ok(self.nodes),
        }
    }
}
