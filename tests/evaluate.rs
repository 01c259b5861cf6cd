//! Evaluating a trained network: loss and accuracy do not depend on the batch size.

use hesscale::model::Init;
use hesscale::train::{Dataset, Evaluation, Labels, Trainer, TrainerOptions};
use hesscale::{Context, Error, Loss, Model, Optimizer, Request};

const SAMPLES: usize = 10;

/// The logits are the inputs.
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
    let context = pollster::block_on(Context::request_with(&Request::default().adapter(adapter))).unwrap();
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

fn both(model: &Model) -> [Trainer; 2] {
    let adapter = std::env::var("HESSCALE_ADAPTER").ok();
    let context = pollster::block_on(Context::request_with(&Request::default().adapter(adapter))).unwrap();
    let (optimizer, options) = (Optimizer::sgd(0.1), TrainerOptions::default);
    [
        Trainer::on_cpu(model, optimizer, options()).unwrap(),
        Trainer::new(&context, model, optimizer, options()).unwrap(),
    ]
}

/// An ignored sample is neither right nor wrong, even if its class is one of the network's.
#[test]
fn ignored_samples_are_left_out() {
    // Of ten samples those of class 0 are four; with two that are wrong, one of class 1 and one of class 2.
    let classes = |n: usize| if n < 2 { (n as u32 + 1) % 3 } else { n as u32 % 3 };
    for (index, counted) in [(0, 7.0), (7, 9.0)] {
        let model = Model::builder([3]).dense(3).loss(Loss::cross_entropy().ignore_index(index)).unwrap();
        let labels = (0..SAMPLES).map(|n| if index == 7 && n == 0 { 7 } else { classes(n) }).collect();
        let wrong = if index == 7 { 1.0 } else { 2.0 };
        let data = Dataset::new(data().inputs().to_vec(), 3, Labels::Classes(labels)).unwrap();
        for mut trainer in both(&model) {
            identity(&mut trainer);
            let found = trainer.evaluate(&data, 4).unwrap();
            assert_eq!(found.accuracy, (counted - wrong) / counted, "ignoring {index}");
        }
    }
    let model = Model::builder([3]).dense(3).loss(Loss::cross_entropy().ignore_index(7)).unwrap();
    let nothing = Dataset::new(vec![1.0; 6], 3, Labels::Classes(vec![7; 2])).unwrap();
    for mut trainer in both(&model) {
        let Evaluation { loss, accuracy, .. } = trainer.evaluate(&nothing, 4).unwrap();
        assert_eq!((loss, accuracy), (0.0, 0.0));
    }
}

/// Labels for each position of an image: batching, training and evaluation.
#[test]
fn images_are_classified_at_each_position() {
    const PIXELS: usize = 6;
    let model = Model::builder([2, 2, 3]).conv2d(4, 1).loss(Loss::cross_entropy().ignore_index(9)).unwrap();
    // The class is which of two channels are positive; a pixel here and there is not labelled.
    let mut random = fastrand::Rng::with_seed(4);
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let pixels: Vec<u32> = (0..PIXELS).map(|_| random.u32(..4)).collect();
        for channel in 0..2 {
            inputs.extend(pixels.iter().map(|class| if class >> channel & 1 == 1 { 1.0 } else { -1.0 }));
        }
        labels.extend(pixels.into_iter().map(|class| if random.u8(..10) == 0 { 9 } else { class }));
    }
    let data = Dataset::new(inputs, 2 * PIXELS, Labels::Classes(labels.clone())).unwrap();
    let mut seen = 0;
    for batch in data.batches(8, 3).unwrap() {
        let Labels::Classes(classes) = batch.labels() else { panic!("classes") };
        assert_eq!((batch.inputs().len(), classes.len()), (12 * batch.len(), PIXELS * batch.len()));
        // Each pixel is still beside its own label.
        for (n, class) in classes.iter().enumerate().filter(|(_, class)| **class != 9) {
            let pixel = &batch.inputs()[n / PIXELS * 2 * PIXELS + n % PIXELS..];
            assert_eq!(*class, u32::from(pixel[0] > 0.0) + 2 * u32::from(pixel[PIXELS] > 0.0));
        }
        seen += batch.len();
    }
    assert_eq!(seen, 50);

    let mut outcomes = Vec::new();
    for mut trainer in both(&model) {
        trainer.set_parameters(&model.init(Init::Auto, 3).unwrap()).unwrap();
        let before = trainer.evaluate(&data, 7).unwrap();
        for epoch in 0..20 {
            for batch in data.batches(8, epoch).unwrap() {
                trainer.step(batch.inputs(), batch.labels().targets()).unwrap();
            }
        }
        let after = trainer.evaluate(&data, 7).unwrap();
        assert!(before.accuracy < 0.9 && after.accuracy == 1.0, "{before:?}, then {after:?}");
        // By hand, the logits of a sample being [classes, positions].
        let logits = trainer.predict(data.inputs()).unwrap();
        let loss: f64 = labels
            .iter()
            .enumerate()
            .filter(|(_, class)| **class != 9)
            .map(|(n, class)| {
                let logit =
                    |class: usize| f64::from(logits[n / PIXELS * 4 * PIXELS + class * PIXELS + n % PIXELS]);
                (0..4).map(|class| logit(class).exp()).sum::<f64>().ln() - logit(*class as usize)
            })
            .sum::<f64>()
            / 300.0;
        assert!((after.loss - loss).abs() < 1e-6, "{after:?}, by hand {loss}");
        outcomes.push(after.loss);
    }
    assert!((outcomes[0] - outcomes[1]).abs() < 1e-5, "{outcomes:?}");
}

