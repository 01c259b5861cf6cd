//! The trainer on the processor, and how a trainer decides where it trains.

use crate::common::{compare, to_f64};
use hesscale::model::{Conv2d, Init, MaxPool2d, Noise, Targets};
use hesscale::reference::{OptimizerState, pass_with_noise};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Context, Error, Loss, Mode, Model, Optimizer, Request};

const BATCH: usize = 12;

fn model() -> Model {
    let body = Model::builder([2, 8, 8]).layer(Conv2d::new(6, 3)).act(Activation::Tanh);
    let body = body.layer(MaxPool2d::new(2)).dropout(0.2).flatten().dense(20).act(Activation::Tanh);
    body.dense(3).loss(Loss::cross_entropy()).unwrap()
}

/// Batch `step`; every third is smaller.
fn batch(step: usize) -> (Vec<f32>, Vec<u32>) {
    let mut random = fastrand::Rng::with_seed(step as u64);
    let samples = if step % 3 == 2 { 5 } else { BATCH };
    let x = (0..samples * 128).map(|_| random.f32() * 2.0 - 1.0).collect();
    (x, (0..samples).map(|_| random.u32(..3)).collect())
}

fn options() -> TrainerOptions {
    TrainerOptions::default().seed(3).init(Init::Glorot).curvature_every(2).threads(2)
}

/// Ten steps beside the referee's in f64. Products sum in another order than its plain loops, so that bits differ.
#[test]
fn steps_follow_the_reference() {
    let optimizer = Optimizer::ada_hesscale(0.003);
    let mut trainer = Trainer::on_cpu(&model(), optimizer, options()).unwrap();
    let model = trainer.model().clone();
    let mut parameters = to_f64(&trainer.parameters().unwrap());
    let mut memory = OptimizerState::new(parameters.len());
    for step in 0..10 {
        let (x, y) = batch(step);
        trainer.step(&x, Targets::Classes(&y)).unwrap();
        let mode = if step % 2 == 0 { Mode::HesScale } else { Mode::None };
        let noise = Noise { seed: 3, step: step as u32 };
        let pass =
            pass_with_noise(&model, mode, &parameters, &to_f64(&x), Targets::Classes(&y), noise).unwrap();
        compare(&format!("loss {step}"), &[trainer.loss().unwrap().into()], &[pass.loss], 1e-4).unwrap();
        memory.step(&optimizer, &mut parameters, &pass.gradient, &pass.diagonal).unwrap();
    }
    compare("parameters", &to_f64(&trainer.parameters().unwrap()), &parameters, 1e-3).unwrap();
    let x = batch(0).0;
    let want = hesscale::reference::predict(&model, &to_f64(&trainer.parameters().unwrap()), &to_f64(&x));
    compare("outputs", &to_f64(&trainer.predict(&x).unwrap()), &want.unwrap(), 1e-5).unwrap();
}

/// The same number of threads gives the same bits, also where batches came in another order before.
#[test]
fn the_same_bits_every_time() {
    let train = |threads, warm: &[usize]| {
        let optimizer = Optimizer::ada_hesscale(0.01);
        let mut trainer = Trainer::on_cpu(&model(), optimizer, options().threads(threads)).unwrap();
        for step in warm {
            let (x, _) = batch(*step);
            trainer.predict(&x).unwrap();
        }
        for step in 0..7 {
            let (x, y) = batch(step);
            trainer.step(&x, Targets::Classes(&y)).unwrap();
        }
        trainer.parameters().unwrap()
    };
    for threads in [1, 2, 3] {
        let first = train(threads, &[]);
        assert_eq!(train(threads, &[2, 0]), first);
        compare("one thread", &to_f64(&first), &to_f64(&train(1, &[])), 1e-3).unwrap();
    }
    assert!(matches!(
        Trainer::on_cpu(&model(), Optimizer::sgd(0.1), options().threads(0)),
        Err(Error::ZeroSize { .. })
    ));
}

/// A GPU if there is one, else the processor; what has a name is used whatever it is, or refused.
#[test]
fn a_trainer_decides() {
    let request = |adapter: Option<String>| {
        let request = Request { adapter, ..Request::default() };
        pollster::block_on(Trainer::request_with(&request, &model(), Optimizer::sgd(0.1), options()))
    };
    let device = request(None).unwrap().device();
    match pollster::block_on(Context::hardware(&Request::default())) {
        Ok(context) => assert_eq!(device, context.describe()),
        Err(error) => {
            assert!(matches!(error, Error::NoAdapter { .. }), "{error}");
            assert_eq!(device, "CPU, 2 threads");
        }
    }
    let refused = request(Some("an adapter of this name".into()));
    assert!(matches!(refused, Err(Error::NoAdapter { .. })));
    if let Some(name) = pollster::block_on(Context::adapters()).into_iter().next() {
        assert_eq!(request(Some(name.clone())).unwrap().device(), name);
    }
}
