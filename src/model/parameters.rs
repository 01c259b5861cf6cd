//! The flat layout of parameters, and their initial values.

use super::{Node, NodeKind};
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
    /// Index of its top-level layer; of parameters that several layers share, the first of them.
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

pub(super) fn aligned(elements: usize) -> usize {
    elements.next_multiple_of(64)
}

pub(super) fn layout(nodes: &[Node]) -> Result<Vec<Parameter>> {
    let mut parameters = Vec::new();
    let mut offset = 0usize;
    for (node, spec) in nodes.iter().enumerate() {
        let (NodeKind::Layer(layer), None) = (&spec.kind, spec.shares) else { continue };
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
