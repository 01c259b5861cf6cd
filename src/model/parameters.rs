//! The flat layout of parameters, and their initial values.

use super::{Layer, Model, Node, NodeKind, Source};
use crate::memory::zeros;
use crate::{Error, Result};

/// Weight or bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// `W`
    Weight,
    /// `b`
    Bias,
}

impl Role {
    /// `weight` or `bias`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Weight => "weight",
            Role::Bias => "bias",
        }
    }
}

/// One tensor of parameters. Its gradient and diagonal have the same shape and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Index of its top-level layer.
    pub layer: usize,
    pub(crate) node: usize,
    /// Its layer's path: `3`, or `3.body.0` within the block that is layer 3.
    pub path: String,
    /// Weight or bias.
    pub role: Role,
    /// Shape in PyTorch's layout: dense weight `[out, in]`, convolution weight `[out, in/groups, kh, kw]`, bias `[out]`.
    pub shape: Vec<usize>,
    /// Its offset in the flat layout, in elements; a multiple of 64, so that it can be bound separately on every device
    /// (256 bytes). The gaps hold zeros.
    pub offset: usize,
}

impl Parameter {
    /// Number of elements.
    #[allow(clippy::len_without_is_empty)] // never empty: sizes are validated
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its name as in `golden/` and PyTorch's `Sequential`: `3.weight`, or `3.body.0.weight` within a block.
    pub fn name(&self) -> String {
        format!("{}.{}", self.path, self.role.name())
    }

    /// Its range in the flat layout.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// How weights are initialised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Init {
    /// Glorot uniform: `±√(6 / (in + out))`.
    Glorot,
    /// He uniform: `±√(6 / in)`.
    He,
    /// He before relu-like activations (relu, leaky_relu, prelu, elu, gelu, silu), Glorot elsewhere.
    #[default]
    Auto,
}

pub(super) fn aligned(elements: usize) -> usize {
    elements.next_multiple_of(64)
}

pub(super) fn layout(nodes: &[Node]) -> Result<Vec<Parameter>> {
    let mut parameters = Vec::new();
    let mut offset = 0usize;
    for (node, spec) in nodes.iter().enumerate() {
        let NodeKind::Layer(layer) = &spec.kind else { continue };
        for (role, shape) in
            layer.parameter_shapes().into_iter().filter_map(|(role, shape)| Some((role, shape?)))
        {
            let len =
                shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n <= u32::MAX as usize);
            let Some(len) = len else {
                return Err(Error::shape(spec.name(), &shape, "fewer than 2^32 weights"));
            };
            let path = spec.path.clone();
            parameters.push(Parameter { layer: spec.layer, node, path, role, shape, offset });
            offset = aligned(offset + len);
        }
    }
    Ok(parameters)
}

/// Uniform weights, zero biases; a normalisation starts with γ = 1, β = 0, a PReLU with slopes of 0.25.
pub(super) fn init(model: &Model, init: Init, seed: u64) -> Result<Vec<f32>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut flat = zeros("parameters", Some(model.flat_len()))?;
    let readers = readers(model);
    for p in model.parameters().iter().filter(|p| p.role == Role::Weight) {
        let NodeKind::Layer(layer) = &model.nodes()[p.node].kind else { continue };
        if let Some(first) = layer.first_weight() {
            flat[p.range()].fill(first);
            continue;
        }
        let (inputs, outputs) = layer.fans(p);
        let (inputs, outputs) = (inputs as f32, outputs as f32);
        let bound = match init {
            _ if layer.bound().is_some() => layer.bound().unwrap_or_default(),
            Init::He => (6.0 / inputs).sqrt(),
            Init::Auto if rectified(model, &readers, p.node) => (6.0 / inputs).sqrt(),
            Init::Glorot | Init::Auto => (6.0 / (inputs + outputs)).sqrt(),
        };
        flat[p.range()].fill_with(|| (rng.f32() * 2.0 - 1.0) * bound);
    }
    Ok(flat)
}

/// For each node, the first node that reads it.
fn readers(model: &Model) -> Vec<Option<usize>> {
    let mut readers = vec![None; model.nodes().len()];
    for (reader, node) in model.nodes().iter().enumerate() {
        for source in &node.inputs {
            if let Source::Node(read) = source {
                readers[*read].get_or_insert(reader);
            }
        }
    }
    readers
}

/// Whether the first activation after a node is relu-like, passing half of its input.
fn rectified(model: &Model, readers: &[Option<usize>], mut node: usize) -> bool {
    while let Some(next) = readers[node] {
        match &model.nodes()[next].kind {
            NodeKind::Layer(Layer::Act(activation)) => {
                return activation.is_rectifier();
            }
            NodeKind::Layer(Layer::PRelu(_)) => return true,
            NodeKind::Layer(layer) if layer.normalises() => node = next,
            NodeKind::Layer(
                Layer::MaxPool2d(_) | Layer::Dropout { .. } | Layer::Identity | Layer::Name { .. },
            ) => node = next,
            _ => return false,
        }
    }
    false
}
