//! Several contexts and trainers at once: sharing is safe and does not change results.

use crate::common::{Owner, bits, model, step, train, trainer};
use hesscale::model::Conv2d;
use hesscale::train::{Dataset, Trainer};
use hesscale::{Activation, Context, Error, Layer, Loss, Model, Plan, State, StateBuffers, Tensor};

/// Holds at compile time.
#[test]
fn everything_is_send_and_sync() {
    fn shared<T: Send + Sync + 'static>() -> &'static str {
        std::any::type_name::<T>()
    }
    let types = [
        shared::<Context>(),
        shared::<State>(),
        shared::<StateBuffers>(),
        shared::<Plan>(),
        shared::<Tensor>(),
        shared::<Model>(),
        shared::<Trainer>(),
        shared::<Dataset>(),
        shared::<Error>(),
    ];
    assert!(types.iter().all(|name| name.starts_with("hesscale::")), "{types:?}");
}

fn models() -> [Model; 2] {
    let image = Model::builder([1, 6, 6])
        .layer(Conv2d::new(4, 3))
        .act(Activation::Tanh)
        .layer(Layer::Dropout { p: 0.2 });
    [model(), image.flatten().dense(3).loss(Loss::cross_entropy()).unwrap()]
}

const STEPS: usize = 30;

/// The result of each trainer on its own.
fn alone(context: &Context) -> Vec<Vec<u32>> {
    let become_of = |seed: usize| {
        let mut trainer = trainer(context, &models()[seed % 2], seed as u64);
        train(&mut trainer, STEPS);
        bits(&trainer)
    };
    (0..6).map(become_of).collect()
}

/// Trainers on threads, each on the context that `of` gives it. All read, train and predict at the same time.
fn together(of: impl Fn(usize) -> Context) -> Vec<Vec<u32>> {
    let threads = (0..6).map(|seed| {
        let context = of(seed);
        std::thread::spawn(move || {
            let mut trainer = trainer(&context, &models()[seed % 2], seed as u64);
            for _ in 0..STEPS {
                step(&mut trainer).unwrap();
                assert!(trainer.loss().unwrap().is_finite());
            }
            trainer.predict(&vec![0.5; trainer.model().inputs()]).unwrap();
            bits(&trainer)
        })
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn trainers_on_one_context() {
    for owner in Owner::ALL {
        let context = owner.context();
        assert_eq!(together(|_| context.clone()), alone(&context));
    }
}

#[test]
fn trainers_on_contexts_of_their_own() {
    assert_eq!(together(|seed| Owner::ALL[seed % 2].context()), alone(&Owner::Crate.context()));
}

/// A trainer goes from thread to thread, and is read by two at once.
#[test]
fn one_trainer_on_many_threads() {
    let context = Owner::Crate.context();
    let mut moved = trainer(&context, &model(), 1);
    for _ in 0..STEPS {
        moved = std::thread::spawn(move || {
            train(&mut moved, 1);
            moved
        })
        .join()
        .unwrap();
    }
    let mut stayed = trainer(&context, &model(), 1);
    train(&mut stayed, STEPS);
    let (one, other) = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| bits(&moved)));
        let [one, other] = threads.map(|thread| thread.join().unwrap());
        (one, other)
    });
    assert_eq!((&one, &other), (&bits(&stayed), &bits(&stayed)));
}
