//! Reads test vectors: a directory with `cases.json` and one safetensors file per case (format: `tests/golden/README.md`).
//! An invalid file gives an error that names it, never a panic.

use hesscale::Model;
use hesscale::model::{Targets, discrete_policy_targets, gaussian_policy_targets};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One network with its data, and the results computed by an independent program.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The network, or why this version does not support it; then `targets` and `parameters` are empty.
    pub(crate) model: Result<Model, hesscale::Error>,
    pub(crate) batch: usize,
    /// `[batch, inputs]`
    pub(crate) x: Vec<f32>,
    pub(crate) targets: OwnedTargets,
    /// One for each sample, if the file has them.
    pub(crate) weights: Option<Vec<f32>>,
    /// The model's flat layout.
    pub(crate) parameters: Vec<f32>,
    /// Every f64 tensor by its name in the file: `loss`, `logits`, `grad.0.weight`, `delta.1`, …
    pub(crate) tensors: BTreeMap<String, Vec<f64>>,
}

#[derive(Debug, Clone)]
pub(crate) enum OwnedTargets {
    Classes(Vec<u32>),
    Values(Vec<f32>),
}

impl OwnedTargets {
    pub(crate) fn view(&self) -> Targets<'_> {
        match self {
            OwnedTargets::Classes(classes) => Targets::Classes(classes),
            OwnedTargets::Values(values) => Targets::Values(values),
        }
    }
}

impl Case {
    /// The tensor `kind.*` of all parameters in the flat layout of the case's model, if the file has them.
    pub(crate) fn flat(&self, kind: &str) -> Option<Vec<f64>> {
        let model = self.model.as_ref().ok()?;
        let mut flat = vec![0.0; model.flat_len()];
        for p in model.parameters() {
            flat[p.range()].copy_from_slice(self.tensors.get(&format!("{kind}.{}", p.name()))?);
        }
        Some(flat)
    }
}

/// The vectors that come with the crate.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Those of the losses that have no vectors there: in HesScale and Gauss-Newton only, with the signals at the outputs.
pub(crate) fn directory_of_losses() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_losses")
}

