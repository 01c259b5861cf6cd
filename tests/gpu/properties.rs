//! Random models of any layers in any order with random sizes, with every device class's kernels: the GPU against the f64
//! reference.

use crate::common::{relative_max_norm, to_f64};
use crate::harness::{BOUND, Sample, context, of_class, spared};
use crate::problem::losses;
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, At, Layer, Mode, Model, PlanOptions};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// One layer of a random network; widths come from a short list, because every tile shape is a shader to compile.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Dense(usize, bool),
    Act(Activation),
    Flatten,
}

fn width() -> impl Strategy<Value = usize> {
    prop::sample::select(&[1_usize, 3, 4, 8, 17, 32][..])
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        5 => (width(), any::<bool>()).prop_map(|(width, bias)| Choice::Dense(width, bias)),
        5 => prop::sample::select(&Activation::ALL[..]).prop_map(Choice::Act),
        1 => Just(Choice::Flatten),
    ]
}

/// Any layers, then four logits (through `last` where there is one).
fn model(inputs: usize, layers: &[Choice], last: Option<Activation>, loss: usize) -> Model {
    let mut builder = Model::builder([inputs]);
    let act = |builder: hesscale::model::Builder, activation| match activation {
        // Repeated exp overflows.
        Activation::Exp => builder.act(Activation::Tanh).act(Activation::Exp),
        activation => builder.act(activation),
    };
    for choice in layers {
        builder = match *choice {
            Choice::Dense(width, true) => builder.dense(width),
            Choice::Dense(width, false) => builder.dense_no_bias(width),
            Choice::Act(activation) => act(builder, activation),
            Choice::Flatten => builder.layer(Layer::Flatten),
        };
    }
    builder = builder.dense(4);
    if let Some(activation) = last {
        builder = act(builder, activation);
    }
    builder.loss(losses(4).swap_remove(loss)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if spared() { 20 } else { 40 },
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        max_shrink_iters: 20,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_models_follow_the_reference(
        // A single input leaves sums of one term: where those cancel, no larger number hides the error.
        inputs in prop::sample::select(&[3_usize, 4, 8, 17, 32][..]),
        layers in prop::collection::vec(choice(), 0..4),
        last in prop::option::weighted(0.3, prop::sample::select(&Activation::ALL[..])),
        loss in 0..12_usize,
        mode in prop::sample::select(&Mode::ALL[..]),
        batch in prop::sample::select(&[1_usize, 2, 5, 16, 33][..]),
        kept in any::<u16>(),
        class in prop::sample::select(&DeviceClass::ALL[..]),
        joined in prop::option::of(any::<bool>()),
        seed: u64,
    ) {
        let sample = Sample::new(model(inputs, &layers, last, loss), batch, seed);
        // A third of the places, and none at all every other time.
        let places: Vec<At> = std::iter::once(At::Input)
            .chain((0..sample.model.layers().len()).map(At::Layer))
            .enumerate()
            .filter(|(i, _)| kept % 2 == 0 && (kept >> (i + 1)) % 3 == 0)
            .map(|(_, at)| at)
            .collect();
        let mut options = PlanOptions::training(mode);
        // Every other one layer by layer, where a GPU would take small networks as a whole.
        (options.fewer_dispatches, options.whole_network) = (joined, (kept >> 15 == 1).then_some(false));
        if let Err(fault) = sample.follows_by(&of_class(class), options.clone(), &places) {
            let json = sample.model.to_json();
            prop_assert!(false, "{:?} {:?} {} signals {:?}: {}", class, options, json, places, fault);
        }
    }
}

/// Both halves of a fused pair, and every other order of two layers, in one pass each.
#[test]
fn orders_of_layers() {
    use Activation::{Relu, Softplus, Tanh};
    let builder = || Model::builder([5]);
    let ends = [
        ("dense after dense", builder().dense(7).dense_no_bias(4)),
        ("two activations", builder().dense(7).act(Tanh).act(Softplus).dense(4)),
        ("the same kept by its output", builder().dense(7).act(Relu).act(Tanh).dense(4)),
        ("activation first", builder().act(Softplus).dense(4)),
        ("two activations first", builder().act(Tanh).act(Softplus).dense(4)),
        ("activation before the loss", builder().dense(4).act(Tanh)),
        ("two before the loss", builder().dense(4).act(Softplus).act(Tanh)),
        (
            "flatten everywhere",
            builder().layer(Layer::Flatten).dense(4).layer(Layer::Flatten).act(Tanh).layer(Layer::Flatten),
        ),
        ("no parameters", Model::builder([4]).act(Tanh).act(Softplus)),
    ];
    for (name, builder) in ends {
        let model = builder.loss(losses(4).swap_remove(1)).unwrap();
        let sample = Sample::new(model, 6, 1);
        let mut all: Vec<At> = (0..sample.model.layers().len()).map(At::Layer).collect();
        all.push(At::Input);
        for mode in [Mode::HesScale, Mode::HesScaleR2] {
            for places in [&[][..], &all[..], &[At::Input], &all[..1]] {
                sample
                    .follows(&context(), mode, places)
                    .unwrap_or_else(|fault| panic!("{name}, {mode:?}, {places:?}: {fault}"));
            }
        }
    }
}

/// The comparison of this module finds a planted error.
#[test]
fn a_planted_error_is_found() {
    let model = Model::builder([3]).dense(4).loss(losses(4).swap_remove(0)).unwrap();
    let mut sample = Sample::new(model, 5, 2);
    let want = sample.reference(Mode::HesScale);
    sample.parameters[7] += 1e-3;
    let got = sample.on(&context(), PlanOptions::training(Mode::HesScale));
    let p = sample.model.parameters()[0].range();
    assert!(relative_max_norm(&to_f64(&got.gradient[p.clone()]), &want.gradient[p.clone()]) > BOUND);
    assert!(relative_max_norm(&to_f64(&got.diagonal[p.clone()]), &want.diagonal[p]) > BOUND);
}
