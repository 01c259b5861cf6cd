//! Normalisation: by fixed statistics of a channel, or by those of a sample's own numbers.

use super::layer::yes;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Batch normalisation (Ioffe & Szegedy, 2015, arXiv 1502.03167), per channel c: `z = γ_c (x − mean_c) / √(var_c + ε) + β_c`. γ is
/// the weight, β the bias. The channel is the first dimension of a sample.
///
/// By [`BatchNorm::new`] its statistics are fixed, in training too. With a [`momentum`](BatchNorm::momentum) training goes by mean
/// and variance (divided by n) of a channel over the n numbers of the batch, its samples and their positions, and differentiates
/// through them; the network predicts by running ones, which begin with `mean` and `var`. At the end of each backward pass, whether
/// or not parameters are updated then, `running ← running + momentum (batch's − running)`, with the variance divided by n − 1, as
/// PyTorch has it. So a gradient in several pieces moves them once for each piece, by the piece's statistics. Weights of samples
/// have no part in statistics; in a plan with [`PlanOptions::partial`](crate::PlanOptions::partial) the samples that do not count
/// have none either. A single number is normalised to 0. A plan on a GPU
/// takes at most 4,194,304 numbers of a channel, batch included. HesScale-R keeps each sample's u to that
/// sample. The diagonals of layers below are far from exact in every mode, since what samples do to each other is dropped: see the
/// README.
///
/// Running statistics live beside the parameters: [`State::statistics`](crate::State::statistics), `cpu::Executor::statistics`,
/// `Trainer::statistics`; checkpoints keep them, and [`Model::with_statistics`](super::Model::with_statistics) puts them into a
/// model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct BatchNorm {
    /// Mean of each channel, fixed, or the running one to begin with; empty with a momentum:
    /// [`Builder::layer`](super::Builder::layer) fills in 0.
    pub mean: Vec<f32>,
    /// Variance of each channel, not negative; empty with a momentum: a builder fills in 1.
    pub var: Vec<f32>,
    /// ε, above 0.
    #[serde(default = "small")]
    pub eps: f64,
    /// How far running statistics go to a batch's, in [0, 1]. `None`: statistics are fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
}

fn small() -> f64 {
    1e-5
}

impl BatchNorm {
    /// With the statistics of a trained network, ε = 1e-5.
    pub fn new(mean: Vec<f32>, var: Vec<f32>) -> BatchNorm {
        BatchNorm { mean, var, eps: small(), momentum: None }
    }

    /// By the statistics of a batch in training and by running ones, from mean 0 and variance 1 on, in prediction; of the channels
    /// that a builder has come to, ε = 1e-5, momentum 0.1: PyTorch's `nn.BatchNorm2d(channels)`.
    ///
    /// ```
    /// use hesscale::model::{BatchNorm, Conv2d};
    /// use hesscale::{Activation, Loss, Model};
    ///
    /// # fn main() -> hesscale::Result<()> {
    /// let model = Model::builder([3, 8, 8]).layer(Conv2d::new(16, 3).same().bias(false));
    /// let model = model.layer(BatchNorm::of_batch()).act(Activation::Relu).flatten().dense(10);
    /// let model = model.loss(Loss::cross_entropy())?;
    /// assert_eq!(model.running_statistics()[0].names(), ["1.running_mean", "1.running_var"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn of_batch() -> BatchNorm {
        BatchNorm { momentum: Some(0.1), ..BatchNorm::new(Vec::new(), Vec::new()) }
    }

    setters! {
        /// ε
        eps(eps: f64) => eps;
        /// Statistics of the batch in training, and how far running ones go to them.
        momentum(momentum: f64) => Some(momentum);
    }

    /// Channels whose running statistics a builder fills in at most: each model has its own, whatever its input's shape says.
    pub(super) const MOST_FILLED_IN: usize = 1 << 18;

    /// The input's shape that it needs, in words.
    pub(super) fn needed(&self) -> String {
        match self.mean.len() {
            0 if self.momentum.is_some() => {
                format!("at most {} channels, or as many as it is given statistics of", Self::MOST_FILLED_IN)
            }
            channels => format!("{channels} channels"),
        }
    }

    pub(crate) fn inverse_deviations(&self) -> impl Iterator<Item = f64> {
        self.var.iter().map(|var| inverse_deviation(*var, self.eps))
    }

    pub(super) fn validate(&self, name: &str) -> Result<()> {
        let value = |what, value: f64, needed| Error::value(name, what, value, needed);
        check_eps(name, self.eps)?;
        Error::check_length(format!("{name}: var"), self.var.len(), self.mean.len())?;
        if let Some(mean) = self.mean.iter().find(|m| !m.is_finite()) {
            return Err(value("mean", f64::from(*mean), "finite"));
        }
        if let Some(var) = self.var.iter().find(|v| !(v.is_finite() && **v >= 0.0)) {
            return Err(value("var", f64::from(*var), "finite and >= 0"));
        }
        if let Some(momentum) = self.momentum.filter(|momentum| !(0.0..=1.0).contains(momentum)) {
            return Err(value("momentum", momentum, "in [0, 1]"));
        }
        Ok(())
    }
}

