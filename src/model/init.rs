//! Initial values of parameters.

use super::{Layer, Model, NodeKind, Parameter, Role, Source};
use crate::memory::zeros;
use crate::{Error, Result};
use fastrand::Rng;

/// How weights of dense layers and convolutions are initialised, for a layer with so many inputs and outputs of a unit (`in`, `out`:
/// PyTorch's fans).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Init {
    /// Glorot uniform: `±√(6 / (in + out))`.
    Glorot,
    /// He uniform: `±√(6 / in)`.
    He,
    /// He before relu-like activations (relu, leaky_relu, prelu, elu, gelu, silu), Glorot elsewhere.
    #[default]
    Auto,
    /// Uniform, `±√(1 / in)`, of which each unit has `⌈share · in⌉` weights of 0, drawn by lot, but at least one that is not: sparse
    /// initialisation for learning from a stream (Elsayed, Vasan & Mahmood, 2024, arXiv 2410.14606), with a share of 0.9.
    Sparse {
        /// In [0, 1).
        share: f64,
    },
    /// The weight as a matrix `[first dimension, all others]` has orthonormal rows or, where there are more rows than columns,
    /// columns, times the gain (Saxe, McClelland & Ganguli, 2013, arXiv 1312.6120). What some layer is to have another gain is multiplied
    /// by hand:
    ///
    /// ```
    /// use hesscale::model::Init;
    /// use hesscale::{Activation, Loss, Model};
    ///
    /// # fn main() -> hesscale::Result<()> {
    /// let policy = Model::builder([4]).dense(64).act(Activation::Tanh).dense(2).loss(Loss::cross_entropy())?;
    /// let mut parameters = policy.init(Init::Orthogonal { gain: 2.0_f64.sqrt() }, 1)?;
    /// let head = policy.parameter_named("2.weight")?.range();
    /// parameters[head].iter_mut().for_each(|w| *w *= 0.01 / 2.0_f32.sqrt());
    /// # Ok(())
    /// # }
    /// ```
    Orthogonal {
        /// Finite.
        gain: f64,
    },
}

impl Init {
    fn check(self) -> Result<()> {
        match self {
            Init::Sparse { share } if !(0.0..1.0).contains(&share) => {
                Err(Error::value("init", "share", share, "in [0, 1)"))
            }
            Init::Orthogonal { gain } if !gain.is_finite() => {
                Err(Error::value("init", "gain", gain, "finite"))
            }
            _ => Ok(()),
        }
    }
}

/// Weights by `init`, zero biases; a normalisation starts with γ = 1, β = 0, a PReLU with slopes of 0.25, a table as its layer says.
pub(super) fn init(model: &Model, init: Init, seed: u64) -> Result<Vec<f32>> {
    init.check()?;
    let mut rng = Rng::with_seed(seed);
    let mut flat = zeros("parameters", Some(model.flat_len()))?;
    let readers = readers(model);
    for p in model.parameters().iter().filter(|p| p.role == Role::Weight) {
        let NodeKind::Layer(layer) = &model.nodes()[p.node].kind else { continue };
        let weight = &mut flat[p.range()];
        if let Some(first) = layer.first_weight() {
            weight.fill(first);
            continue;
        }
        let (inputs, outputs) = layer.fans(p);
        let (fan_in, fan_out) = (inputs as f32, outputs as f32);
        let mut uniform = |bound: f32| weight.fill_with(|| (rng.f32() * 2.0 - 1.0) * bound);
        match (layer.bound(init), init) {
            (Some(bound), _) => uniform(bound),
            (None, Init::He) => uniform((6.0 / fan_in).sqrt()),
            (None, Init::Auto) if rectified(model, &readers, p.node) => uniform((6.0 / fan_in).sqrt()),
            (None, Init::Glorot | Init::Auto) => uniform((6.0 / (fan_in + fan_out)).sqrt()),
            (None, Init::Orthogonal { gain }) => orthogonal(weight, p.shape[0], gain, &mut rng)?,
            (None, Init::Sparse { share }) => {
                uniform((1.0 / fan_in).sqrt());
                thin_out(weight, &Units::new(layer, p, inputs), share, &mut rng);
            }
        }
    }
    Ok(flat)
}

/// Zeros in each unit's weights.
fn thin_out(weight: &mut [f32], units: &Units, share: f64, rng: &mut Rng) {
    let mut places: Vec<usize> = (0..units.inputs).collect();
    let zeros = ((share * units.inputs as f64).ceil() as usize).min(units.inputs - 1);
    for unit in 0..weight.len() / units.inputs {
        rng.shuffle(&mut places);
        places[..zeros].iter().for_each(|place| weight[units.index(unit, *place)] = 0.0);
    }
}

/// Where the weights of a unit, an output or a channel of outputs, lie: a transposed convolution has its inputs first.
struct Units {
    /// Weights of a unit.
    inputs: usize,
    /// Of a transposed convolution: outputs of a group, taps.
    turned: Option<[usize; 2]>,
}

impl Units {
    fn new(layer: &Layer, p: &Parameter, inputs: usize) -> Units {
        let turned = matches!(layer, Layer::ConvTranspose2d(_));
        Units { inputs, turned: turned.then(|| [p.shape[1], p.shape[2..].iter().product()]) }
    }

    /// Weight number `place` of a unit.
    fn index(&self, unit: usize, place: usize) -> usize {
        match self.turned {
            None => unit * self.inputs + place,
            Some([outputs, taps]) => {
                let (group, output) = (unit / outputs, unit % outputs);
                ((group * self.inputs / taps + place / taps) * outputs + output) * taps + place % taps
            }
        }
    }
}

/// Rows of a matrix that are orthonormal, or its columns where these are fewer: normal vectors, each less its part along those before
/// it, twice because of rounding.
fn orthogonal(weight: &mut [f32], rows: usize, gain: f64, rng: &mut Rng) -> Result<()> {
    let columns = weight.len() / rows;
    let (count, len) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<f64> = zeros("orthogonal weights", Some(weight.len()))?;
    for at in 0..count {
        let (before, rest) = vectors.split_at_mut(at * len);
        let vector = &mut rest[..len];
        vector.fill_with(|| normal(rng));
        for other in before.chunks_exact(len).chain(before.chunks_exact(len)) {
            let along = dot(vector, other);
            vector.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
        }
        let length = dot(vector, vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
    }
    for (at, w) in weight.iter_mut().enumerate() {
        let (row, column) = (at / columns, at % columns);
        let place = if rows <= columns { row * len + column } else { column * len + row };
        *w = (gain * vectors[place]) as f32;
    }
    Ok(())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// By Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
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
