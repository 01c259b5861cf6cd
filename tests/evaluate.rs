//! A trained network on a data set: loss and accuracy do not depend on how many samples go at once.

use hesscale::train::{Dataset, Labels, Trainer};
use hesscale::{Context, Error, Loss, Model, Optimizer, Request};

const SAMPLES: usize = 10;

/// Logits are the inputs themselves.
fn identity(trainer: &mut Trainer) {
    let model = trainer.model().clone();
    let mut flat = vec![0.0; model.flat_len()];
    let weight = model.parameters()[0].offset;
    [0, 4, 8].iter().for_each(|i| flat[weight + i] = 1.0);
    trainer.set_parameters(&flat).unwrap();
}

/// The largest of three inputs is the class of all samples but two.
fn data() -> Dataset {
    let rows = (0..SAMPLES).flat_map(|n| (0..3).map(move |k| if k == n % 3 { 2.0 } else { 0.0 }));
    let classes = (0..SAMPLES).map(|n| if n < 2 { (n as u32 + 1) % 3 } else { n as u32 % 3 });
    Dataset::new(rows.collect(), 3, Labels::Classes(classes.collect())).unwrap()
}

#[test]
fn all_samples_count_once() {
    let model = Model::builder([3]).dense(3).loss(Loss::cross_entropy()).unwrap();
    let adapter = std::env::var("HESSCALE_ADAPTER").ok();
    let context =
        pollster::block_on(Context::request_with(&Request { adapter, ..Request::default() })).unwrap();
    let (optimizer, options) = (Optimizer::sgd(0.1), Default::default());
    for mut trainer in [
        Trainer::on_cpu(&model, optimizer, options).unwrap(),
        Trainer::new(&context, &model, optimizer, Default::default()).unwrap(),
    ] {
        identity(&mut trainer);
        let sum = (2.0_f64.exp() + 2.0).ln();
        let loss = (8.0 * (sum - 2.0) + 2.0 * sum) / 10.0;
        for batch in [1, 3, 10, 64] {
            let found = trainer.evaluate(&data(), batch).unwrap();
            assert!((found.loss - loss).abs() < 1e-6, "batch {batch}: {found:?}, want {loss}");
            assert_eq!(found.accuracy, 0.8, "batch {batch}");
            assert_eq!(
                pollster::block_on(trainer.evaluate_async(&data(), batch)),
                Ok(found),
                "batch {batch}"
            );
        }

        let empty = Error::ZeroSize { place: "batch".into(), what: "the number of samples" };
        assert_eq!(trainer.evaluate(&data(), 0).unwrap_err(), empty);
        let wide = Dataset::new(vec![0.0; 8], 4, Labels::Classes(vec![0, 1])).unwrap();
        assert!(matches!(trainer.evaluate(&wide, 2), Err(Error::Length { got: 8, needed: 9, .. })));
        let strange = Dataset::new(vec![0.0; 3], 3, Labels::Classes(vec![3])).unwrap();
        assert!(matches!(trainer.evaluate(&strange, 1), Err(Error::TargetOutOfRange { class: 3, .. })));
    }
}

#[test]
fn awaited_is_the_same_as_waited_for() {
    let model = Model::builder([3]).dense(3).loss(Loss::cross_entropy()).unwrap();
    let adapter = std::env::var("HESSCALE_ADAPTER").ok();
    pollster::block_on(async {
        let context = Context::request_with(&Request { adapter, ..Request::default() }).await.unwrap();
        let mut trainer = Trainer::new(&context, &model, Optimizer::sgd(0.1), Default::default()).unwrap();
        assert_eq!(trainer.loss_async().await, trainer.loss());
        assert!(matches!(trainer.loss(), Err(Error::NotPlanned { .. })));
        for _ in 0..2 {
            let before = trainer.parameters().unwrap();
            trainer.step(data().inputs(), data().labels().targets()).unwrap();
            assert_eq!(trainer.loss_async().await, trainer.loss());
            assert_eq!(trainer.parameters_async().await, trainer.parameters());
            assert_ne!(trainer.parameters().unwrap(), before);
            assert_eq!(trainer.predict_async(data().inputs()).await, trainer.predict(data().inputs()));
        }
        assert!(trainer.loss().unwrap() > 0.0);
        let narrow = trainer.predict_async(&[0.0]).await;
        assert!(matches!(narrow, Err(Error::Length { got: 1, needed: 3, .. })));
    });
}
