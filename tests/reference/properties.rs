//! Random models of every layer in any order.

use crate::common::relative_max_norm;
use crate::problem::{Problem, losses};
use hesscale::reference::{Dual, pass};
use hesscale::{Activation, Layer, Mode, Model};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// One layer of a random network; a width where it is dense.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Dense(usize, bool),
    Act(Activation),
    Flatten,
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        3 => (1..6_usize, any::<bool>()).prop_map(|(width, bias)| Choice::Dense(width, bias)),
        3 => prop::sample::select(&Activation::ALL[..]).prop_map(Choice::Act),
        1 => Just(Choice::Flatten),
    ]
}

/// Activations and flattening in front on an image-like input, then anything, then four logits, perhaps through an
/// activation. `widest` bounds every dense layer.
fn model(layers: &[Choice], loss: usize, outputs: usize, widest: usize) -> Model {
    let side = if widest == 1 { 1 } else { 2 };
    let mut builder = Model::builder([1, side, side]).act(Activation::Sin).layer(Layer::Flatten);
    for choice in layers {
        builder = match *choice {
            Choice::Dense(width, true) => builder.dense(width.min(widest)),
            Choice::Dense(width, false) => builder.dense_no_bias(width.min(widest)),
            // e^e^… is a network no one has, and nothing can be compared at 1e300.
            Choice::Act(Activation::Exp) => builder.act(Activation::Tanh).act(Activation::Exp),
            Choice::Act(activation) => builder.act(activation),
            Choice::Flatten => builder.layer(Layer::Flatten),
        };
    }
    builder.dense(outputs).loss(losses(outputs.max(2)).swap_remove(loss)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, rng_seed: RngSeed::Fixed(20), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gradient_is_the_slope_of_the_loss(
        layers in prop::collection::vec(choice(), 0..7),
        loss in 0..12_usize,
        batch in 1..5_usize,
        seed: u64,
    ) {
        let problem = Problem::new(model(&layers, loss, 4, 5), batch, seed);
        let gradient = problem.pass(Mode::None).gradient;
        let mut random = fastrand::Rng::with_seed(seed ^ 1);
        let v: Vec<f64> = gradient.iter().map(|_| random.f64() * 2.0 - 1.0).collect();
        let along: Vec<_> =
            problem.parameters.iter().zip(&v).map(|(p, v)| Dual { value: *p, slope: *v }).collect();
        let input: Vec<_> = problem.input.iter().map(|x| Dual::constant(*x)).collect();
        let slope = pass(&problem.model, Mode::None, &along, &input, problem.targets.view()).unwrap().loss.slope;
        let terms = || gradient.iter().zip(&v).map(|(g, v)| g * v);
        let size: f64 = terms().map(f64::abs).sum();
        prop_assert!((terms().sum::<f64>() - slope).abs() <= 1e-11 * size + 1e-300, "{} {}", terms().sum::<f64>(), slope);
    }

    #[test]
    fn chains_of_width_one_are_exact(
        layers in prop::collection::vec(choice(), 0..7),
        loss in 5..9_usize,
        batch in 1..5_usize,
        seed: u64,
    ) {
        let problem = Problem::new(model(&layers, loss, 1, 1), batch, seed);
        let exact = problem.exact();
        for mode in [Mode::HesScale, Mode::HesScaleR1, Mode::HesScaleR2] {
            let error = relative_max_norm(&problem.pass(mode).diagonal, &exact);
            prop_assert!(error < 1e-10, "{:?}: {:e}", mode, error);
        }
    }

    #[test]
    fn f32_follows_f64(
        layers in prop::collection::vec(choice(), 0..7),
        loss in 0..12_usize,
        seed: u64,
    ) {
        let problem = Problem::new(model(&layers, loss, 4, 5), 3, seed);
        let single = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        // The same problem, its numbers exact in f32, so that only the arithmetic differs.
        let (parameters, input) = (single(&problem.parameters), single(&problem.input));
        let double = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
        let problem = Problem { parameters: double(&parameters), input: double(&input), ..problem };
        for mode in Mode::ALL {
            let got = pass(&problem.model, mode, &parameters, &input, problem.targets.view()).unwrap();
            let want = problem.pass(mode);
            for (got, want) in [(got.gradient, want.gradient), (got.diagonal, want.diagonal)] {
                let error = relative_max_norm(&double(&got), &want);
                prop_assert!(error < 1e-4, "{:?}: {:e}", mode, error);
            }
        }
    }
}
