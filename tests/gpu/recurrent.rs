//! Recurrent layers: against the reference, in training, in plans of every kind.

use crate::harness::{CLASSES, Sample, context, networks_follow, networks_train, of_class};
use hesscale::model::{Conv1d, Gru, Lstm, PositionEmbedding};
use hesscale::{Activation, Error, Loss, Mode, Model, Plan, PlanOptions, State};

use Activation::Tanh;

/// Units by fours and such as are not; behind a convolution, an activation and nothing; all positions and the last one; two layers.
fn networks() -> Vec<(&'static str, Model)> {
    let gru = Model::builder([5, 9]).gru(13).layer(Conv1d::new(3, 1));
    let lstm = Model::builder([3, 6]).lstm(8).act(Tanh).lstm(7).last();
    let bare = Model::builder([15, 4]).layer(Gru::new(5)).layer(Conv1d::new(8, 1)).act(Tanh);
    let bare = bare.layer(Lstm::new(2).bias(false)).layer(Conv1d::new(12, 1)).act(Tanh);
    let bare = bare.layer(Gru::new(4).bias(false)).flatten();
    let beside = Model::builder([4, 7]).layer(Conv1d::new(8, 1)).residual(|b| b.gru(8)).lstm(4).last();
    vec![
        ("gru", gru.loss(Loss::mse()).unwrap()),
        ("two of lstm", lstm.dense(4).loss(Loss::cross_entropy()).unwrap()),
        ("bare", bare.dense(3).loss(Loss::mse()).unwrap()),
        ("beside", beside.dense(3).loss(Loss::cross_entropy()).unwrap()),
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
    let [gru, lstm, bare, beside] = [0, 1, 2, 3].map(|k| Sample::new(networks().swap_remove(k).1, 11, 4));
    gru.follows_in_plans_of_every_kind(0, &["0", "1"]);
    lstm.follows_in_plans_of_every_kind(1, &["1"]);
    bare.follows_in_plans_of_every_kind(2, &["3"]);
    beside.follows_in_plans_of_every_kind(3, &["0"]);
}

/// One position; one unit; as many units and samples as take several tiles and workgroups.
#[test]
fn sizes_of_every_kind() {
    for (gates, hidden, positions, batch) in
        [(3, 1, 1, 1), (4, 1, 3, 67), (3, 67, 3, 5), (4, 37, 2, 67), (3, 20, 30, 2), (4, 130, 2, 3)]
    {
        let model = Model::builder([gates * hidden, positions]).layer(PositionEmbedding::new());
        let model = if gates == 3 { model.layer(Gru::new(hidden)) } else { model.layer(Lstm::new(hidden)) };
        let sample = Sample::new(model.loss(Loss::mse().sum()).unwrap(), batch, 5);
        for (class, mode) in CLASSES.into_iter().zip([Mode::HesScaleR2, Mode::HesScale, Mode::HesScaleGn]) {
            let judged = sample.follows(&of_class(class), mode, &sample.places());
            judged.unwrap_or_else(|fault| panic!("{gates} {hidden} {positions}, {class:?}: {fault}"));
        }
    }
}

#[test]
fn what_has_no_room_is_refused() {
    let model = Model::builder([3 * 1024, 1 << 14]).layer(Gru::new(1024)).loss(Loss::mse()).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let refused = |batch| {
        Plan::new(&context(), &model, &state, batch, PlanOptions::training(Mode::HesScale)).unwrap_err()
    };
    let Error::Limit { place, limit, .. } = refused(16) else { panic!("another error") };
    assert_eq!((&*place, limit), ("gates of gru 0", "elements of one buffer"));
}
