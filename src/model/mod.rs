//! The network as data: layers, loss, shapes, the flat layout of parameters. Validated when built, immutable afterwards.

mod attention;
mod builder;
mod convolution;
mod embedding;
mod encoding;
mod groups;
mod hash_grid;
mod init;
mod json;
mod layer;
mod node;
mod normalization;
mod pair;
mod parameters;
mod pattern;
mod pooling;
mod positions;
mod prelu;
mod recurrent;
mod resample;
mod running;
mod tangent;
mod window;

pub use attention::Attention;
pub use builder::Builder;
pub use convolution::{Conv1d, Conv2d, ConvTranspose2d};
pub use embedding::Embedding;
pub use groups::{Group, Groups};
pub use hash_grid::HashGrid;
pub use init::Init;
pub use layer::Layer;
pub use normalization::{BatchNorm, GroupNorm, LayerNorm, RmsNorm};
pub use pair::Pair;
pub use parameters::{Parameter, Role};
pub use pooling::{AvgPool2d, MaxPool2d};
pub use positions::PositionEmbedding;
pub use prelu::PRelu;
pub use recurrent::{Gru, Lstm};
pub use resample::{Interpolation, Upsample2d};
pub use running::RunningStatistics;
pub use tangent::Matrix;
use tangent::Tangent;
pub use window::{Named, Padding};

pub(crate) use crate::rules::threshold;
pub use crate::rules::{
    Activation, ClassTargets, CrossEntropy, CustomActivation, CustomLoss, ElementwiseLoss, Limits, Loss,
    Mode, Noise, Optimizer, OptimizerState, OutputSignal, Reduction, RowLoss, Rule, Schedule, Span, Targets,
    Term, Transition, Variance, discrete_policy_targets, gaussian_policy_targets,
};

pub(crate) use attention::Heads;
pub(crate) use convolution::Convolution;
pub(crate) use encoding::Encoding;
#[cfg(feature = "cpu")]
pub(crate) use hash_grid::GridLevel;
pub(crate) use node::{Node, NodeKind, Part, Source};
pub(crate) use normalization::Normalization;
#[cfg(feature = "cpu")]
pub(crate) use normalization::inverse_deviation;
pub(crate) use pattern::matches;
#[cfg(feature = "train")]
pub(crate) use pattern::stars;
pub(crate) use recurrent::{Cell, Recurrence};
pub(crate) use resample::Resampling;
pub(crate) use window::Window;

use crate::error::Cause;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Most layers of a model, those within blocks included.
const MOST_LAYERS: usize = 1 << 14;
/// Most dimensions of an input.
const MOST_DIMENSIONS: usize = 8;

/// A feed-forward network and its loss. Made by [`Model::builder`], [`Model::new`] or [`Model::from_json`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Model {
    input: Vec<usize>,
    layers: Vec<Layer>,
    loss: Loss,
    nodes: Vec<Node>,
    /// Of each layer, the node that is its output.
    ends: Vec<usize>,
    parameters: Vec<Parameter>,
    running: Vec<RunningStatistics>,
    /// Where its outputs are those of another model, and behind them their derivatives along a direction: the shape of the first.
    tangent: Option<Tangent>,
}

/// The model as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    input: Vec<usize>,
    layers: Vec<Layer>,
    loss: Loss,
}

impl TryFrom<Raw> for Model {
    type Error = Error;
    fn try_from(raw: Raw) -> Result<Model> {
        Model::new(raw.input, raw.layers, raw.loss)
    }
}

impl From<Model> for Raw {
    fn from(model: Model) -> Raw {
        Raw { input: model.input, layers: model.layers, loss: model.loss }
    }
}

impl Model {
    /// Validates and builds. `input` is the shape of one sample.
    ///
    /// # Errors
    /// [`Error::EmptyModel`], [`Error::ZeroSize`], [`Error::Shape`] or [`Error::Value`], naming the layer. An input may have at
    /// most 8 dimensions, a model at most 16,384 layers, including those within blocks.
    pub fn new(input: impl Into<Vec<usize>>, layers: Vec<Layer>, loss: impl Into<Loss>) -> Result<Model> {
        let input = input.into();
        check_input(&input)?;
        if layers.is_empty() {
            return Err(Error::EmptyModel);
        }
        check_layers(&layers)?;
        let (nodes, ends) = node::nodes(&input, &layers)?;
        let parameters = parameters::layout(&nodes)?;
        let running = running::layout(&nodes);
        let (loss, tangent) = (loss.into(), None);
        let model = Model { input, layers, loss, nodes, ends, parameters, running, tangent };
        model.loss.validate(model.output_shape())?;
        Ok(model)
    }

