//! A network as a function in WGSL, for shaders of the host's own: a fragment shader that draws what a network says, or a compute
//! shader that asks it in passing. See [`Model::to_wgsl`].

mod body;
mod functions;
mod half;
mod index;
mod layers;
mod name;
mod numbers;
mod places;
mod writer;

use crate::model::{Model, Parameter};
use crate::{Error, Result};
use writer::Writer;

/// How a network is written: [`Options::constants`], [`Options::storage`] or [`Options::storage_f16`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Options<'a> {
    weights: Weights<'a>,
    name: String,
    unroll: usize,
}

#[derive(Debug, Clone, Copy)]
enum Weights<'a> {
    Constants(&'a [f32]),
    Storage { group: u32, binding: u32, half: bool },
}

impl<'a> Options<'a> {
    /// These parameters, in the model's flat layout, are numbers in the text.
    pub fn constants(parameters: &'a [f32]) -> Options<'a> {
        Options::new(Weights::Constants(parameters))
    }

    /// The parameters are read from a storage buffer in the model's flat layout ([`Parameter::offset`]), such as
    /// [`State::parameters`](crate::State::parameters): bound there, the function follows training.
    pub fn storage(group: u32, binding: u32) -> Options<'static> {
        Options::new(Weights::Storage { group, binding, half: false })
    }

    /// The same as f16, two in a word, as [`Model::half_parameters`] packs them. It needs no feature, but on GL wgpu's
    /// `DownlevelFlags::SHADER_F16_IN_F32`. Numbers below 2⁻¹⁴ may count as 0.
    pub fn storage_f16(group: u32, binding: u32) -> Options<'static> {
        Options::new(Weights::Storage { group, binding, half: true })
    }

    fn new(weights: Weights<'a>) -> Options<'a> {
        Options { weights, name: "network".into(), unroll: 1024 }
    }

    /// The function's name, with which all other names begin too, so that several networks may stand in one shader (`network`
    /// unless given): a word of letters, digits and `_` that WGSL has no use for.
    pub fn name(self, name: impl Into<String>) -> Options<'a> {
        Options { name: name.into(), ..self }
    }

    /// Layers of up to so many terms are written without loops where parameters are in a buffer (1024 unless given, at most 16,384);
    /// with constants all are. A term is four products of a dense layer, one of another, one number of a layer that has none; an
    /// activation counts for 16. Without loops a compiler can keep all numbers in registers; loops make a short text and need the
    /// private memory of an invocation.
    pub fn unroll(self, terms: usize) -> Options<'a> {
        Options { unroll: terms, ..self }
    }
}

impl Model {
    /// The network as text in WGSL: `fn network(x: array<f32, N>) -> array<f32, M>`, for one sample, with all that it needs. N and M
    /// are [`Model::inputs`] and [`Model::outputs`]; a sample lies row-major, as in a plan. It predicts: dropout does nothing, and
    /// the outputs are those of the last layer, the logits. Functions are those of the crate's own kernels, so that values are
    /// those of a plan but for the order of sums. The text is the same for the same model and options, needs no feature and
    /// no extension, and may stand in any stage; with parameters as constants it binds nothing.
    ///
    /// ```
    /// use hesscale::{Activation, Loss, Model, model::Init, wgsl::Options};
    ///
    /// let model = Model::builder([2]).dense(16).act(Activation::Tanh).dense(1).loss(Loss::mse())?;
    /// let parameters = model.init(Init::Auto, 1)?;
    /// let text = model.to_wgsl(&Options::constants(&parameters).name("height"))?;
    /// assert!(text.contains("fn height(x: array<f32, 2>) -> array<f32, 1> {"));
    ///
    /// let shader = text + "
    ///     @fragment
    ///     fn colour(@builtin(position) at: vec4<f32>) -> @location(0) vec4<f32> {
    ///         return vec4(height(array(at.x / 100.0, at.y / 100.0))[0]);
    ///     }";
    /// # naga::front::wgsl::parse_str(&shader).unwrap();
    /// # Ok::<(), hesscale::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`] for parameters of another length than [`Model::flat_len`]; [`Error::Value`] for one that is NaN or infinite,
    /// which WGSL has no constants for; [`Error::Unsupported`] for a name that is none, or a layer that cannot be written;
    /// [`Error::Function`] for a layer with more than 2,048 inputs, outputs and numbers between them (WGSL's limit of a function's variables), for
    /// one with constants of more than 16,384 terms ([`Options::unroll`]), and for loops of more than 65,535 iterations in a call. All
    /// calls of an invocation together should stay below that too: llvmpipe leaves its loops then, without a word.
    pub fn to_wgsl(&self, options: &Options<'_>) -> Result<String> {
        name::check(&options.name, writer::own_words(self))?;
        if let Weights::Constants(parameters) = options.weights {
            Error::check_length("parameters", parameters.len(), self.flat_len())?;
            for p in self.parameters() {
                check(p, &parameters[p.range()], "finite", |value| value.is_finite())?;
            }
        }
        Writer::new(self, options).write()
    }

    /// Parameters in the flat layout as f16, each rounded to the nearest: word k has element 2k in its lower half. For
    /// [`Options::storage_f16`].
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::Value`] for a number that no f16 is near to: the largest is 65,504.
    pub fn half_parameters(&self, parameters: &[f32]) -> Result<Vec<u32>> {
        Error::check_length("parameters", parameters.len(), self.flat_len())?;
        let mut halves = vec![0; parameters.len()];
        for p in self.parameters() {
            let values = &parameters[p.range()];
            check(p, values, "within ±65,504, the largest f16", |value| half::to_f16(value).is_some())?;
            let rounded = values.iter().map(|value| half::to_f16(*value).unwrap_or_default());
            halves[p.range()].iter_mut().zip(rounded).for_each(|(half, value)| *half = value);
        }
        Ok(halves.as_chunks().0.iter().map(|[low, high]| u32::from(*low) | u32::from(*high) << 16).collect())
    }
}

fn check(
    parameter: &Parameter,
    values: &[f32],
    needed: &'static str,
    good: impl Fn(f32) -> bool,
) -> Result<()> {
    match values.iter().find(|value| !good(**value)) {
        Some(value) => Err(Error::value(parameter.name(), "a number", f64::from(*value), needed)),
        None => Ok(()),
    }
}
