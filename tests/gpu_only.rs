//! Trainers on a GPU in every class of device. Without the crate's feature `cpu`:
//! `cargo test --no-default-features --features vulkan,train --test gpu_only`.

use hesscale::model::{Init, MaxPool2d, Targets};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, Context, ContextOptions, Error, Loss, Model, Optimizer, Request};

const BATCH: usize = 40;

/// Layers of unlike sizes.
fn models() -> [Model; 2] {
    let tanh = Activation::Tanh;
    let dense = Model::builder([70]).dense(130).act(tanh).dense(257).act(tanh).dense(5);
    let images = Model::builder([3, 9, 9]).conv2d(8, 3).act(tanh).layer(MaxPool2d::new(2)).flatten().dense(5);
    [dense, images].map(|builder| builder.loss(Loss::cross_entropy()).expect("a valid model"))
}

fn context(class: DeviceClass) -> Context {
    let own = pollster::block_on(Context::request_with(&Request::from_env())).expect("an adapter");
    Context::from_device(own.device(), own.queue(), ContextOptions::default().class(class))
}

fn on(class: DeviceClass, model: &Model, optimizer: Optimizer) -> Trainer {
    Trainer::new(&context(class), model, optimizer, TrainerOptions::default()).expect("a trainer")
}

/// The first and the last loss of eight steps, and the parameters then.
fn trained(model: &Model, mut trainer: Trainer) -> ([f32; 2], Vec<f32>) {
    let input: Vec<f32> =
        (0..BATCH * model.inputs()).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect();
    let classes: Vec<u32> = (0..BATCH as u32).map(|i| i * 7 % 5).collect();
    let mut losses = Vec::new();
    for _ in 0..8 {
        trainer.step(&input, Targets::Classes(&classes)).expect("a step");
        losses.push(trainer.loss().expect("no divergence"));
    }
    ([losses[0], losses[7]], trainer.parameters().expect("parameters"))
}

/// |a - b| / |b|
fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let pairs = a.iter().zip(b);
    norm(&mut pairs.map(|(a, b)| f64::from(a - b))) / norm(&mut b.iter().map(|b| f64::from(*b)))
}

#[test]
fn trainers_of_every_class_train_alike() {
    let optimizers = [Optimizer::adam(1e-3), Optimizer::ada_hesscale(1e-3).eps(1e-4)];
    for (model, optimizer) in models().iter().flat_map(|m| optimizers.map(|o| (m, o))) {
        let begin = model.init(Init::default(), TrainerOptions::default().seed).expect("memory");
        let ([first, last], software) = trained(model, on(DeviceClass::Software, model, optimizer));
        assert!(last < first, "{first} to {last}");
        assert!(distance(&software, &begin) > 1e-3, "parameters stand still");
        let mut others: Vec<(String, Trainer)> = Vec::new();
        for class in [DeviceClass::Integrated, DeviceClass::Discrete] {
            others.push((format!("{class:?}"), on(class, model, optimizer)));
        }
        #[cfg(feature = "cpu")]
        others.push((
            "CPU".into(),
            Trainer::on_cpu(model, optimizer, TrainerOptions::default()).expect("a trainer"),
        ));
        for (path, trainer) in others {
            let (losses, parameters) = trained(model, trainer);
            let off = distance(&parameters, &software);
            assert!(off < 1e-4, "{path}: {off}");
            assert!((losses[1] - last).abs() < 1e-4 * first, "{path}: {losses:?}, not {last}");
        }
    }
}

#[test]
fn an_adapter_that_is_not_there_is_named() {
    let request = Request::default().adapter("no such adapter".to_string());
    let [model, _] = models();
    let trainer = Trainer::request_with(&request, &model, Optimizer::adam(1e-3), TrainerOptions::default());
    let error = pollster::block_on(trainer).expect_err("no adapter has that name");
    assert!(
        matches!(&error, Error::NoAdapter { .. }) && error.to_string().contains("no such adapter"),
        "{error}"
    );
}

/// There is no CPU path to fall back on.
#[cfg(not(feature = "cpu"))]
#[test]
fn without_a_gpu_there_is_no_trainer() {
    let [model, _] = models();
    let request = Request::default();
    let trainer = Trainer::request_with(&request, &model, Optimizer::adam(1e-3), TrainerOptions::default());
    match (pollster::block_on(Context::hardware(&request)), pollster::block_on(trainer)) {
        (Ok(_), trainer) => drop(trainer.expect("there is a GPU")),
        (Err(_), trainer) => assert!(matches!(trainer, Err(Error::NoAdapter { .. })), "{trainer:?}"),
    }
}
