//! The crate's error type. Variants carry the offending values, and the layer's name if there is one.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

/// What can go wrong, said at the earliest moment it can be known. The message says all there is to say; where another error was
/// the reason, [`source`](std::error::Error::source) is that one, to be looked at by its type.
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
    /// An optimiser was given a setting that its rule does not have.
    #[error("optimizer: {rule} has no {setting}; it has: {settings}, learning_rate, weight_decay")]
    Setting {
        /// The rule, by [`Rule::name`](crate::model::Rule::name).
        rule: &'static str,
        /// The method that gave it.
        setting: &'static str,
        /// What the rule has besides a learning rate and weight decay.
        settings: &'static str,
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
    /// An input that selects no row of a table.
    #[error(
        "{layer}: input {index} is {value}; it selects one of {rows} rows, so it must be a whole number below that"
    )]
    NoRow {
        /// The layer's name.
        layer: String,
        /// Position in the inputs of all samples.
        index: usize,
        /// What was given.
        value: f32,
        /// Rows of the table.
        rows: usize,
    },
    /// The targets are of the wrong kind for the loss.
    #[error("the loss takes {needed} targets, but {got} were given")]
    TargetKind {
        /// What the loss takes.
        needed: &'static str,
        /// What was given.
        got: &'static str,
    },
    /// The signal at the outputs is not what the mode of the backward pass carries.
    #[error("the signal at the outputs has {got}, but mode {mode} carries {needed}")]
    SignalKind {
        /// The mode, by [`Mode::name`](crate::Mode::name).
        mode: &'static str,
        /// What it carries.
        needed: String,
        /// What was given.
        got: String,
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
    /// WGSL of the user's own that cannot become part of a shader.
    #[error("{plug}{}: {problem}", in_text(*place))]
    Plug {
        /// Which: ``loss `log_cosh` ``.
        plug: String,
        /// Line and column of the text, from 1; `None` for what is wrong with all of it.
        place: Option<[usize; 2]>,
        /// What is wrong, with an excerpt of the text where the compiler found it.
        problem: String,
    },
    /// The model as JSON could not be read.
    #[error("model JSON: {problem}")]
    Json {
        /// What is wrong with it, and where.
        problem: String,
        /// What serde_json said, if it was it that found out.
        source: Option<Cause>,
    },
    /// A table of tiles that could not be read, or an entry of it that no shader can be made of.
    #[error("tile table: {problem}")]
    TileTable {
        /// What is wrong with it, and where.
        problem: String,
        /// What serde_json said, if it was it that found out.
        source: Option<Cause>,
    },
    /// A file that is missing, damaged, or another than it should be.
    #[error("{}: {problem}; {help}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it: what was expected and what was found.
        problem: String,
        /// What may help, for example where to get it.
        help: String,
        /// What the file system, or a crate that reads the format, said.
        source: Option<Cause>,
    },
    /// The tensors of a file are not those of the model: all that is wrong, by names.
    #[error("{}: {}", path.display(), mismatch(missing, left_over, unfit))]
    Weights {
        /// Which file.
        path: PathBuf,
        /// What the model has and the file does not: the name there and, where it is another, the model's own.
        missing: Vec<String>,
        /// What the file has and the model does not.
        left_over: Vec<String>,
        /// What both have, but with another shape, as other than floating-point numbers, not finite, or a negative variance.
        unfit: Vec<String>,
    },
    /// Two tensors of a model would have one name in a file.
    #[error("`{one}` and `{other}` are both named `{name}`; each needs its own name")]
    SameName {
        /// The name in the file.
        name: String,
        /// The one, by the model's name.
        one: String,
        /// The other.
        other: String,
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
    /// More than a function in WGSL may have: see [`Model::to_wgsl`](crate::Model::to_wgsl).
    #[error("{place}: as a WGSL function it has {got} {what}; at most {most} are possible")]
    Function {
        /// The layer, the parameter, or the whole network.
        place: String,
        /// Of what.
        what: &'static str,
        /// How many.
        got: u64,
        /// How many there may be.
        most: u64,
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
        /// What wgpu said.
        source: Option<Cause>,
    },
    /// The device could not be made or was lost.
    #[error("device: {problem}")]
    Device {
        /// What happened.
        problem: String,
        /// What wgpu, or who makes threads, said.
        source: Option<Cause>,
    },
    /// Matrix units were asked for that are not there, or that the device was not made for.
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
    /// A range of a raw buffer begins where no binding may begin.
    #[error("buffer for {buffer}: begins at byte {offset}, which is no multiple of {alignment}")]
    BufferOffset {
        /// Which buffer.
        buffer: String,
        /// Where the range begins.
        offset: u64,
        /// The device's `min_storage_buffer_offset_alignment`.
        alignment: u64,
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
    #[error("the {what} belongs to another {owner}")]
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

/// An error of another crate or of the system, as the reason of one of this crate. It derefs to that error.
#[derive(Clone)]
pub struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl Cause {
    pub(crate) fn new(error: impl std::error::Error + Send + Sync + 'static) -> Option<Cause> {
        Some(Cause(Arc::new(error)))
    }
}

impl Deref for Cause {
    type Target = dyn std::error::Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// Equal where they say the same.
impl PartialEq for Cause {
    fn eq(&self, other: &Cause) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One constructor for each variant that many places return.
impl Error {
    pub(crate) fn zero_size(place: impl Into<String>, what: &'static str) -> Error {
        Error::ZeroSize { place: place.into(), what }
    }

    pub(crate) fn check_batch(samples: usize) -> Result<()> {
        if samples > 0 { Ok(()) } else { Err(Error::zero_size("batch", "the number of samples")) }
    }

    pub(crate) fn value(
        place: impl Into<String>,
        name: &'static str,
        value: f64,
        needed: &'static str,
    ) -> Error {
        Error::Value { place: place.into(), name, value, needed }
    }

    pub(crate) fn length(tensor: impl Into<String>, got: usize, needed: usize) -> Error {
        Error::Length { tensor: tensor.into(), got, needed }
    }

    pub(crate) fn check_length(tensor: impl Into<String>, got: usize, needed: usize) -> Result<()> {
        if got == needed { Ok(()) } else { Err(Error::length(tensor, got, needed)) }
    }

    /// Refuses the first value that is NaN or infinite.
    pub(crate) fn check_finite(tensor: &str, values: &[f32]) -> Result<()> {
        match values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            Some((index, value)) => Err(Error::NotFinite { tensor: tensor.into(), index, value: *value }),
            None => Ok(()),
        }
    }

    /// The same, where it is that something is another device's, with what that is.
    pub(crate) fn about(self, what: &'static str) -> Error {
        match self {
            Error::Foreign { owner, .. } => Error::Foreign { what, owner },
            other => other,
        }
    }

    pub(crate) fn limit(place: impl Into<String>, limit: &'static str, needed: u64, available: u64) -> Error {
        Error::Limit { place: place.into(), limit, needed, available }
    }

    /// The first of the limits, each with what is needed and what there is, that is exceeded.
    pub(crate) fn check_limits<const N: usize>(
        place: &str,
        limits: [(&'static str, u64, u64); N],
    ) -> Result<()> {
        match limits.into_iter().find(|(_, needed, available)| needed > available) {
            Some((limit, needed, available)) => Err(Error::limit(place, limit, needed, available)),
            None => Ok(()),
        }
    }

    pub(crate) fn not_planned(what: impl Into<String>, ask: &'static str) -> Error {
        Error::NotPlanned { what: what.into(), ask }
    }

    pub(crate) fn shape(layer: impl Into<String>, got: &[usize], needed: impl Into<String>) -> Error {
        Error::Shape { layer: layer.into(), got: got.to_vec(), needed: needed.into() }
    }

    pub(crate) fn unsupported(layer: impl Into<String>, kind: impl Into<String>) -> Error {
        Error::Unsupported { layer: layer.into(), kind: kind.into() }
    }

    pub(crate) fn unknown(what: &'static str, name: impl Into<String>, known: impl Into<String>) -> Error {
        Error::Unknown { what, name: name.into(), known: known.into() }
    }

    /// A failure of the device that no other variant describes.
    pub(crate) fn device(problem: impl Into<String>) -> Error {
        Error::Device { problem: problem.into(), source: None }
    }
}

fn since(step: Option<u64>) -> String {
    step.map_or_else(String::new, |step| format!(" since step {step}"))
}

fn in_text(place: Option<[usize; 2]>) -> String {
    place.map_or_else(String::new, |[line, column]| format!(", line {line}, column {column}"))
}

/// The lists that have something, each cut where it is long.
fn mismatch(missing: &[String], left_over: &[String], unfit: &[String]) -> String {
    const SHOWN: usize = 8;
    let list = |(what, names): (&str, &[String])| {
        let shown = names[..names.len().min(SHOWN)].join(", ");
        let rest = names.len().saturating_sub(SHOWN);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        (!names.is_empty()).then(|| format!("{what} {shown}{more}"))
    };
    let lists = [("missing:", missing), ("left over:", left_over), ("unfit:", unfit)];
    lists.into_iter().filter_map(list).collect::<Vec<_>>().join("; ")
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