fn check_eps(name: &str, eps: f64) -> Result<()> {
    if !(eps > 0.0 && (eps as f32).is_normal()) {
        return Err(Error::value(name, "eps", eps, "a normal number of f32 and > 0"));
    }
    Ok(())
}

/// `1 / √(var + ε)`
pub(crate) fn inverse_deviation(var: f32, eps: f64) -> f64 {
    1.0 / (f64::from(var) + eps).sqrt()
}

/// Layer normalisation (Ba, Kiros & Hinton, 2016, arXiv 1607.06450): `z = γ x̂ + β`, `x̂ = (x − mean) / √(var + ε)`, mean and
/// variance (divided by n) over all n numbers of a sample; or, by [`LayerNorm::of_channels`], over the channels at each position by
/// itself, as a Transformer has it. γ is the weight, β the bias, each of the sample's shape, or a number for each channel. A plan on
/// a GPU takes up to 524,288 numbers that are normalised together, else it is [`Error::Limit`]; so with [`RmsNorm`], and with each
/// group of [`GroupNorm`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct LayerNorm {
    /// The shape of a sample, or `[channels]` alone to normalise each position of a sample by itself; empty, or of no channels:
    /// [`Builder::layer`](super::Builder::layer) fills it in.
    pub shape: Vec<usize>,
    /// ε, above 0.
    #[serde(default = "small")]
    pub eps: f64,
    /// Whether there are γ and β.
    #[serde(default = "yes")]
    pub affine: bool,
}

impl LayerNorm {
    /// With γ and β, ε = 1e-5, of the shape that a builder has come to.
    pub fn new() -> LayerNorm {
        LayerNorm { shape: Vec::new(), eps: small(), affine: true }
    }

    /// The same over the channels at each position by itself: of `[C, T]` the C numbers of each of T positions, as PyTorch's
    /// `nn.LayerNorm(C)` does on `[T, C]`.
    ///
    /// ```
    /// use hesscale::model::{Conv1d, LayerNorm};
    /// use hesscale::{Loss, Model};
    ///
    /// # fn main() -> hesscale::Result<()> {
    /// let model = Model::builder([6, 20]).layer(LayerNorm::of_channels()).layer(Conv1d::new(4, 1)).loss(Loss::mse())?;
    /// assert_eq!(model.parameters()[0].shape, [6]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn of_channels() -> LayerNorm {
        LayerNorm { shape: vec![0], ..LayerNorm::new() }
    }

    setters! {
        /// The shape of a sample.
        shape(shape: impl Into<Vec<usize>>) => shape.into();
        /// ε
        eps(eps: f64) => eps;
        /// Whether there are γ and β.
        affine(affine: bool) => affine;
    }
}

impl Default for LayerNorm {
    fn default() -> LayerNorm {
        LayerNorm::new()
    }
}

/// RMS normalisation (Zhang & Sennrich, 2019, arXiv 1910.07467): `z = γ x / √(mean of x² + ε)`, the mean over all numbers of a
/// sample. γ is the weight, of the sample's shape; there is no bias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct RmsNorm {
    /// The shape of a sample, or `[channels]` alone to normalise each position of a sample by itself; empty, or of no channels:
    /// [`Builder::layer`](super::Builder::layer) fills it in.
    pub shape: Vec<usize>,
    /// ε, above 0.
    #[serde(default = "epsilon")]
    pub eps: f64,
    /// Whether there is a γ.
    #[serde(default = "yes")]
    pub affine: bool,
}

/// PyTorch's default for RMS normalisation in `f32`: the distance from 1 to the next number.
fn epsilon() -> f64 {
    f64::from(f32::EPSILON)
}

impl RmsNorm {
    /// With γ, ε = 2⁻²³, of the shape that a builder has come to.
    pub fn new() -> RmsNorm {
        RmsNorm { shape: Vec::new(), eps: epsilon(), affine: true }
    }

