//! Files of PyTorch's and in Keras's layouts: read, used, written again.

#[path = "../common/mod.rs"]
mod common;

use crate::{LAYERS, directory, model, naming, numbers, predict, shapes, stored};
use common::{compare, to_f64};
use hesscale::Model;
use hesscale::model::{BatchNorm, Conv2d};
use hesscale::train::weights::{Layout, Naming, export, import};
use hesscale::{Activation, Layer, Loss};

fn keras() -> Naming {
    Naming::in_order(["conv1", "bn1", "depthwise", "block_0", "up", "fc"])
        .rename("bn1.weight", "bn1.gamma")
        .rename("bn1.bias", "bn1.beta")
        .rename("*.running_mean", "*.moving_mean")
        .rename("*.running_var", "*.moving_variance")
        .rename("*.weight", "*.kernel")
        .rename("*.*", "model/*/*")
        .layout("*/kernel", Layout::InOut)
        .layout("model/depthwise/kernel", Layout::Depthwise)
        .layout("model/fc/kernel", Layout::ImageInOut([3, 4, 9]))
}

fn inputs() -> (Vec<u8>, Vec<f32>) {
    let bytes = std::fs::read(stored("outputs.safetensors")).unwrap();
    let inputs = numbers(&bytes, "inputs").into_iter().map(|x| x as f32).collect();
    (bytes, inputs)
}

/// Outputs are those that PyTorch computed in f64 from the same rounded weights.
#[test]
fn other_programs_networks_compute_the_same() {
    let (outputs, x) = inputs();
    for (file, naming, of) in [
        ("torch_f32.safetensors", naming(), "f32"),
        ("torch_f64.safetensors", naming(), "f64"),
        ("torch_f16.safetensors", naming(), "f16"),
        ("torch_bf16.safetensors", naming(), "bf16"),
        ("keras.safetensors", keras(), "f32"),
    ] {
        let (model, parameters) = import(stored(file), &model(), &naming).unwrap();
        let found = to_f64(&predict(&model, &parameters, &x));
        compare(file, &found, &numbers(&outputs, of), 2e-6).unwrap();
    }
    // What the comparison can tell apart.
    let rounded = numbers(&outputs, "bf16");
    compare("bf16", &rounded, &numbers(&outputs, "f16"), 2e-4).unwrap_err();
}

/// From PyTorch, pruned, and back: names, shapes and bits. `state_dict.py check` has PyTorch look at the file.
#[test]
fn a_pruned_network_goes_back() {
    let directory = directory("pruned");
    let (model, mut parameters) = import(stored("torch_f32.safetensors"), &model(), &naming()).unwrap();
    for weight in model.parameters().iter().filter(|parameter| parameter.shape.len() > 1) {
        let mut sizes: Vec<f32> = parameters[weight.range()].iter().map(|w| w.abs()).collect();
        sizes.sort_unstable_by(f32::total_cmp);
        let median = sizes[sizes.len() / 2];
        parameters[weight.range()].iter_mut().filter(|w| w.abs() < median).for_each(|w| *w = 0.0);
    }
    let path = directory.join("pruned.safetensors");
    export(&path, &model, &parameters, &naming()).unwrap();

    let expected: Vec<_> = shapes(&stored("torch_f32.safetensors"))
        .into_iter()
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .collect();
    assert_eq!(shapes(&path), expected);
    // The statistics are the file's, not those that the model began with.
    assert_eq!(import(&path, &super::model(), &naming()).unwrap(), (model.clone(), parameters.clone()));

    let (_, x) = inputs();
    let outputs = predict(&model, &parameters, &x);
    crate::write(
        &directory.join("pruned.outputs.safetensors"),
        &[("inputs", &[16, 2, 7, 9], &x), ("outputs", &[16, 5], &outputs)],
    );
    assert_ne!(
        outputs,
        predict(&model, &import(stored("torch_f32.safetensors"), &model, &naming()).unwrap().1, &x)
    );
}

/// Layouts are undone: the same bytes under the same names.
#[test]
fn layouts_go_back() {
    let directory = directory("layouts");
    let (model, parameters) = import(stored("torch_f32.safetensors"), &model(), &naming()).unwrap();
    let path = directory.join("keras.safetensors");
    export(&path, &model, &parameters, &keras()).unwrap();
    assert_eq!(shapes(&path), shapes(&stored("keras.safetensors")));
    let [ours, theirs] = [path.clone(), stored("keras.safetensors")].map(|path| std::fs::read(path).unwrap());
    for (name, _) in shapes(&path) {
        assert_eq!(numbers(&ours, &name), numbers(&theirs, &name), "{name}");
    }
    assert_eq!(import(&path, &super::model(), &keras()).unwrap(), (model, parameters));
}

