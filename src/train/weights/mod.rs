//! Weights of other programs: safetensors files under their names, in and out.
//!
//! A file belongs to a [`Model`] by a [`Naming`]: which tensor of the file is which of the model, and in which [`Layout`] it lies.
//! Nothing is guessed. What a model's file holds are its parameters (`weight`, `bias`) and the fixed statistics of its batch
//! normalisations (`running_mean`, `running_var`), which are a part of the model.
//!
//! ```no_run
//! # fn main() -> hesscale::Result<()> {
//! use hesscale::model::{BatchNorm, Conv2d, MaxPool2d};
//! use hesscale::train::{Trainer, weights::{self, Layout, Naming}};
//! use hesscale::{Activation::Relu, Loss, Model, Optimizer};
//!
//! let normal = BatchNorm::new(vec![0.0; 8], vec![1.0; 8]);
//! let model = Model::builder([1, 8, 8]).layer(Conv2d::new(8, 3)).layer(normal).act(Relu).layer(MaxPool2d::new(2));
//! let model = model.flatten().dense(10).loss(Loss::cross_entropy())?;
//!
//! // `torch.save`d by safetensors: a module with `conv1`, `bn1` and `fc`.
//! let naming = Naming::in_order(["conv1", "bn1", "fc"]).skip("*.num_batches_tracked");
//! let (model, parameters) = weights::import("network.safetensors", &model, &naming)?;
//! let mut trainer = Trainer::on_cpu(&model, Optimizer::adam(1e-4), Default::default())?;
//! trainer.set_parameters(&parameters)?;
//! weights::export("tuned.safetensors", &model, &trainer.parameters()?, &naming)?;
//!
//! // The same network of Keras.
//! let keras = Naming::in_order(["conv2d", "batch_normalization", "dense"])
//!     .rename("batch*.weight", "batch*.gamma")
//!     .rename("batch*.bias", "batch*.beta")
//!     .rename("*.running_mean", "*.moving_mean")
//!     .rename("*.running_var", "*.moving_variance")
//!     .rename("*.weight", "*.kernel")
//!     .layout("conv2d.kernel", Layout::InOut)
//!     .layout("dense.kernel", Layout::ImageInOut([8, 3, 3]));
//! # let _ = keras;
//! # Ok(())
//! # }
//! ```

mod entries;
mod layout;
mod naming;
mod numbers;
mod pattern;

pub use layout::Layout;
pub use naming::Naming;

use super::checkpoint::not_written;
use super::{atomic, plain};
use crate::error::Cause;
use crate::model::{Init, Model};
use crate::{Error, Result};
use entries::Statistics;
use naming::Named;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

/// The model with the statistics of the file at `path`, and the parameters in the flat layout
/// ([`Parameter::offset`](crate::model::Parameter::offset)). Numbers of f64 are rounded to f32; of f16 and bf16 they stay what they
/// are. A tensor without dimensions is one number. A normalisation's ε is in no file: it is the model's. What is
/// [`Naming::skip`]ped starts as [`Model::init`] does with seed 0, and keeps the model's statistics.
///
/// # Errors
/// [`Error::Weights`] with all that is missing, left over, of another shape or type, not finite, or a negative variance;
/// [`Error::File`] for a file that cannot be read; those of the naming: [`Naming::tensors`]; [`Error::Unknown`] for a pattern of
/// [`Naming::skip`] that nothing matches.
pub fn import(path: impl AsRef<Path>, model: &Model, naming: &Naming) -> Result<(Model, Vec<f32>)> {
    let path = path.as_ref();
    let named = naming.resolve(model)?;
    let bytes = read(path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| {
        file_error(path, format!("is damaged or no safetensors file: {error}"), Cause::new(error))
    })?;

    naming.check_skips(model, &tensors.names())?;

    let mut parameters = model.init(Init::default(), 0)?;
    let mut statistics = Statistics::default();
    let (mut missing, mut unfit) = (Vec::new(), Vec::new());
    for Named { entry, name, layout } in &named {
        match tensors.tensor(name) {
            Err(_) => missing.push(Named::told(entry, name)),
            Ok(view) => match layout.import(entry, &view).and_then(|numbers| entry.checked(numbers)) {
                Ok(numbers) => entry.write(numbers, &mut parameters, &mut statistics),
                Err(problem) => unfit.push(format!("{} {problem}", Named::told(entry, name))),
            },
        }
    }
    let known: BTreeSet<&str> = named.iter().map(|named| named.name.as_str()).collect();
    let left_over = |name: &&str| !known.contains(name) && !naming.skips(name);
    let mut left_over: Vec<String> =
        tensors.names().into_iter().filter(left_over).map(str::to_owned).collect();
    left_over.sort_unstable();
    if !(missing.is_empty() && left_over.is_empty() && unfit.is_empty()) {
        return Err(Error::Weights { path: path.into(), missing, left_over, unfit });
    }
    Ok((statistics.renew(model)?, parameters))
}

/// Writes parameters in the flat layout and the model's statistics to a file at `path`, in f32, by the same names and in the same
/// layouts that [`import`] reads; what is [`Naming::skip`]ped is left out. Of a trained network with running statistics the model is
/// `trainer.model().with_statistics(&trainer.statistics()?)?`. The file takes the place of an old one when it is whole.
///
/// # Errors
/// [`Error::Length`] for other than `model.flat_len()` parameters; [`Error::Diverged`] if one is NaN or infinite;
/// [`Error::File`] if the file cannot be written; those of the naming: [`Naming::tensors`].
pub fn export(path: impl AsRef<Path>, model: &Model, parameters: &[f32], naming: &Naming) -> Result<()> {
    let path = path.as_ref();
    Error::check_length("parameters", parameters.len(), model.flat_len())?;
    if !parameters.iter().all(|x| x.is_finite()) {
        return Err(Error::Diverged { what: "a parameter", step: None });
    }
    let named = naming.resolve(model)?;
    let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = named
        .iter()
        .map(|Named { entry, name, layout }| {
            let (shape, numbers) = layout.export(entry, entry.read(parameters));
            (name.as_str(), shape, numbers.into_iter().flat_map(f32::to_le_bytes).collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (*name, view.expect("a tensor has as many numbers as its shape"))
    });
    // As the programs that read such files ask for it.
    let about = [("format".to_owned(), "pt".to_owned())].into();
    let bytes = safetensors::serialize(views, Some(about))
        .map_err(|error| file_error(path, format!("cannot be made: {error}"), Cause::new(error)))?;
    atomic::write(path, &bytes).map_err(|failed| not_written(path, failed))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    plain::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| file_error(path, format!("cannot be read: {error}"), Cause::new(error)))?;
    Ok(bytes)
}

fn file_error(path: &Path, problem: String, source: Option<Cause>) -> Error {
    let help = "`safetensors.torch.save_file(module.state_dict(), path)` writes such files".into();
    Error::File { path: path.into(), problem, help, source }
}
