//! Sizes of images: channels around vectors, one sample and many, windows larger than the image, more positions than a
//! single sum may have; losses at every position.

use crate::harness::{Sample, context, context_with_own_tiles, share_from};
use crate::layers::norm;
use crate::problem::losses;
use hesscale::model::{AvgPool2d, Conv1d, Conv2d, MaxPool2d, Reduction};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Context, Error, Layer, Loss, Mode, Model, Optimizer, Plan, PlanOptions, State};

fn follow(name: &str, sample: &Sample, modes: &[Mode]) {
    follow_on(&context(), name, sample, modes);
}

fn follow_on(context: &Context, name: &str, sample: &Sample, modes: &[Mode]) {
    for mode in modes {
        for places in [sample.places(), Vec::new()] {
            if let Err(fault) = sample.follows(context, *mode, &places) {
                panic!("{name}, {mode:?}, {} signals kept: {fault}", places.len());
            }
        }
    }
}

const MODES: [Mode; 3] = [Mode::None, Mode::HesScale, Mode::HesScaleR2];

fn squared() -> Loss {
    Loss::Mse { reduction: Reduction::Sum }
}

#[test]
fn channels_at_the_edges_of_vectors() {
    for (inputs, outputs, batch) in [(1, 1, 1), (1, 3, 67), (5, 33, 2), (33, 5, 67), (65, 33, 1), (3, 65, 5)]
    {
        let builder =
            Model::builder([inputs, 5, 4]).act(Activation::Tanh).layer(Conv2d::new(outputs, 3).same());
        let sample = Sample::new(builder.loss(squared()).unwrap(), batch, 1);
        let name = format!("{batch} x {inputs} to {outputs}");
        follow_on(&context_with_own_tiles(), &name, &sample, &MODES[2..]);
    }
}

#[test]
fn windows_larger_than_the_image() {
    let builder = || Model::builder([3, 3, 2]).conv2d(4, 1).act(Activation::Tanh);
    for (name, layer) in [
        ("7x7", Conv2d::new(5, 7).padding(3)),
        ("one position", Conv2d::new(5, [5, 4]).padding(1)),
        ("far apart", Conv2d::new(5, 2).padding(2).dilation([4, 5])),
        ("by itself", Conv2d::new(4, [5, 6]).padding(3).groups(4)),
        ("far steps", Conv2d::new(5, 2).padding([4, 3]).stride([7, 3])),
    ] {
        let model =
            builder().layer(layer).act(Activation::Softplus).flatten().dense(3).loss(squared()).unwrap();
        follow(name, &Sample::new(model, 2, 1), &MODES[1..]);
    }
}

/// More than 65,535 positions in one sample: loops and sums are split.
#[test]
fn large_images() {
    let builder = Model::builder([1, 300, 300]).layer(Conv2d::new(2, 3).same()).act(Activation::Tanh);
    let modes = |name: &str, model: Model, batch| {
        for mode in share_from(MODES, 2, batch) {
            let sample = Sample::new(model.clone(), batch, 3);
            let context = if mode == Mode::HesScaleR2 { context_with_own_tiles() } else { context() };
            sample.follows(&context, mode, &[]).unwrap_or_else(|fault| panic!("{name}, {mode:?}: {fault}"));
        }
    };
    let pooled = builder.clone().layer(Layer::global_avg_pool()).flatten().dense(3);
    modes("a global pool", pooled.loss(Loss::cross_entropy()).unwrap(), 2);
    let mixed = builder.clone().layer(Conv2d::new(2, 3).groups(2)).layer(norm(2)).act(Activation::Softplus);
    let mixed = mixed.layer(MaxPool2d::new(3).stride(2)).layer(AvgPool2d::new(30)).flatten().dense(3);
    modes("depthwise and norm", mixed.loss(Loss::cross_entropy()).unwrap(), 2);
    modes("one pixel a position", builder.loss(squared()).unwrap(), 1);
    let line = Model::builder([1, 70_000]).layer(Conv1d::new(2, 4).stride(1)).act(Activation::Tanh);
    modes(
        "a sequence",
        line.layer(Conv1d::new(1, 9).stride(40)).flatten().dense(2).loss(squared()).unwrap(),
        1,
    );
}

/// A network from images to images.
fn segmenting(loss: impl Into<Loss>) -> Model {
    let builder = Model::builder([2, 5, 7]).layer(Conv2d::new(6, 3).same()).act(Activation::Tanh);
    builder.layer(Conv2d::new(4, 1)).loss(loss).unwrap()
}

#[test]
fn losses_at_every_position() {
    for (i, loss) in losses(4).into_iter().enumerate().take(9) {
        // HesScale-R has no rule for the first, and for the second takes the largest of many that are equal but for their last
        // digits.
        let plain = matches!(loss, Loss::SoftmaxCrossEntropy { .. } | Loss::BceWithLogits { .. });
        let sample = Sample::new(segmenting(loss), 3, 5);
        let modes = Mode::ALL.into_iter().filter(|mode| mode.rank() == 0 || !plain);
        follow(&format!("loss {i}"), &sample, &modes.collect::<Vec<_>>());
    }
}

#[test]
fn low_rank_at_every_position_is_refused() {
    let model = segmenting(Loss::cross_entropy());
    let state = State::new(&context(), &model, None).unwrap();
    for mode in [Mode::HesScaleR1, Mode::HesScaleR2] {
        let kind = format!("{} with a cross-entropy at each of 35 positions", mode.name());
        let error = Error::Unsupported { layer: "loss".into(), kind };
        let plan = Plan::new(&context(), &model, &state, 2, PlanOptions::training(mode));
        assert_eq!(plan.map(|_| ()), Err(error.clone()));
        let options = TrainerOptions::default().mode(mode);
        let trainer = Trainer::new(&context(), &model, Optimizer::ada_hesscale(0.1), options);
        assert_eq!(trainer.map(|_| ()), Err(error));
    }
    assert!(Plan::new(&context(), &model, &state, 2, PlanOptions::inference()).is_ok());
}
