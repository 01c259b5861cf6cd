//! Fusion: the names and number of a plan's dispatches; `fewer_dispatches.rs` tests joined ones.

use crate::harness::{context, counted, steady};
use hesscale::model::{Conv2d, MaxPool2d};
use hesscale::{Activation, At, Layer, Loss, Mode, Model, Optimizer, PlanOptions};

/// Names of a plan's dispatches, sizes and tiles cut off.
fn labels(model: &Model, optimizer: Option<Optimizer>, options: PlanOptions) -> Vec<String> {
    let is_size = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let name = |(label, _): (String, u64)| {
        label.split(' ').take_while(|word| !is_size(word)).collect::<Vec<_>>().join(" ")
    };
    let plan = counted(&context(), model, 16, optimizer, options.fewer_dispatches(false));
    plan.into_iter().map(name).collect()
}

fn mlp() -> Model {
    let builder = Model::builder([8]).dense(12).act(Activation::Tanh).dense(12).act(Activation::Tanh);
    builder.dense(4).loss(Loss::cross_entropy()).unwrap()
}

const FORWARD: [&str; 3] = ["gemm forward+tanh", "gemm forward+tanh", "gemm forward+identity"];
const LOSS: [&str; 2] = ["loss cross-entropy hesscale", "reduce loss"];
const PARAMETERS: &str = "gemm parameters gradient+diagonal";
const FUSED: &str = "gemm signal hesscale+tanh";

#[test]
fn a_step_of_three_dense_layers_is_twelve_dispatches() {
    let got = labels(&mlp(), Some(steady()), PlanOptions::training(Mode::HesScale));
    let backward = [FUSED, PARAMETERS, FUSED, PARAMETERS, PARAMETERS];
    let update = ["optimizer advance", "optimizer adahesscale"];
    assert_eq!(got, [&FORWARD[..], &LOSS, &backward, &update].concat());
}

#[test]
fn every_mode_has_as_many_dispatches_as_plain_backprop() {
    for mode in Mode::ALL {
        assert_eq!(labels(&mlp(), None, PlanOptions::training(mode)).len(), 10, "{mode:?}");
    }
}

#[test]
fn inference_is_the_forward_pass() {
    assert_eq!(labels(&mlp(), Some(Optimizer::sgd(0.1)), PlanOptions::inference()), FORWARD);
}

#[test]
fn operations_are_counted() {
    let flops = |mode| -> u64 {
        let plan = counted(&context(), &mlp(), 16, None, PlanOptions::training(mode));
        plan.into_iter().map(|(_, flops)| flops).sum()
    };
    let (all, upper) = (8 * 12 + 12 * 12 + 12 * 4, 12 * 12 + 12 * 4);
    assert_eq!(flops(Mode::None), 2 * 16 * (2 * all + upper));
    assert_eq!(flops(Mode::HesScale), 2 * 16 * (3 * all + 2 * upper));
    assert_eq!(flops(Mode::HesScaleR2), 2 * 16 * (3 * all + 4 * upper));
}

#[test]
fn the_signal_at_the_input_is_one_product_more() {
    let got = labels(&mlp(), None, PlanOptions::training(Mode::HesScale).signal(At::Input));
    assert_eq!(got.len(), 11);
    assert_eq!(got[9..], ["gemm signal hesscale+identity", PARAMETERS]);
}

#[test]
fn asking_for_an_activations_output_unfuses_that_one() {
    let got = labels(&mlp(), None, PlanOptions::training(Mode::HesScale).signal(At::Layer(3)));
    let apart = ["gemm signal hesscale+identity", PARAMETERS, "signal hesscale through tanh"];
    let backward = [&apart[..], &[FUSED, PARAMETERS, PARAMETERS]].concat();
    assert_eq!(got[5..], backward);
}

#[test]
fn asking_for_a_dense_layers_output_costs_nothing() {
    for layer in [0, 2, 4] {
        let got = labels(&mlp(), None, PlanOptions::training(Mode::HesScale).signal(At::Layer(layer)));
        assert_eq!(got, labels(&mlp(), None, PlanOptions::training(Mode::HesScale)), "{layer}");
    }
}

#[test]
fn below_the_first_parameters_nothing_is_computed() {
    let model = Model::builder([8])
        .act(Activation::Sin { frequency: 1.0 })
        .act(Activation::Tanh)
        .dense(4)
        .loss(Loss::mse())
        .unwrap();
    let options = || PlanOptions::training(Mode::HesScale);
    let top = ["forward sin", "forward tanh", "gemm forward+identity", "loss mse hesscale", "reduce loss"];
    assert_eq!(labels(&model, None, options()), [&top[..], &[PARAMETERS]].concat());
    // Signals are computed down to the requested one, and fused where none is requested.
    let input = labels(&model, None, options().signal(At::Input));
    assert_eq!(input[5..], ["gemm signal hesscale+tanh", PARAMETERS, "signal hesscale through sin"]);
    let between = labels(&model, None, options().signal(At::Layer(0)));
    assert_eq!(between[5..], ["gemm signal hesscale+tanh", PARAMETERS]);
    let above = labels(&model, None, options().signal(At::Layer(1)));
    assert_eq!(above[5..], ["gemm signal hesscale+identity", PARAMETERS]);
}

