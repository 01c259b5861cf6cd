//! PReLU: against the reference, in training, in parts of a batch, beside what is frozen.

use crate::harness::{Sample, context, networks_follow, networks_train};
use hesscale::model::{Conv2d, PRelu};
use hesscale::{Activation, Error, Loss, Mode, Model, Plan, PlanOptions, State};

/// A slope for each channel and one for all, of images whose channels are padded and of rows; behind an activation, a convolution
/// and nothing, before the loss.
fn networks() -> Vec<(&'static str, Model)> {
    let images = Model::builder([3, 7, 6]).layer(PRelu::new()).conv2d(10, 3).layer(PRelu::per_channel());
    let images =
        images.residual(|b| b.act(Activation::Tanh).layer(PRelu::new()).layer(Conv2d::new(10, 3).same()));
    let rows = Model::builder([19]).dense(37).layer(PRelu::per_channel()).dense(9).act(Activation::Tanh);
    let rows = rows.layer(PRelu::new()).dense(5).layer(PRelu::new());
    vec![
        ("images", images.flatten().dense(4).loss(Loss::cross_entropy()).unwrap()),
        ("rows", rows.loss(Loss::mse()).unwrap()),
    ]
}

#[test]
fn networks_follow_the_reference() {
    networks_follow(networks());
}

#[test]
fn training_follows_the_cpu() {
    networks_train(networks());
}

#[test]
fn in_plans_of_every_kind() {
    let [images, rows] = [0, 1].map(|k| Sample::new(networks().swap_remove(k).1, 11, 4));
    images.follows_in_plans_of_every_kind(0, &["0", "1"]);
    rows.follows_in_plans_of_every_kind(1, &["0"]);
}

/// Positions that several invocations share.
#[test]
fn large_images() {
    let builder = Model::builder([3, 90, 70]).layer(PRelu::new()).layer(PRelu::per_channel());
    let sample = Sample::new(builder.loss(Loss::mse().sum()).unwrap(), 3, 5);
    sample.follows(&context(), Mode::HesScaleR2, &[]).unwrap();
}

#[test]
fn too_many_numbers_for_one_slope() {
    let model = Model::builder([1024, 1025]).layer(PRelu::new()).loss(Loss::mse()).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let refused = Plan::new(&context(), &model, &state, 1, PlanOptions::training(Mode::None)).unwrap_err();
    let (place, limit) = ("prelu 0".into(), "numbers of a sample that share a slope");
    assert_eq!(refused, Error::Limit { place, limit, needed: 1_049_600, available: 1_048_576 });
    Plan::new(&context(), &model, &state, 1, PlanOptions::inference()).unwrap();
}
