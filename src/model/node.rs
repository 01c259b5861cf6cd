//! The network in the order of computation, blocks flattened.

use super::{Layer, check_count};
use crate::{Error, Result};

/// One step: a layer other than a block, or the sum at a block's end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Index of the top-level layer that it belongs to.
    pub layer: usize,
    /// Its path in the model: `3`, or `3.body.0` within the block that is layer 3. A block's sum has the block's own path.
    pub path: String,
    pub kind: NodeKind,
    /// Its inputs: outputs of earlier nodes, or the network's input. A sum has two, the body first.
    pub inputs: Vec<Source>,
    pub shape: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    Layer(Layer),
    /// The sum of its two inputs.
    Add,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Source {
    Input,
    Node(usize),
}

impl Node {
    /// `dense 3`, `conv2d 2.body.0`, `residual 2`.
    pub(crate) fn name(&self) -> String {
        match &self.kind {
            NodeKind::Layer(layer) => layer.name_at(&self.path),
            NodeKind::Add => format!("residual {}", self.path),
        }
    }
}

pub(super) fn nodes(input: &[usize], layers: &[Layer]) -> Result<Vec<Node>> {
    let mut nodes = Vec::with_capacity(layers.len());
    let mut at = (Source::Input, input.to_vec());
    for (index, layer) in layers.iter().enumerate() {
        at = push(&mut nodes, index, index.to_string(), layer, at)?;
    }
    Ok(nodes)
}

/// Deepest nesting of blocks, so that the stack suffices, also for reading JSON.
const DEEPEST: usize = 32;

/// The output shape of one layer, including nested ones.
pub(super) fn shape_of(path: &str, layer: &Layer, input: &[usize]) -> Result<Vec<usize>> {
    push(&mut Vec::new(), 0, path.into(), layer, (Source::Input, input.to_vec())).map(|(_, shape)| shape)
}

/// Appends the nodes of one layer that reads `at`. Returns the source of its output, and its shape.
fn push(
    nodes: &mut Vec<Node>,
    top: usize,
    path: String,
    layer: &Layer,
    at: (Source, Vec<usize>),
) -> Result<(Source, Vec<usize>)> {
    let name = || layer.name_at(&path);
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
                    .try_fold(at.clone(), |at, (path, layer)| push(nodes, top, path, layer, at))
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
            let shape = layer.output_shape(&path, &at.1)?;
            check_count(&name(), &shape)?;
            (NodeKind::Layer(layer.clone()), vec![at.0], shape)
        }
    };
    nodes.push(Node { layer: top, path, kind, inputs, shape: shape.clone() });
    Ok((Source::Node(nodes.len() - 1), shape))
}