#[test]
fn the_first_of_two_activations_is_fused_going_up_and_the_last_going_down() {
    let builder = Model::builder([8]).dense(8).act(Activation::Sin { frequency: 1.0 }).act(Activation::Tanh);
    let model = builder.dense(4).act(Activation::Softplus).loss(Loss::mse()).unwrap();
    let got = labels(&model, None, PlanOptions::training(Mode::HesScale));
    let up =
        ["gemm forward+sin", "forward tanh", "gemm forward+softplus", "loss mse hesscale", "reduce loss"];
    let down =
        ["signal hesscale through softplus", FUSED, PARAMETERS, "signal hesscale through sin", PARAMETERS];
    assert_eq!(got, [up, down].concat());
}

#[test]
fn flattening_is_no_work() {
    let flat = |builder: hesscale::model::Builder| builder.layer(Layer::Flatten);
    let with = flat(flat(Model::builder([2, 2, 2])).dense(12).act(Activation::Tanh)).dense(4);
    let without = Model::builder([8]).dense(12).act(Activation::Tanh).dense(4);
    let [with, without] = [with, without].map(|builder| {
        labels(&builder.loss(Loss::mse()).unwrap(), None, PlanOptions::training(Mode::None)).len()
    });
    assert_eq!((with, without), (7, 7));
}

/// Convolution and activation, max pool, depthwise convolution and activation.
fn images() -> Model {
    let builder = Model::builder([3, 8, 8]).conv2d(8, 3).act(Activation::Tanh).layer(MaxPool2d::new(2));
    let builder = builder.layer(Conv2d::new(8, 3).groups(8)).act(Activation::Relu).flatten();
    builder.dense(4).loss(Loss::cross_entropy()).unwrap()
}

#[test]
fn convolutions_are_fused_with_activations_and_pools_with_those_below() {
    let got = labels(&images(), None, PlanOptions::training(Mode::HesScale));
    let up = ["to image", "pack", "gemm forward+tanh", "max pool", "forward+relu depthwise"];
    let top = ["gemm forward+identity", "loss cross-entropy hesscale", "reduce loss"];
    let down = [
        "gemm signal hesscale+relu",
        PARAMETERS,
        "parameters hesscale depthwise",
        "unpack",
        "signal hesscale+identity through depthwise",
        "signal hesscale+tanh through max pool",
        "gemm partial hesscale",
        "unpack",
    ];
    assert_eq!(got, [&up[..], &top, &down].concat());
    for mode in Mode::ALL {
        assert_eq!(labels(&images(), None, PlanOptions::training(mode)).len(), got.len(), "{mode:?}");
    }
}

#[test]
fn asking_for_a_pools_output_costs_a_conversion_and_for_the_activations_below_one_more() {
    let training = || PlanOptions::training(Mode::HesScale);
    let plain = labels(&images(), None, training());
    let pool = labels(&images(), None, training().signal(At::Layer(2)));
    assert_eq!(pool.iter().filter(|label| !plain.contains(label)).collect::<Vec<_>>(), ["to rows"]);
    assert_eq!(pool.len(), plain.len() + 1);
    let below = labels(&images(), None, training().signal(At::Layer(1)));
    let apart = ["signal hesscale+identity through max pool", "to rows", "signal hesscale through tanh"];
    assert_eq!(below[13..16], apart);
}

#[test]
fn blocks_fuse_inside_and_add_up_where_they_meet() {
    let body = |b: hesscale::model::Builder| b.layer(Conv2d::new(4, 3).same()).act(Activation::Tanh);
    let builder = Model::builder([4, 4, 4]).conv2d(4, 1).residual(body).layer(Layer::global_avg_pool());
    let model = builder.flatten().dense(4).loss(Loss::mse()).unwrap();
    let got = labels(&model, None, PlanOptions::training(Mode::None));
    // A 1x1 convolution of whole vectors is not packed, and the mean of each channel lies as rows do.
    let up = ["to image", "gemm forward+identity", "pack", "gemm forward+tanh", "add", "adaptive mean pool"];
    let top = ["gemm forward+identity", "loss mse none", "reduce loss"];
    let down = [
        "gemm signal none+identity",
        "gemm parameters gradient",
        "signal none+identity through adaptive mean pool",
        "signal none through tanh",
        "gemm partial none",
        "unpack",
        "gemm signal none+identity",
        "signal none+identity of two branches",
        "gemm partial none",
        "unpack",
    ];
    assert_eq!(got, [&up[..], &top, &down].concat());
}

#[test]
fn nothing_is_computed_below_the_first_convolution() {
    let builder = Model::builder([3, 6, 6]).layer(MaxPool2d::new(2)).act(Activation::Tanh).dropout(0.5);
    let model = builder.conv2d(4, 1).flatten().dense(4).loss(Loss::mse()).unwrap();
    let got = labels(&model, None, PlanOptions::training(Mode::HesScale));
    let at = got.iter().position(|label| label.starts_with("gemm partial")).unwrap();
    assert_eq!(got[at + 1..], ["unpack", "noise advance"]);
}