    /// The same over the channels at each position by itself: see [`LayerNorm::of_channels`].
    pub fn of_channels() -> RmsNorm {
        RmsNorm { shape: vec![0], ..RmsNorm::new() }
    }

    setters! {
        /// The shape of a sample.
        shape(shape: impl Into<Vec<usize>>) => shape.into();
        /// ε
        eps(eps: f64) => eps;
        /// Whether there is a γ.
        affine(affine: bool) => affine;
    }
}

impl Default for RmsNorm {
    fn default() -> RmsNorm {
        RmsNorm::new()
    }
}

/// Group normalisation (Wu & He, 2018, arXiv 1803.08494): as [`LayerNorm`], over each group of neighbouring channels of a sample,
/// at all positions. γ and β have a number for each channel. With as many groups as channels it is instance normalisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct GroupNorm {
    /// Channels, the first dimension of a sample; 0: [`Builder::layer`](super::Builder::layer) fills it in.
    pub channels: usize,
    /// Groups, a divisor of the channels.
    pub groups: usize,
    /// ε, above 0.
    #[serde(default = "small")]
    pub eps: f64,
    /// Whether there are γ and β.
    #[serde(default = "yes")]
    pub affine: bool,
}

impl GroupNorm {
    /// With γ and β, ε = 1e-5, of the channels that a builder has come to.
    pub fn new(groups: usize) -> GroupNorm {
        GroupNorm { channels: 0, groups, eps: small(), affine: true }
    }

    setters! {
        /// Channels of a sample.
        channels(channels: usize) => channels;
        /// ε
        eps(eps: f64) => eps;
        /// Whether there are γ and β.
        affine(affine: bool) => affine;
    }
}

/// What layer, RMS and group normalisation come to: over each of `groups` groups of a sample `[channels, positions]`, which are
/// neighbours in it; or over the channels of each position apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Normalization {
    /// Numbers of γ. In layer and RMS normalisation of a whole sample each number is a channel of its own.
    pub channels: usize,
    pub positions: usize,
    /// Of channels.
    pub groups: usize,
    /// Whether each position is normalised by itself.
    pub apart: bool,
    pub eps: f64,
    /// Whether the mean is subtracted.
    pub centred: bool,
    pub weight: bool,
    pub bias: bool,
}

impl Normalization {
    /// Whether another has the same statistics, with or without γ and β.
    pub(crate) fn is_alike(&self, other: &Normalization) -> bool {
        Normalization { weight: self.weight, bias: self.bias, ..*other } == *self
    }

    /// Over all numbers of a sample, each with parameters of its own, or over the channels of each position.
    pub(super) fn of_sample(name: &str, shape: &[usize], eps: f64, input: &[usize]) -> Result<Normalization> {
        let apart = matches!((shape, input), ([channels], [first, _, ..]) if channels == first);
        if input != shape && !apart {
            return Err(Error::shape(name, input, format!("{shape:?}, the shape that it normalises")));
        }
        check_eps(name, eps)?;
        let channels = shape.iter().product();
        let positions = if apart { input[1..].iter().product() } else { 1 };
        let (groups, centred) = (1, true);
        Ok(Normalization { channels, positions, groups, apart, eps, centred, weight: false, bias: false })
    }

    pub(super) fn of_groups(name: &str, norm: &GroupNorm, input: &[usize]) -> Result<Normalization> {
        let GroupNorm { channels, groups, eps, affine } = *norm;
        for (size, what) in [(channels, "channels"), (groups, "groups")] {
            if size == 0 {
                return Err(Error::zero_size(name, what));
            }
        }
        if !channels.is_multiple_of(groups) {
            return Err(Error::value(name, "groups", groups as f64, "a divisor of the number of channels"));
        }
        if input[0] != channels {
            return Err(Error::shape(name, input, format!("{channels} channels")));
        }
        check_eps(name, eps)?;
        let positions = input[1..].iter().product();
        let (apart, centred) = (false, true);
        Ok(Normalization { channels, positions, groups, apart, eps, centred, weight: affine, bias: affine })
    }

    /// Channels of a group.
    pub(crate) fn width(&self) -> usize {
        self.channels / self.groups
    }

    /// Numbers that are normalised together.
    pub(crate) fn len(&self) -> usize {
        if self.apart { self.channels } else { self.width() * self.positions }
    }

    /// How often that is in a sample.
    pub(crate) fn count(&self) -> usize {
        if self.apart { self.positions } else { self.groups }
    }
}