/// Every case of a directory, or its error.
///
/// # Errors
/// A message that names `cases.json` and the problem.
pub(crate) fn load(directory: &Path) -> Result<Vec<Result<Case, String>>, String> {
    #[derive(Deserialize)]
    struct List {
        cases: Vec<serde_json::Value>,
    }
    let path = directory.join("cases.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let list: List = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(list.cases.into_iter().map(|spec| read_case(directory, spec)).collect())
}

/// An entry of `cases.json`.
#[derive(Deserialize)]
struct Spec {
    name: String,
    file: String,
    batch: usize,
    targets: String,
    input: serde_json::Value,
    layers: serde_json::Value,
    loss: serde_json::Value,
}

fn read_case(directory: &Path, spec: serde_json::Value) -> Result<Case, String> {
    let list = directory.join("cases.json");
    let spec: Spec = serde_json::from_value(spec).map_err(|e| format!("{}: a case: {e}", list.display()))?;
    let path = directory.join(&spec.file);
    let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    fill(spec, &tensors).map_err(|e| format!("{}: {e}", path.display()))
}

fn fill(spec: Spec, tensors: &SafeTensors<'_>) -> Result<Case, String> {
    let model = model(&spec);
    let x = numbers(tensors, "x")?;
    let (mut targets, mut parameters) = (OwnedTargets::Values(Vec::new()), Vec::new());
    let weights = tensors.tensor("weight").is_ok().then(|| numbers(tensors, "weight")).transpose()?;
    if let Ok(model) = &model {
        expect_len("x", x.len(), spec.batch.saturating_mul(model.inputs()))?;
        targets = read_targets(tensors)?;
        model.check_targets(spec.batch, targets.view()).map_err(|e| e.to_string())?;
        if let Some(weights) = &weights {
            model.check_sample_weights(spec.batch, weights).map_err(|e| e.to_string())?;
        }
        parameters = vec![0.0; model.flat_len()];
        for p in model.parameters() {
            let name = format!("param.{}", p.name());
            let values = numbers(tensors, &name)?;
            expect_len(&name, values.len(), p.len())?;
            parameters[p.range()].copy_from_slice(&values);
        }
        check_results(model, spec.batch, tensors)?;
    }
    let results = tensors.iter().filter(|(_, view)| view.dtype() == Dtype::F64);
    let tensors = without_noise(results.map(|(name, view)| (name.to_owned(), doubles(&view))).collect());
    Ok(Case { name: spec.name, model, batch: spec.batch, x, targets, weights, parameters, tensors })
}

/// A tensor of parameters that is nothing but rounding beside the others of its kind is 0: so is the gradient of a bias that a
/// normalisation takes away again.
fn without_noise(mut tensors: BTreeMap<String, Vec<f64>>) -> BTreeMap<String, Vec<f64>> {
    const NOISE: f64 = 1e-14;
    let kind = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let largest = |tensor: &[f64]| tensor.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let mut scales = BTreeMap::<String, f64>::new();
    for (name, tensor) in &tensors {
        let scale = scales.entry(kind(name)).or_default();
        *scale = scale.max(largest(tensor));
    }
    for (name, tensor) in &mut tensors {
        if largest(tensor) < NOISE * scales[&kind(name)] {
            tensor.fill(0.0);
        }
    }
    tensors
}

/// `cases.json` keeps the kind of a cross-entropy's targets beside the network; the model keeps it in the loss.
fn model(spec: &Spec) -> Result<Model, hesscale::Error> {
    let mut loss = spec.loss.clone();
    if let (Some(fields), "soft") = (loss.as_object_mut(), spec.targets.as_str()) {
        fields.insert("targets".into(), "soft".into());
    }
    let json = serde_json::json!({"input": spec.input, "layers": spec.layers, "loss": loss});
    Model::from_json(&json.to_string())
}

/// Lengths of all tensors with known names, so that comparing cannot go out of bounds.
fn check_results(model: &Model, batch: usize, tensors: &SafeTensors<'_>) -> Result<(), String> {
    let of_layer = |layer: &str| {
        let shape = model.shape(layer.parse().ok()?).ok()?;
        Some(batch * shape.iter().product::<usize>())
    };
    let of_parameter = |name: &str| model.parameters().iter().find(|p| p.name() == name).map(|p| p.len());
    for (name, view) in tensors.iter().filter(|(_, view)| view.dtype() == Dtype::F64) {
        let needed = match (name, name.split_once('.')) {
            ("loss", _) => Some(1),
            ("logits", _) => Some(batch * model.outputs()),
            (_, Some(("delta" | "s" | "s_gn", layer))) => of_layer(layer),
            (_, Some((_, parameter))) => of_parameter(parameter),
            _ => None,
        };
        if let Some(needed) = needed {
            expect_len(name, view.shape().iter().product(), needed)?;
        }
    }
    Ok(())
}

fn read_targets(tensors: &SafeTensors<'_>) -> Result<OwnedTargets, String> {
    if tensors.tensor("action").is_err() {
        return numbers_or_classes(tensors, "target");
    }
    let [old, advantages] = ["old_log_prob", "advantage"].map(|name| numbers(tensors, name));
    let rows = match numbers_or_classes(tensors, "action")? {
        OwnedTargets::Classes(actions) => discrete_policy_targets(&actions, &old?, &advantages?),
        OwnedTargets::Values(actions) => gaussian_policy_targets(&actions, &old?, &advantages?),
    };
    rows.map(OwnedTargets::Values).map_err(|e| e.to_string())
}

fn numbers_or_classes(tensors: &SafeTensors<'_>, name: &str) -> Result<OwnedTargets, String> {
    let view = tensors.tensor(name).map_err(|e| format!("{name}: {e}"))?;
    if view.dtype() != Dtype::I64 {
        return Ok(OwnedTargets::Values(numbers(tensors, name)?));
    }
    let class = |bytes: &[u8; 8]| {
        let class = i64::from_le_bytes(*bytes);
        u32::try_from(class).map_err(|_| format!("{name}: class {class} is out of range"))
    };
    Ok(OwnedTargets::Classes(view.data().as_chunks().0.iter().map(class).collect::<Result<_, _>>()?))
}

fn numbers(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, String> {
    let view = tensors.tensor(name).map_err(|e| format!("{name}: {e}"))?;
    if view.dtype() != Dtype::F32 {
        return Err(format!("{name}: is {:?}, must be F32", view.dtype()));
    }
    Ok(view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn doubles(view: &TensorView<'_>) -> Vec<f64> {
    view.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

fn expect_len(name: &str, got: usize, needed: usize) -> Result<(), String> {
    if got == needed { Ok(()) } else { Err(format!("{name}: {got} elements, must be {needed}")) }
}
