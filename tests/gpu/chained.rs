//! Two models in a row, trained as one.

use crate::common::{compare, to_f64};
use crate::harness::{BOUND, Sample, context, submit};
use hesscale::model::{Conv2d, MaxPool2d, Rule};
use hesscale::{Activation, At, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State};

const TANH: Activation = Activation::Tanh;

/// The whole, and its two parts.
fn networks() -> Vec<[Model; 3]> {
    let dense = |m: hesscale::model::Builder| m.dense(12).act(TANH).dense(6).act(TANH);
    let ending =
        |m: hesscale::model::Builder| m.dense(9).act(TANH).dense(4).loss(Loss::cross_entropy()).unwrap();
    let image = |m: hesscale::model::Builder| m.layer(Conv2d::new(5, 3).same()).act(TANH);
    let images_end = |m: hesscale::model::Builder| {
        let m = m.layer(Conv2d::new(3, 2)).act(TANH).layer(MaxPool2d::new(2)).flatten();
        m.dense(4).loss(Loss::cross_entropy()).unwrap()
    };
    let (rows, pixels) = (|| Model::builder([7]), || Model::builder([2, 6, 5]));
    vec![
        [ending(dense(rows())), dense(rows()).loss(Loss::external()).unwrap(), ending(Model::builder([6]))],
        [
            images_end(image(pixels())),
            image(pixels()).loss(Loss::external()).unwrap(),
            images_end(Model::builder([5, 6, 5])),
        ],
    ]
}

#[test]
fn two_models_in_a_row_train_as_one() {
    let rule = |eps| Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps };
    let (context, optimizer): (_, Optimizer) = (context(), rule(1e-2).at(1e-2));
    for [whole, first, second] in networks() {
        let sample = Sample::new(whole, 40, 5);
        let (mine, rest) = sample.parameters.split_at(first.flat_len());
        for mode in [Mode::HesScale, Mode::HesScaleR2] {
            let state = |model: &Model, parameters: &[f32]| {
                let state = State::new(&context, model, Some(optimizer)).unwrap();
                state.write_parameters(parameters).unwrap();
                state
            };
            let states =
                [state(&first, mine), state(&second, rest), state(&sample.model, &sample.parameters)];
            let options = || PlanOptions::training(mode);
            let one = Plan::new(&context, &first, &states[0], 40, options()).unwrap();
            let reads = options().input(one.logits()).signal(At::Input);
            let two = Plan::new(&context, &second, &states[1], 40, reads).unwrap();
            let all = Plan::new(&context, &sample.model, &states[2], 40, options()).unwrap();
            for plan in [&one, &all] {
                plan.write_input(&sample.x).unwrap();
            }
            for plan in [&two, &all] {
                plan.write_targets(sample.targets.view()).unwrap();
            }
            let (from, to) = (two.signal_planes(At::Input).unwrap(), one.outside_signal().unwrap().planes());
            assert_eq!(from.shape(), to.shape());
            submit(&context, |encoder| {
                for _ in 0..5 {
                    one.record_forward(encoder);
                    two.record_step(encoder, Pass::FULL).unwrap();
                    let (source, bytes) = (from.bytes(), to.bytes());
                    let size = bytes.end - bytes.start;
                    encoder.copy_buffer_to_buffer(
                        from.buffer(),
                        source.start,
                        to.buffer(),
                        bytes.start,
                        size,
                    );
                    one.record_backward_step(encoder, Pass::FULL).unwrap();
                    all.record_step(encoder, Pass::FULL).unwrap();
                }
            });
            let tensors = [states[0].parameters(), states[1].parameters(), states[2].parameters()];
            let read = context.read_blocking(&tensors).unwrap();
            let apart = [&read[0][..first.flat_len()], &read[1][..second.flat_len()]].concat();
            let want = to_f64(&read[2][..sample.model.flat_len()]);
            compare("parameters", &to_f64(&apart), &want, BOUND).unwrap_or_else(|e| panic!("{mode:?}: {e}"));
            // Each part has moved, and by nothing small beside the bound.
            for p in sample.model.parameters() {
                let moved =
                    compare(&p.name(), &want[p.range()], &to_f64(&sample.parameters[p.range()]), 1e-3);
                assert!(moved.is_err(), "{mode:?}: {} stands still", p.name());
            }
        }
    }
}
