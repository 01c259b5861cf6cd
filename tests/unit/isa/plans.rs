//! The plans whose pipelines are looked at: networks from launch-bound to large, each with every optimiser.

use crate::model::{Conv2d, MaxPool2d};
use crate::plan::Outline;
use crate::shader::{DeviceClass, Kernel};
use crate::{Activation, Layer, Loss, Mode, Model, Optimizer, PlanOptions};

struct Network {
    name: &'static str,
    model: Model,
    batches: &'static [usize],
}

fn mlp(widths: &[usize], loss: Loss) -> Model {
    let [inputs, hidden @ .., outputs] = widths else { unreachable!("a network has an input and an output") };
    let hidden = hidden
        .iter()
        .fold(Model::builder([*inputs]), |model, width| model.dense(*width).act(Activation::Tanh));
    hidden.dense(*outputs).loss(loss).expect("a model")
}

/// DeepOBS's network of three convolutions.
fn three_convolutions() -> Model {
    let elu = Activation::Elu { alpha: 1.0 };
    let model = [(64, 5), (96, 3), (128, 3)].into_iter().fold(
        Model::builder([3, 32, 32]),
        |model, (channels, kernel)| {
            model.conv2d(channels, kernel).act(elu).layer(MaxPool2d::new(3).stride(2))
        },
    );
    let model = model.flatten().dense(512).act(elu).dense(256).act(elu).dense(10);
    model.loss(Loss::cross_entropy()).expect("a model")
}

/// Convolutions only, as All-CNN-C has them: wide, with strides, of one position's neighbours and of one alone.
fn all_convolutions() -> Model {
    let relu = Activation::Relu;
    let same = |channels| Conv2d::new(channels, 3).padding(1);
    let model = Model::builder([3, 32, 32])
        .layer(same(96))
        .act(relu)
        .layer(same(96).stride(2))
        .act(relu)
        .dropout(0.5);
    let model = model.layer(same(192)).act(relu).layer(same(192).stride(2)).act(relu).dropout(0.5);
    let model = model.conv2d(192, 3).act(relu).conv2d(192, 1).act(relu).conv2d(100, 1).act(relu);
    model.layer(Layer::global_avg_pool()).flatten().loss(Loss::cross_entropy()).expect("a model")
}

fn networks() -> [Network; 5] {
    let entropy = || Loss::from(Loss::cross_entropy());
    [
        Network {
            name: "784-512-512-10",
            model: mlp(&[784, 512, 512, 10], entropy()),
            batches: &[1, 32, 128, 512],
        },
        Network {
            name: "784-4x1024-10",
            model: mlp(&[784, 1024, 1024, 1024, 1024, 10], entropy()),
            batches: &[128],
        },
        Network { name: "17-64-64-6", model: mlp(&[17, 64, 64, 6], Loss::mse()), batches: &[1, 256] },
        Network { name: "3C3D", model: three_convolutions(), batches: &[128] },
        Network { name: "All-CNN", model: all_convolutions(), batches: &[128] },
    ]
}

/// Every kernel with the plan that it is from.
pub(super) fn all(class: DeviceClass, mut take: impl FnMut(&Kernel, &str)) {
    for (at, Network { name, model, batches }) in networks().iter().enumerate() {
        let mut ways = vec![
            (Mode::None, Optimizer::sgd(0.1), "SGD"),
            (Mode::None, Optimizer::adam(1e-3), "Adam"),
            (Mode::HesScale, Optimizer::ada_hesscale(1e-3).unlimited(), "AdaHesScale"),
        ];
        if at == 0 {
            ways.push((Mode::HesScaleR1, Optimizer::ada_hesscale(1e-3).unlimited(), "AdaHesScale"));
        }
        for (batch, (mode, optimizer, rule)) in batches.iter().flat_map(|b| ways.iter().map(move |w| (b, w)))
        {
            for fused in [false, true] {
                let options = PlanOptions { fused_update: fused, ..PlanOptions::training(*mode) };
                let outline = Outline::new(class, model, *batch, Some(optimizer), &options).expect("a plan");
                let fused = if fused { ", fused" } else { "" };
                let plan = format!("{name} batch {batch} {} {rule}{fused}", mode.name());
                outline.kernels().for_each(|kernel| take(&kernel, &plan));
            }
        }
    }
}
