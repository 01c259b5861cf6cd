//! Attention, and the learned positions before it: against the reference, in training, in plans of every kind.

use crate::harness::{CLASSES, Sample, context, networks_follow, networks_train, of_class};
use hesscale::model::{Attention, Conv1d, LayerNorm, PositionEmbedding, RmsNorm};
use hesscale::{Activation, Error, Loss, Mode, Model, Plan, PlanOptions, State};

use Activation::{Gelu, Tanh};

/// Heads of whole vec4s and such as are not; behind an activation, a convolution and nothing; of sequences and images; a block as
/// Transformers have it.
fn networks() -> Vec<(&'static str, Model)> {
    let line = |channels| Conv1d::new(channels, 1);
    let block = Model::builder([5, 19]).layer(line(8)).layer(PositionEmbedding::new());
    let block = block.residual(|b| {
        b.layer(LayerNorm::of_channels()).layer(line(24)).layer(Attention::new(2).causal(true)).layer(line(8))
    });
    let block =
        block.residual(|b| b.layer(LayerNorm::of_channels()).layer(line(13)).act(Gelu).layer(line(8)));
    let odd = Model::builder([9, 7]).layer(Attention::new(3)).layer(line(18)).act(Tanh);
    let odd = odd.layer(Attention::new(2)).layer(PositionEmbedding::new()).act(Tanh);
    let images = Model::builder([2, 5, 4]).layer(PositionEmbedding::new()).conv2d(24, 2).act(Tanh);
    let images = images.layer(Attention::new(1)).act(Tanh);
    vec![
        ("a block", block.layer(line(6)).loss(Loss::mse()).unwrap()),
        ("odd", odd.flatten().dense(4).loss(Loss::cross_entropy()).unwrap()),
        ("images", images.flatten().dense(3).loss(Loss::mse()).unwrap()),
    ]
}

#[test]
fn networks_follow_the_reference() {
    networks_follow(networks());
}

/// Words, of which each position tells the next.
#[test]
fn a_language_model_follows_the_reference() {
    let line = |channels| Conv1d::new(channels, 1);
    let model = Model::builder([21]).embedding(11, 12).layer(PositionEmbedding::new()).residual(|b| {
        b.layer(RmsNorm::of_channels()).layer(line(36)).layer(Attention::new(3).causal(true)).layer(line(12))
    });
    let model = model.layer(LayerNorm::of_channels()).layer(line(11)).loss(Loss::cross_entropy()).unwrap();
    let sample = Sample::new(model, 5, 3);
    for (mode, class) in [Mode::HesScale, Mode::HesScaleGn, Mode::None].into_iter().zip(CLASSES) {
        sample.follows(&of_class(class), mode, &[]).unwrap_or_else(|fault| panic!("{mode:?}: {fault}"));
    }
}

#[test]
fn training_follows_the_cpu() {
    networks_train(networks());
}

#[test]
fn in_plans_of_every_kind() {
    let [block, odd, images] = [0, 1, 2].map(|k| Sample::new(networks().swap_remove(k).1, 11, 4));
    block.follows_in_plans_of_every_kind(0, &["0", "1"]);
    odd.follows_in_plans_of_every_kind(1, &["1"]);
    images.follows_in_plans_of_every_kind(2, &["0"]);
}

/// One position, and as many as any number of invocations shares.
#[test]
fn positions_of_every_number() {
    for (positions, width, causal) in [(1, 4, true), (17, 3, false), (65, 4, true), (300, 1, true)] {
        let model = Model::builder([6 * width, positions]).layer(Attention::new(2).causal(causal));
        let sample = Sample::new(model.loss(Loss::mse().sum()).unwrap(), 2, 5);
        for class in CLASSES {
            let judged = sample.follows(&of_class(class), Mode::HesScaleR2, &sample.places());
            judged.unwrap_or_else(|fault| panic!("{positions}, {class:?}: {fault}"));
        }
    }
}

#[test]
fn what_has_no_room_is_refused() {
    let refused = |shape: [usize; 2], batch| {
        let model = Model::builder(shape).layer(Attention::new(1)).loss(Loss::mse()).unwrap();
        let state = State::new(&context(), &model, None).unwrap();
        Plan::new(&context(), &model, &state, batch, PlanOptions::training(Mode::HesScale)).unwrap_err()
    };
    let Error::Limit { place, limit, needed, .. } = refused([3, 9_000], 16) else { panic!("another error") };
    assert_eq!(
        (&*place, limit, needed),
        ("weights of attention 0", "elements of one buffer", 16 * 81_000_000)
    );
    let Error::Limit { place, limit, needed, .. } = refused([3, 20_000], 1) else { panic!("another error") };
    assert_eq!(
        (&*place, limit, needed),
        ("attention 0", "loops of an invocation, over positions and the width of a head", 102_500)
    );
}
