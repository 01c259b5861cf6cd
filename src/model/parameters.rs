//! Where each parameter lies in the flat layout, and how it starts.

use super::{Activation, Layer, Model};
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
    #[must_use]
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
    /// Index of its layer.
    pub layer: usize,
    /// Weight or bias.
    pub role: Role,
    /// Shape in PyTorch's layout: dense weight `[out, in]`, bias `[out]`.
    pub shape: Vec<usize>,
    /// Where it starts in the flat layout, in elements; a multiple of 64, so that it can be bound by itself on every
    /// device (256 bytes). The gaps hold zeros.
    pub offset: usize,
}

impl Parameter {
    /// Number of elements.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // never empty: sizes are validated
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// `3.weight`: as `golden/` and PyTorch's `Sequential` name it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.layer, self.role.name())
    }

    /// Its range in the flat layout.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// How weights start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Init {
    /// Glorot uniform: `±√(6 / (in + out))`.
    Glorot,
    /// He uniform: `±√(6 / in)`.
    He,
    /// He before relu-like activations (relu, leaky_relu, elu, gelu, silu), Glorot elsewhere.
    #[default]
    Auto,
}

pub(super) fn aligned(elements: usize) -> usize {
    elements.next_multiple_of(64)
}

pub(super) fn layout(layers: &[Layer]) -> Result<Vec<Parameter>> {
    let mut parameters = Vec::new();
    let mut offset = 0usize;
    for (layer, spec) in layers.iter().enumerate() {
        let Layer::Dense { inputs, outputs, bias } = *spec else { continue };
        let shapes = [(Role::Weight, Some(vec![outputs, inputs])), (Role::Bias, bias.then(|| vec![outputs]))];
        for (role, shape) in shapes.into_iter().filter_map(|(role, shape)| Some((role, shape?))) {
            let len =
                shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n <= u32::MAX as usize);
            let Some(len) = len else {
                let needed = "fewer than 2^32 weights".into();
                return Err(Error::Shape { layer: super::layer_name(layer, spec), got: shape, needed });
            };
            parameters.push(Parameter { layer, role, shape, offset });
            offset = aligned(offset + len);
        }
    }
    Ok(parameters)
}

pub(super) fn init(model: &Model, init: Init, seed: u64) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut flat = vec![0.0; model.flat_len()];
    for p in model.parameters().iter().filter(|p| p.role == Role::Weight) {
        let (outputs, inputs) = (p.shape[0] as f32, p.shape[1..].iter().product::<usize>() as f32);
        let rectified = matches!(
            model.layers().get(p.layer + 1),
            Some(Layer::Act(
                Activation::Relu
                    | Activation::LeakyRelu { .. }
                    | Activation::Elu { .. }
                    | Activation::Gelu
                    | Activation::GeluTanh
                    | Activation::Silu
            ))
        );
        let bound = match init {
            Init::He => (6.0 / inputs).sqrt(),
            Init::Auto if rectified => (6.0 / inputs).sqrt(),
            Init::Glorot | Init::Auto => (6.0 / (inputs + outputs)).sqrt(),
        };
        flat[p.range()].fill_with(|| (rng.f32() * 2.0 - 1.0) * bound);
    }
    flat
}
