//! The memory that plans take, and the time to create them.

use crate::harness::{context_with_own_tiles, steady};
use cpu_time::ThreadTime;
use hesscale::model::{Builder, Conv2d, MaxPool2d};
use hesscale::{Activation, Loss, Memory, Mode, Model, Plan, PlanOptions, State};
use std::time::Duration;

fn memory(model: &Model, batch: usize, mode: Mode) -> Memory {
    let state = State::new(&context_with_own_tiles(), model, None).unwrap();
    Plan::new(&context_with_own_tiles(), model, &state, batch, PlanOptions::training(mode)).unwrap().memory()
}

/// DeepOBS's network for CIFAR.
fn three_c_three_d() -> Model {
    let elu = Activation::Elu { alpha: 1.0 };
    let block = |builder: Builder, channels, kernel| {
        builder.conv2d(channels, kernel).act(elu).layer(MaxPool2d::new(3).stride(2).padding(1))
    };
    let builder = block(block(block(Model::builder([3, 32, 32]), 64, 5), 96, 3), 128, 3);
    builder.flatten().dense(512).act(elu).dense(256).act(elu).dense(10).loss(Loss::cross_entropy()).unwrap()
}

#[test]
fn curvature_takes_less_than_as_much_again() {
    let [plain, curved] = [Mode::None, Mode::HesScale].map(|mode| memory(&three_c_three_d(), 128, mode));
    let ratio = curved.total() as f64 / plain.total() as f64;
    println!("plain {plain:?}, HesScale {curved:?}: {ratio}");
    assert!(ratio < 2.0);
    assert_eq!(curved.activations, plain.activations);
}

/// No product stores unfolded windows: buffers that grow with the window are no larger than parameters.
#[test]
fn windows_take_no_memory() {
    let of = |kernel| {
        let same = |b: Builder| b.layer(Conv2d::new(8, kernel).same()).act(Activation::Tanh);
        let builder = same(same(Model::builder([4, 32, 32]))).layer(MaxPool2d::new(32)).flatten();
        builder.dense(4).loss(Loss::cross_entropy()).unwrap()
    };
    for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
        let [small, large] = [3, 5].map(|kernel| memory(&of(kernel), 64, mode));
        assert_eq!(large.activations, small.activations);
        assert_eq!(large.signals, small.signals, "{mode:?}: the sums find room in signals");
    }
}

/// Four times the layers take four times the time, not sixteen times. The least of several turns counts: a
/// neighbour on the machine makes a turn slower, never faster.
#[test]
fn time_is_linear_in_the_layers() {
    let chain = |layers: usize| {
        let layer = |builder: Builder, _| builder.dense(1).act(Activation::Tanh);
        let model = (0..layers).fold(Model::builder([1]), layer).loss(Loss::mse()).unwrap();
        let state = State::new(&context_with_own_tiles(), &model, Some(steady())).unwrap();
        (model, state)
    };
    let taken = |(model, state): &(Model, State)| {
        let start = ThreadTime::now();
        drop(
            Plan::new(&context_with_own_tiles(), model, state, 2, PlanOptions::training(Mode::HesScale))
                .unwrap(),
        );
        start.elapsed()
    };
    let chains = [300, 1200].map(chain);
    let mut least = [Duration::MAX; 2];
    for _ in 0..4 {
        least = [0, 1].map(|i| least[i].min(taken(&chains[i])));
    }
    let [few, many] = least;
    println!("{few:?} and {many:?}");
    assert!(many < 8 * few, "{few:?} and {many:?}");
}