/// `[in, out]` and sequences, by hand: a square kernel is not told apart by its shape.
#[test]
fn kernels_lie_in_and_out() {
    let path = directory("in_out").join("file.safetensors");
    let model = Model::builder([2]).dense_no_bias(2).loss(Loss::mse()).unwrap();
    crate::write(&path, &[("0.weight", &[2, 2], &[1.0, 2.0, 3.0, 4.0])]);
    let read = |naming: Naming| import(&path, &model, &naming).unwrap().1[..4].to_vec();
    assert_eq!(read(Naming::sequential()), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(read(Naming::sequential().layout("*", Layout::InOut)), [1.0, 3.0, 2.0, 4.0]);

    // [k, in, out] = [3, 1, 2] becomes [2, 1, 3].
    let model =
        Model::builder([1, 5]).layer(hesscale::model::Conv1d::new(2, 3).bias(false)).flatten().dense(1);
    let model = model.loss(Loss::mse()).unwrap();
    let (six, one) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.5]);
    // The bias has no dimensions.
    crate::write(
        &path,
        &[("0.weight", &[3, 1, 2], &six), ("2.weight", &[6, 1], &six), ("2.bias", &[], &one)],
    );
    let naming = Naming::sequential().layout("*.weight", Layout::InOut);
    let (_, parameters) = import(&path, &model, &naming).unwrap();
    let of = |name: &str| parameters[naming.parameter(&model, name).unwrap().range()].to_vec();
    assert_eq!(of("0.weight"), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    assert_eq!((of("2.weight"), of("2.bias")), (six.to_vec(), one.to_vec()));
}

/// Layers by place, by order, by path and by pattern.
#[test]
fn names() {
    let normal = BatchNorm::new(vec![0.0; 3], vec![1.0; 3]);
    let model = Model::builder([1, 4, 4]).layer(Conv2d::new(3, 3)).act(Activation::Relu);
    let model = model.residual_projected(
        |body| body.layer(Conv2d::new(3, 1).bias(false)).layer(normal),
        |projection| projection.layer(Conv2d::new(3, 1)),
    );
    let model = model.layer(Layer::global_avg_pool()).flatten().dense(2).loss(Loss::mse()).unwrap();
    let names = |naming: Naming| naming.tensors(&model).unwrap();
    let places = [
        "0.weight",
        "0.bias",
        "2.body.0.weight",
        "2.body.1.weight",
        "2.body.1.bias",
        "2.body.1.running_mean",
        "2.body.1.running_var",
        "2.projection.0.weight",
        "2.projection.0.bias",
        "5.weight",
        "5.bias",
    ];
    assert_eq!(names(Naming::sequential()), places);
    let ordered = Naming::in_order(["stem", "block.conv", "block.bn", "block.down", "head"]);
    let renamed = ordered.layer("5", "fc").rename("*", "net.*").skip("net.stem.*").skip("*.running_*");
    assert_eq!(
        names(renamed.clone()),
        [
            "net.block.conv.weight",
            "net.block.bn.weight",
            "net.block.bn.bias",
            "net.block.down.weight",
            "net.block.down.bias",
            "net.fc.weight",
            "net.fc.bias"
        ]
    );
    assert_eq!(renamed.parameter(&model, "net.block.down.bias").unwrap().name(), "2.projection.0.bias");
    assert_eq!(model.parameter_named("2.projection.0.bias").unwrap().path, "2.projection.0");
    assert_eq!(names(Naming::sequential().rename("2.*.*.*", "block.*_*.*"))[2], "block.body_0.weight");
}

/// What is skipped starts as `Model::init` has it, and keeps the model's statistics.
#[test]
fn a_new_head_on_an_old_body() {
    let (old, _) = import(stored("torch_f32.safetensors"), &model(), &naming()).unwrap();
    let start = model().init(hesscale::model::Init::default(), 0).unwrap();
    let naming = naming().skip("fc.*").skip("bn1.running_*");
    let (model, parameters) = import(stored("torch_f32.safetensors"), &model(), &naming).unwrap();
    assert_eq!(model, super::model());
    assert_ne!(model, old);
    let head = model.parameter_named("10.weight").unwrap().range();
    assert_eq!(parameters[head.clone()], start[head]);
    assert_ne!(parameters[..48], start[..48]);
    let path = directory("head").join("body.safetensors");
    export(&path, &model, &parameters, &naming).unwrap();
    assert!(shapes(&path).iter().all(|(name, _)| LAYERS[..5].iter().any(|layer| name.starts_with(layer))));
}