    /// Whether the loss has a rule for `mode`.
    pub(crate) fn check_mode(&self, mode: Mode) -> Result<()> {
        self.loss.check_mode(mode, self.loss_shape())
    }

    /// That the CPU can compute its activations, and where it is `trained` its loss.
    #[cfg(feature = "cpu")]
    pub(crate) fn check_on_cpu(&self, trained: bool) -> Result<()> {
        for node in &self.nodes {
            if let NodeKind::Layer(Layer::Act(activation)) = node.kind {
                activation.check_on_cpu(&node.name())?;
            }
        }
        if trained { self.loss.check_on_cpu() } else { Ok(()) }
    }

    /// Starts a model whose samples have shape `input`.
    pub fn builder(input: impl Into<Vec<usize>>) -> Builder {
        Builder::new(input.into())
    }

    /// Reads the JSON form: `{"input": [8], "layers": [{"type": "dense", "in": 8, "out": 2, "bias": true},
    /// {"type": "act", "fn": "tanh"}], "loss": {"type": "mse", "reduction": "mean"}}`.
    ///
    /// # Errors
    /// [`Error::Json`] for text that is not such a model, for instance with a field that is unknown or occurs twice;
    /// [`Error::Unsupported`] for a layer of a type this version does not know; and all of [`Model::new`].
    pub fn from_json(text: &str) -> Result<Model> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Loose {
            input: Vec<usize>,
            #[serde(deserialize_with = "json::layers")]
            layers: Vec<serde_json::Value>,
            loss: Loss,
        }
        let json = |place: &str, e: serde_json::Error| Error::Json {
            problem: format!("{place}{e}"),
            source: Cause::new(e),
        };
        let loose: Loose = serde_json::from_str(text).map_err(|e| json("", e))?;
        let mut layers = Vec::with_capacity(loose.layers.len());
        for (index, value) in loose.layers.into_iter().enumerate() {
            let kind = check_kinds(&index.to_string(), &value)?;
            layers.push(
                serde_json::from_value(value).map_err(|e| json(&format!("layer {index} ({kind}): "), e))?,
            );
        }
        Model::new(loose.input, layers, loose.loss)
    }

    /// The JSON form that [`Model::from_json`] reads.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a model holds only finite numbers and strings")
    }

    /// The same network with another loss.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn with_loss(self, loss: impl Into<Loss>) -> Result<Model> {
        Model::new(self.input, self.layers, loss)
    }

    /// Shape of one input sample.
    pub fn input_shape(&self) -> &[usize] {
        &self.input
    }

    /// Number of elements of one input sample.
    pub fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The loss.
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// Shape of one sample at the output of layer `index`.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a layer that does not exist.
    pub fn shape(&self, index: usize) -> Result<&[usize]> {
        self.ends.get(index).map(|end| &self.nodes[*end].shape[..]).ok_or_else(|| self.no_layer(index))
    }

    fn no_layer(&self, index: usize) -> Error {
        Error::unknown("layer", index.to_string(), format!("0 to {}", self.layers.len() - 1))
    }

    /// Shape of one sample at the last layer's output: the logits.
    pub fn output_shape(&self) -> &[usize] {
        self.nodes.last().map_or(&self.input, |node| &node.shape)
    }

    /// Whether its gradient is a product with a matrix of second derivatives: see `tangent`.
    pub(crate) fn is_tangent(&self) -> bool {
        self.tangent.is_some()
    }

    /// Whether a node stands beside the model's own, in such a model: what it computes depends on the direction.
    pub(crate) fn is_along(&self, node: usize) -> bool {
        self.tangent.as_ref().is_some_and(|tangent| node >= tangent.nodes)
    }

    /// Shape of the logits that the loss sees.
    pub(crate) fn loss_shape(&self) -> &[usize] {
        self.tangent.as_ref().map_or(self.output_shape(), |tangent| &tangent.outputs)
    }

    /// Whether a node has parameters that are trained, of which `trained` tells.
    pub(crate) fn trains(&self, node: usize, trained: &[bool]) -> bool {
        self.nodes[node].part != Part::Detached && self.parameters_of(node).any(|index| trained[index])
    }

    /// Number of logits per sample.
    pub fn outputs(&self) -> usize {
        self.output_shape().iter().product()
    }

    /// The network in the order of computation, blocks flattened.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Whether training draws random numbers.
    #[cfg(feature = "train")]
    pub(crate) fn draws(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.kind, NodeKind::Layer(Layer::Dropout { p }) if p > 0.0))
    }

    /// The node whose output is that of layer `index`.
    pub(crate) fn end(&self, index: usize) -> usize {
        self.ends[index]
    }

    pub(crate) fn shape_at(&self, source: Source) -> &[usize] {
        match source {
            Source::Input => &self.input,
            Source::Node(index) => &self.nodes[index].shape,
        }
    }

    /// Number of classes of a cross-entropy: the first dimension of a sample's output.
    pub fn classes(&self) -> usize {
        self.loss_shape()[0]
    }

    /// Positions of a sample's output that are classified separately: height × width for `[classes, height, width]`.
    pub fn positions(&self) -> usize {
        self.output_shape()[1..].iter().product()
    }

    /// Number of target elements per sample.
    pub fn target_len(&self) -> usize {
        self.loss.target_len(self.loss_shape())
    }

    /// The parameters in order: of each layer its weight, then its bias.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The first parameter of a layer or block, if any.
    pub fn parameter(&self, layer: usize, role: Role) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.layer == layer && p.role == role)
    }

    /// The parameter of this name ([`Parameter::name`]): `3.weight`, `3.body.0.bias`.
    ///
    /// # Errors
    /// [`Error::Unknown`] where none has it.
    pub fn parameter_named(&self, name: &str) -> Result<&Parameter> {
        self.parameters.iter().find(|p| p.name() == name).ok_or_else(|| {
            let known: Vec<String> = self.parameters.iter().map(Parameter::name).collect();
            Error::unknown("parameter", name, known.join(", "))
        })
    }

    /// The node whose parameters a node uses: most often itself.
    fn owner(&self, node: usize) -> usize {
        self.nodes[node].shares.unwrap_or(node)
    }

    pub(crate) fn parameter_of(&self, node: usize, role: Role) -> Option<&Parameter> {
        let used = |p: &&Parameter| p.role == role && !(role == Role::Bias && self.nodes[node].weight_only);
        self.parameters[self.parameters_of(node)].iter().find(used)
    }

    /// The indices of the parameters that a node uses.
    pub(crate) fn parameters_of(&self, node: usize) -> std::ops::Range<usize> {
        let node = self.owner(node);
        let first = self.parameters.partition_point(|p| p.node < node);
        first..first + self.parameters[first..].partition_point(|p| p.node == node)
    }

    /// Number of parameters, without the gaps of the flat layout.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(Parameter::len).sum()
    }

    /// Length in elements of the flat layout in which parameters, gradient and diagonal lie: see [`Parameter::offset`].
    pub fn flat_len(&self) -> usize {
        self.parameters.last().map_or(0, |p| parameters::aligned(p.offset + p.len()))
    }

    /// The name of layer `index` used in errors and tables: `dense 3`, `tanh 1`.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a layer that does not exist.
    pub fn layer_name(&self, index: usize) -> Result<String> {
        let layer = self.layers.get(index).ok_or_else(|| self.no_layer(index))?;
        Ok(layer.name_at(&index.to_string()))
    }

    /// Draws initial parameters in the flat layout: weights by `init`, biases zero, a normalisation with γ = 1 and β = 0, a PReLU with
    /// slopes of 0.25. The same seed gives the same numbers on every machine, those of [`Init::Orthogonal`] within rounding.
    ///
    /// # Errors
    /// [`Error::Value`] for a share or a gain that is none; [`Error::Memory`] if there is not enough memory.
    pub fn init(&self, init: Init, seed: u64) -> Result<Vec<f32>> {
        init::init(self, init, seed)
    }

    /// Checks inputs `[N, inputs]` against the tables that they select rows of: [`Embedding`]. Without one any will do. Trainer, executor,
    /// reference and [`Plan::write_input`](crate::Plan::write_input) do so by themselves.
    ///
    /// # Errors
    /// [`Error::NoRow`] naming layer and index.
    pub fn check_inputs(&self, inputs: &[f32]) -> Result<()> {
        self.check_rows(inputs, |x| f64::from(*x))
    }

    /// The same for inputs of any type.
    pub(crate) fn check_rows<T>(&self, inputs: &[T], value: impl Fn(&T) -> f64) -> Result<()> {
        for node in &self.nodes {
            let NodeKind::Layer(Layer::Embedding(table)) = &node.kind else { continue };
            if let Some(index) = inputs.iter().position(|x| table.row(value(x)).is_none()) {
                let (layer, rows) = (node.name(), table.count);
                return Err(Error::NoRow { layer, index, value: value(&inputs[index]) as f32, rows });
            }
        }
        Ok(())
    }

    /// Checks targets against the loss: kind, length, class range.
    ///
    /// # Errors
    /// [`Error::TargetKind`], [`Error::Length`], or [`Error::TargetOutOfRange`] naming the index.
    pub fn check_targets(&self, batch: usize, targets: Targets<'_>) -> Result<()> {
        self.loss.check_targets(batch, self.loss_shape(), targets)
    }

    /// Checks the weights of so many samples, one each, finite and of any sign.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::Value`] naming the sample.
    pub fn check_sample_weights(&self, batch: usize, weights: &[f32]) -> Result<()> {
        Loss::check_sample_weights(batch, weights)
    }
}

