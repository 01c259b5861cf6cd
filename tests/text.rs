//! The example `text`: its networks reach the loss that they reach in `f64`.
#![allow(dead_code)] // what only the example itself uses

#[path = "../examples/text/corpus.rs"]
mod corpus;
#[path = "../examples/text/model.rs"]
mod model;

use corpus::{Corpus, Pieces};
use hesscale::model::{Init, OptimizerState, Rule, Targets};
use hesscale::reference::pass;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Context, Model, Optimizer, Request};
use model::{Kind, Sizes, network};

const STEPS: usize = 80;

/// The loss of each step.
fn in_f64(model: &Model, optimizer: Optimizer, parameters: &[f32], steps: &[Pieces]) -> Vec<f64> {
    let mut parameters: Vec<f64> = parameters.iter().map(|w| f64::from(*w)).collect();
    let mut state = OptimizerState::new(model.flat_len());
    let step = |pieces: &Pieces| {
        let x: Vec<f64> = pieces.inputs.iter().map(|c| f64::from(*c)).collect();
        let targets = Targets::Classes(&pieces.next);
        let pass = pass(model, optimizer.rule.mode(), &parameters, &x, targets).unwrap();
        state.step(&optimizer, &mut parameters, &pass.gradient, &pass.diagonal).unwrap();
        pass.loss
    };
    steps.iter().map(step).collect()
}

#[test]
fn a_transformer_reaches_the_loss_that_it_reaches_in_f64() {
    reaches_the_loss_in_f64(Kind::Transformer);
}

#[test]
fn recurrent_layers_reach_the_loss_that_they_reach_in_f64() {
    reaches_the_loss_in_f64(Kind::Gru);
    reaches_the_loss_in_f64(Kind::Lstm);
}

fn reaches_the_loss_in_f64(kind: Kind) {
    let corpus = Corpus::new();
    let sizes = Sizes { characters: corpus.size(), length: 12, width: 16, heads: 2, blocks: 2 };
    let model = network(kind, sizes).unwrap();
    let parameters = model.init(Init::Auto, 3).unwrap();
    let mut random = fastrand::Rng::with_seed(2);
    let steps: Vec<Pieces> = (0..STEPS).map(|_| corpus.pieces(6, sizes.length, &mut random)).collect();
    let context = pollster::block_on(Context::request_with(&Request::from_env())).expect("an adapter");
    for optimizer in
        [Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(1e-3), Optimizer::adam(3e-3)]
    {
        let want = in_f64(&model, optimizer, &parameters, &steps);
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&want[..5]), mean(&want[STEPS - 10..]));
        assert!(last < 0.9 * first, "{first} to {last}");
        let trainers = [
            Trainer::on_cpu(&model, optimizer, TrainerOptions::default()),
            Trainer::new(&context, &model, optimizer, TrainerOptions::default()),
        ];
        for trainer in trainers {
            let mut trainer = trainer.unwrap();
            trainer.set_parameters(&parameters).unwrap();
            let step = |pieces: &Pieces| {
                trainer.step(&pieces.inputs, Targets::Classes(&pieces.next)).unwrap();
                f64::from(trainer.loss().unwrap())
            };
            let got: Vec<f64> = steps.iter().map(step).collect();
            let got = mean(&got[STEPS - 10..]);
            println!("{}: {first:.4} to {got:.4}, in f64 {last:.4}", optimizer.rule.name());
            assert!((got - last).abs() < 2e-3 * last, "{got}, in f64 {last}");
        }
    }
}
