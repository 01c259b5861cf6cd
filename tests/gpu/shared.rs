//! Parameters that several layers use: against the reference, in training, in plans of every kind.

use crate::harness::{Sample, networks_follow, networks_train};
use hesscale::model::{Conv1d, Conv2d, GroupNorm, LayerNorm, PRelu};
use hesscale::{Activation, Context, Error, Loss, Mode, Model, Plan, PlanOptions, State};

use Activation::{Relu, Tanh};

/// Steps of a recurrence, wider than a tile; convolutions, slopes and norms; words that a sample's two halves share.
fn networks() -> Vec<(&'static str, Model)> {
    let steps = Model::builder([37]).dense(70).act(Tanh).name("x").dense(70).act(Tanh);
    let steps = steps.shared("3").act(Tanh).plus("x").shared("3").act(Tanh).dense(5);
    let same = |channels| Conv2d::new(channels, 3).same();
    let images =
        Model::builder([3, 9, 7]).layer(same(6)).layer(PRelu::per_channel()).layer(same(6)).act(Relu);
    let images =
        images.shared("2").shared("1").residual(|b| b.shared("2").act(Tanh).layer(GroupNorm::new(3)));
    let images = images.act(Tanh).shared("6.body.2").layer(Conv2d::new(6, 3).groups(6)).shared("9");
    let line = |channels| Conv1d::new(channels, 1);
    let words = Model::builder([11]).embedding(13, 8).name("words").layer(line(8)).act(Tanh);
    let words = words.layer(LayerNorm::of_channels()).shared("2").act(Tanh).shared("4").plus("words");
    let table = Model::builder([10]).embedding(13, 6).name("one").act(Tanh).name("bent").from("one");
    vec![
        ("steps", steps.loss(Loss::cross_entropy()).unwrap()),
        ("images", images.flatten().dense(3).loss(Loss::mse()).unwrap()),
        ("words", words.layer(line(5)).loss(Loss::cross_entropy()).unwrap()),
        (
            "a gate",
            table
                .multiply("bent")
                .layer(line(6))
                .act(Tanh)
                .shared("6")
                .flatten()
                .dense(2)
                .loss(Loss::mse())
                .unwrap(),
        ),
    ]
}

#[test]
fn networks_follow_the_reference() {
    let networks = networks().into_iter().filter(|(name, _)| *name != "words");
    networks_follow(networks);
}

#[test]
fn words_follow_the_reference() {
    let (_, words) = networks().swap_remove(2);
    let sample = Sample::new(words, 5, 3);
    for (mode, class) in
        [Mode::HesScale, Mode::HesScaleGn, Mode::None].into_iter().zip(crate::harness::CLASSES)
    {
        let judged = sample.follows(&crate::harness::of_class(class), mode, &[]);
        judged.unwrap_or_else(|fault| panic!("{mode:?}: {fault}"));
    }
}

#[test]
fn training_follows_the_cpu() {
    networks_train(networks());
}

#[test]
fn plans_of_every_kind() {
    for (turn, (_, model)) in networks().into_iter().take(2).enumerate() {
        Sample::new(model, 9, 5).follows_in_plans_of_every_kind(turn, &["0"]);
    }
    let (_, model) = networks().swap_remove(0);
    Sample::new(model, 9, 5).follows_in_plans_of_every_kind(2, &["3"]);
}

/// One kernel for a whole network sums each layer's gradient by itself.
#[test]
fn a_whole_network_has_none() {
    let model = Model::builder([6]).dense(6).act(Tanh).shared("0").loss(Loss::mse()).unwrap();
    let context: Context = crate::harness::context();
    let state = State::new(&context, &model, None).unwrap();
    let plan = |whole| {
        Plan::new(&context, &model, &state, 4, PlanOptions::training(Mode::HesScale).whole_network(whole))
    };
    let refused = plan(true).unwrap_err();
    assert!(matches!(&refused, Error::Unsupported { layer, .. } if layer == "shared 2"), "{refused:?}");
    plan(false).unwrap();
}
