//! Weights of other programs, in and out. The files beside this one are PyTorch's: `state_dict.py` wrote them.

mod errors;
mod files;

use hesscale::model::{BatchNorm, Conv2d, ConvTranspose2d, Init, MaxPool2d, PRelu};
use hesscale::train::Trainer;
use hesscale::train::weights::{self, Layout, Naming};
use hesscale::{Activation, Loss, Model, Optimizer};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::{Path, PathBuf};

/// A file beside this one.
fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weights").join(name)
}

/// An empty directory of the test's own.
fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weights").join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// The network of `state_dict.py`, with the statistics that PyTorch starts with.
fn model() -> Model {
    let normal = BatchNorm::of_batch();
    let model = Model::builder([2, 7, 9]).layer(Conv2d::new(4, (3, 2)).bias(false)).layer(normal);
    let model = model.act(Activation::Relu).layer(Conv2d::new(8, (2, 3)).groups(4)).act(Activation::Tanh);
    let model = model.residual(|block| block.conv2d(8, 1).act(Activation::Tanh)).layer(MaxPool2d::new(2));
    let model = model.layer(ConvTranspose2d::new(3, (2, 3)).stride((2, 3))).act(Activation::Silu);
    model.flatten().dense(5).loss(Loss::cross_entropy()).unwrap()
}

/// PyTorch's names of its layers.
const LAYERS: [&str; 6] = ["conv1", "bn1", "depthwise", "block.0", "up", "fc"];

fn naming() -> Naming {
    Naming::in_order(LAYERS).skip("*.num_batches_tracked")
}

fn predict(model: &Model, parameters: &[f32], inputs: &[f32]) -> Vec<f32> {
    let mut trainer = Trainer::on_cpu(model, Optimizer::sgd(0.1), Default::default()).unwrap();
    trainer.set_parameters(parameters).unwrap();
    trainer.predict(inputs).unwrap()
}

/// A tensor of a file as numbers: f32 or f64.
fn numbers(bytes: &[u8], name: &str) -> Vec<f64> {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let view = tensors.tensor(name).unwrap();
    match view.dtype() {
        Dtype::F32 => view.data().as_chunks().0.iter().map(|x| f32::from_le_bytes(*x).into()).collect(),
        Dtype::F64 => view.data().as_chunks().0.iter().map(|x| f64::from_le_bytes(*x)).collect(),
        other => panic!("{other:?}"),
    }
}

/// Names and shapes of a file's tensors, by name.
fn shapes(path: &Path) -> Vec<(String, Vec<usize>)> {
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let mut shapes: Vec<_> = tensors.into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect();
    shapes.sort_unstable();
    shapes
}

/// Writes a file of f32 tensors.
fn write(path: &Path, tensors: &[(&str, &[usize], &[f32])]) {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(.., numbers)| numbers.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A table is `[rows, numbers]` in every program: none is turned around.
#[test]
fn tables_are_not_transposed() {
    let model = Model::builder([3]).embedding(4, 4).flatten().dense(12).loss(Loss::mse()).unwrap();
    let naming = Naming::in_order(["table", "fc"]).layout("table.weight", Layout::InOut);
    let refused = naming.tensors(&model).unwrap_err();
    assert!(refused.to_string().contains("table.weight"), "{refused}");
}

/// Tables, slopes and what they lead to, out and in.
#[test]
fn tables_and_slopes() {
    let model = Model::builder([3]).embedding(5, 4).layer(PRelu::per_channel()).flatten().dense(2);
    let model = model.loss(Loss::mse()).unwrap();
    let naming = Naming::in_order(["table", "slopes", "fc"]);
    let path = directory("tables").join("weights.safetensors");
    let parameters = model.init(Init::Sparse { share: 0.5 }, 7).unwrap();
    weights::export(&path, &model, &parameters, &naming).unwrap();
    let names = [("fc.bias", vec![2]), ("fc.weight", vec![2, 12]), ("slopes.weight", vec![4])];
    let names = names.into_iter().chain([("table.weight", vec![5, 4])]);
    assert_eq!(shapes(&path), names.map(|(name, shape)| (name.to_owned(), shape)).collect::<Vec<_>>());
    assert_eq!(weights::import(&path, &model, &naming).unwrap().1, parameters);
}
