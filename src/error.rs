//! The crate's error type. Variants carry the offending values, and the layer's name if there is one.

use std::path::PathBuf;

/// Errors of this crate, each reported as early as it can be detected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that must be at least one is zero.
    #[error("{place}: {what} is zero; it must be at least 1")]
    ZeroSize {
        /// The layer's name (`dense 3`), or `input`, `batch`.
        place: String,
        /// Which size.
        what: &'static str,
    },
    /// The model has no layer.
    #[error("the model has no layer; it needs at least one")]
    EmptyModel,
    /// A layer cannot take the shape that reaches it.
    #[error("{layer}: its input has shape {got:?}, but it needs {needed}")]
    Shape {
        /// The layer's name.
        layer: String,
        /// The shape that reaches it, without the batch.
        got: Vec<usize>,
        /// What it takes.
        needed: String,
    },
    /// A layer type or mode this version does not know.
    #[error("{layer}: `{kind}` is not supported")]
    Unsupported {
        /// The layer's name.
        layer: String,
        /// What was asked for.
        kind: String,
    },
    /// A value outside its domain: a slope, a smoothing, a learning rate.
    #[error("{place}: {name} is {value}; it must be {needed}")]
    Value {
        /// The layer's name, or `loss`, `optimizer`.
        place: String,
        /// Which value.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it must be.
        needed: &'static str,
    },
    /// A slice or buffer holds the wrong number of elements.
    #[error("{tensor}: got {got} elements, needs {needed}")]
    Length {
        /// Which tensor.
        tensor: String,
        /// How many elements came.
        got: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A class index outside the network's outputs.
    #[error("target {index}: class {class} is out of range; the network has {classes} classes")]
    TargetOutOfRange {
        /// Position in the batch.
        index: usize,
        /// The class that was given.
        class: i64,
        /// Number of classes.
        classes: usize,
    },
    /// The targets are of the wrong kind for the loss.
    #[error("the loss takes {needed} targets, but {got} were given")]
    TargetKind {
        /// What the loss takes.
        needed: &'static str,
        /// What was given.
        got: &'static str,
    },
    /// NaN or infinity in data, found because checking is on.
    #[error("{tensor}[{index}] is {value}; checking is on and it must be finite")]
    NotFinite {
        /// Which tensor.
        tensor: String,
        /// Flat position.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A value that training produced, or a sum of such values, is NaN or infinite.
    #[error("{what} is not finite{}: training has diverged, or what it was given is not finite", since(*step))]
    Diverged {
        /// Which value.
        what: &'static str,
        /// The first step after which it was non-finite, counted from 1; `None` if unknown.
        step: Option<u64>,
    },
    /// The model as JSON could not be read.
    #[error("model JSON: {0}")]
    Json(String),
    /// A tile table that could not be read, or an entry for which no shader can be generated.
    #[error("tile table: {0}")]
    TileTable(String),
    /// A file that is missing, damaged, or not the expected one.
    #[error("{}: {problem}; {help}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it: what was expected and what was found.
        problem: String,
        /// What may help, for example where to get it.
        help: String,
    },
    /// Nothing of this name or index exists.
    #[error("there is no {what} `{name}`; there are: {known}")]
    Unknown {
        /// What kind of thing was looked up.
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// What exists.
        known: String,
    },
    /// The system could not provide the memory.
    #[error("{what}: there is no memory for {bytes} bytes")]
    Memory {
        /// What it was for.
        what: String,
        /// How many bytes; `u64::MAX` if the number overflows.
        bytes: u64,
    },
    /// The device allows less than the model needs.
    #[error("{place}: needs {needed} of {limit}, the device allows {available}")]
    Limit {
        /// The layer or buffer.
        place: String,
        /// Name of the limit as wgpu spells it.
        limit: &'static str,
        /// What is needed.
        needed: u64,
        /// What is there.
        available: u64,
    },
    /// The device lacks a feature.
    #[error("{what} needs a device with {feature}; request it, where the adapter has it")]
    Feature {
        /// What was asked for.
        what: &'static str,
        /// Name of the feature as wgpu spells it.
        feature: &'static str,
    },
    /// No adapter answers the request.
    #[error("no GPU adapter: {reason}")]
    NoAdapter {
        /// What was asked for, what there is, and what may help.
        reason: String,
    },
    /// The device could not be made or was lost.
    #[error("device: {0}")]
    Device(String),
    /// The requested matrix units do not exist, or the device was created without support for them.
    #[error("cooperative matrices: {0}")]
    Cooperative(String),
    /// A raw buffer is too small.
    #[error("buffer for {buffer}: {got} bytes, needs {needed}")]
    BufferSize {
        /// Which buffer.
        buffer: String,
        /// Its size in bytes.
        got: u64,
        /// The size needed in bytes.
        needed: u64,
    },
    /// A raw buffer lacks a usage.
    #[error("buffer for {buffer}: usage {got} lacks {needed}")]
    BufferUsage {
        /// Which buffer.
        buffer: String,
        /// Its usages.
        got: String,
        /// The usages needed.
        needed: String,
    },
    /// One buffer in two roles, each of which needs its own.
    #[error("one buffer is both {one} and {other}; each needs its own")]
    SharedBuffer {
        /// The one role.
        one: String,
        /// The other.
        other: String,
    },
    /// Objects of different devices, contexts, models or states were used together.
    #[error("{what} belongs to another {owner}")]
    Foreign {
        /// What was passed in.
        what: &'static str,
        /// What it should have shared: `device`, `context`, `model` or `state`.
        owner: &'static str,
    },
    /// The call needs something that was not requested when the plan was built.
    #[error("{what} is not part of this plan: ask for it with {ask}")]
    NotPlanned {
        /// What was asked for.
        what: String,
        /// How to ask.
        ask: &'static str,
    },
}

fn since(step: Option<u64>) -> String {
    step.map_or_else(String::new, |step| format!(" since step {step}"))
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