/// A place where a signal can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum At {
    /// The network's input.
    Input,
    /// The output of a layer, by its index.
    Layer(usize),
}

impl At {
    /// Shape of a sample there; the layer must exist.
    pub(crate) fn shape(self, model: &Model) -> &[usize] {
        match self {
            At::Input => model.input_shape(),
            At::Layer(index) => model.shape(index).expect("known to be there"),
        }
    }
}

/// The number of samples, of `width` elements each, in `len` elements.
pub(crate) fn batch_of(tensor: &str, len: usize, width: usize) -> Result<usize> {
    Error::check_batch(len)?;
    if !len.is_multiple_of(width) {
        return Err(Error::length(tensor, len, len.next_multiple_of(width)));
    }
    Ok(len / width)
}

/// Checks that this version knows the type of a layer in JSON, and of all layers within it.
fn check_kinds(path: &str, layer: &serde_json::Value) -> Result<String> {
    let Some(kind) = layer.get("type").and_then(|kind| kind.as_str()).map(str::to_owned) else {
        let problem = format!("layer {path}: a layer is an object with its `type`, a text");
        return Err(Error::Json { problem, source: None });
    };
    if !layer::KINDS.split(' ').any(|known| known == kind) {
        return Err(Error::unsupported(format!("layer {path}"), kind));
    }
    for part in ["body", "projection"] {
        let layers = layer.get(part).and_then(|layers| layers.as_array()).into_iter().flatten();
        for (index, layer) in layers.enumerate() {
            check_kinds(&format!("{path}.{part}.{index}"), layer)?;
        }
    }
    Ok(kind)
}

fn check_input(input: &[usize]) -> Result<()> {
    if input.is_empty() || input.contains(&0) {
        return Err(Error::zero_size("input", "a dimension"));
    }
    if input.len() > MOST_DIMENSIONS {
        return Err(Error::value("input", "the number of dimensions", input.len() as f64, "at most 8"));
    }
    check_count("input", input)
}

/// Limits the number of layers, those within blocks included, and so the memory and time that a model can take.
fn check_layers(layers: &[Layer]) -> Result<()> {
    let (mut count, mut open) = (0, vec![layers]);
    while let Some(layers) = open.pop() {
        count += layers.len();
        for layer in layers {
            if let Layer::Residual { body, projection } = layer {
                open.extend([&body[..], projection]);
            }
        }
    }
    if count > MOST_LAYERS {
        return Err(Error::value("model", "the number of layers", count as f64, "at most 16384"));
    }
    Ok(())
}

/// Checks that the number of a sample's elements fits in 32 bits.
fn check_count(name: &str, shape: &[usize]) -> Result<()> {
    let count = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    if count.is_none_or(|n| n > u32::MAX as usize) {
        return Err(Error::shape(name, shape, "fewer than 2^32 elements a sample"));
    }
    Ok(())
}