#[test]
fn of_equal_logits_the_first_counts() {
    let labels = |classes: &[u32]| {
        Dataset::new(vec![0.0; classes.len()], 1, Labels::Classes(classes.to_vec())).unwrap()
    };
    let accuracy = |classes: &[u32], logits: &[f32]| labels(classes).accuracy(logits, None).unwrap();
    assert_eq!(accuracy(&[0, 1, 2], &[0.5; 9]), 1.0 / 3.0);
    assert_eq!(accuracy(&[0, 1], &[0.0, -0.0, 0.0, -0.0]), 0.5, "zeros are equal, whatever their signs");
    assert_eq!(accuracy(&[1, 1, 2], &[0.0, 2.0, 2.0, 0.0, 1.0, 2.0, -1.0, -3.0, -1.0]), 1.0 / 3.0);
    let infinite = f32::NEG_INFINITY;
    assert_eq!(accuracy(&[0, 1], &[infinite, infinite, infinite, 0.0]), 1.0);
    // A NaN logit gives no prediction, wherever it is.
    for at in 0..3 {
        let mut logits = [1.0, 2.0, 3.0];
        logits[at] = f32::NAN;
        for class in 0..3 {
            assert_eq!(accuracy(&[class], &logits), 0.0, "{at} {class}");
        }
    }
    // Positions come after classes.
    let two = Dataset::new(vec![0.0; 2], 1, Labels::Classes(vec![0, 1, 1, 0])).unwrap();
    assert_eq!(two.accuracy(&[3.0, 1.0, 2.0, 1.5, 0.0, 5.0, 0.1, 4.9], None), Ok(1.0));
    assert_eq!(two.accuracy(&[3.0, 1.0, 2.0, 1.5, 0.0, 5.0, 0.1, 4.9], Some(1)), Ok(1.0));
    assert_eq!(two.accuracy(&[0.0; 8], Some(1)), Ok(1.0));
    assert_eq!(two.accuracy(&[0.0; 8], None), Ok(0.5));
}

#[test]
fn nothing_and_what_does_not_fit() {
    let data = data();
    for (logits, needed) in [(0, 10), (7, 10), (9, 10), (11, 20), (29, 30)] {
        let error = Error::Length { tensor: "logits".into(), got: logits, needed };
        assert_eq!(data.accuracy(&vec![0.0; logits], None), Err(error));
    }
    let pair = Dataset::new(vec![0.0; 2], 1, Labels::Classes(vec![0, 1])).unwrap();
    let seven = pair.accuracy(&[0.0; 7], None);
    assert_eq!(seven, Err(Error::Length { tensor: "logits".into(), got: 7, needed: 8 }));
    let numbers = Dataset::new(vec![0.0; 2], 1, Labels::Values(vec![0.5; 6])).unwrap();
    assert_eq!(numbers.accuracy(&[0.0; 4], None), Ok(0.0));
    assert!(matches!(numbers.accuracy(&[0.0; 7], None), Err(Error::Length { got: 7, needed: 8, .. })));
    let strange = data.accuracy(&[0.0; 20], None);
    assert!(matches!(strange, Err(Error::TargetOutOfRange { class: 2, classes: 2, .. })), "{strange:?}");

    let none = Error::ZeroSize { place: "dataset".into(), what: "the number of samples" };
    assert_eq!(data.gather(&[]), Err(none));
    let unknown = Error::Unknown { what: "sample", name: "10".into(), known: "0 to 9".into() };
    assert_eq!(data.gather(&[3, 10]), Err(unknown));
    let some = data.gather(&[9, 0, 9]).unwrap();
    assert_eq!((some.len(), some.labels()), (3, &Labels::Classes(vec![0, 1, 0])));
    let empty = Error::ZeroSize { place: "batch".into(), what: "the number of samples" };
    assert_eq!(data.batches(0, 1).map(Iterator::count), Err(empty));
    assert_eq!(data.batches(usize::MAX, 1).map(Iterator::count), Ok(1));
    for labels in [Labels::Classes(vec![]), Labels::Values(vec![]), Labels::Classes(vec![0; 3])] {
        let got = Dataset::new(vec![0.0; 4], 2, labels).unwrap_err();
        assert!(matches!(&got, Error::Length { tensor, .. } if tensor == "dataset labels"), "{got:?}");
    }
}

#[test]
fn awaited_is_the_same_as_waited_for() {
    let model = Model::builder([3]).dense(3).loss(Loss::cross_entropy()).unwrap();
    let adapter = std::env::var("HESSCALE_ADAPTER").ok();
    pollster::block_on(async {
        let context = Context::request_with(&Request::default().adapter(adapter)).await.unwrap();
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
