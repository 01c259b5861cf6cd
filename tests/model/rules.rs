//! Losses and optimisers as they are built, and the random numbers of dropout.

use crate::dense;
use hesscale::model::{ClassTargets, Noise, Reduction, Rule, Targets, Variance};
use hesscale::{Error, Loss, Model, Optimizer};

/// pcg4d of (element, node, step, seed), computed by another program.
#[test]
fn noise_is_pcg4d() {
    for ([element, node, step, seed], word) in [
        ([0, 0, 0, 0], 0x0f02_f829),
        ([1, 0, 0, 0], 0x0b3c_efc3),
        ([0, 1, 0, 0], 0x2a9d_71a8),
        ([0, 0, 1, 0], 0x2eda_6c9d),
        ([0, 0, 0, 1], 0x8d9e_ffe2),
        ([123_456_789, 17, 4_000_000_000, 42], 0x58da_8b5d),
    ] {
        let noise = Noise { seed, step };
        assert_eq!(noise.word(node, element), word);
        let share = f64::from(word) / 4_294_967_296.0;
        assert!(noise.keeps(node, element, share) && !noise.keeps(node, element, share + 1e-9));
    }
    assert!((0..1_000).all(|element| Noise::default().keeps(0, element, 0.0)));
}

/// Words and their normal numbers, computed by another program; and the moments of many.
#[test]
fn normal_numbers() {
    for (noise, node, element, expected) in [
        (
            Noise { seed: 0, step: 1 },
            Noise::PARAMETERS,
            0,
            [1.381762256178299, -0.09257605881202208, -0.8974933138582278, -0.7951351219800243],
        ),
        (
            Noise { seed: 42, step: 4_000_000_000 },
            17,
            123_456_789,
            [-1.4523142473508022, 0.08459226070826953, 1.7941939257368558, 0.6559898686138445],
        ),
    ] {
        let got = noise.normals(node, element);
        assert!(got.iter().zip(expected).all(|(got, want)| (got - want).abs() < 1e-13), "{got:?}");
    }
    let noise = Noise { seed: 1, step: 1 };
    let all: Vec<f64> = (0..25_000).flat_map(|i| noise.normals(Noise::PARAMETERS, i)).collect();
    let mean = |power: i32| all.iter().map(|x| x.powi(power)).sum::<f64>() / all.len() as f64;
    // Within five deviations of the estimates: 1, √2, √15 and √96 over √100,000.
    for (power, moment, deviation) in [(1, 0.0, 1.0), (2, 1.0, 1.5), (3, 0.0, 3.9), (4, 3.0, 9.8)] {
        let got = mean(power);
        assert!((got - moment).abs() < 5.0 * deviation / 316.2, "{power}: {got}");
    }
    // Neighbours have nothing to do with each other.
    let along = all.iter().zip(&all[1..]).map(|(a, b)| a * b).sum::<f64>() / all.len() as f64;
    assert!(along.abs() < 5.0 / 316.2, "{along}");
}

#[test]
fn numbers_of_an_optimizer() {
    let name = |optimizer: Optimizer| match optimizer.validate() {
        Err(Error::Value { place, name, .. }) if place == "optimizer" => Some(name),
        Err(other) => panic!("{other:?}"),
        Ok(()) => None,
    };
    assert_eq!(name(Optimizer::adam(0.0)), None);
    for rate in [f32::NAN, f32::INFINITY, -1e-9] {
        assert_eq!(name(Optimizer::sgd(rate)), Some("learning rate"));
        assert_eq!(name(Optimizer::sgd(0.1).weight_decay(rate)), Some("weight decay"));
    }
    for fraction in [f32::NAN, -0.1, 1.0] {
        assert_eq!(name(Rule::Sgd { momentum: fraction, nesterov: false }.at(0.1)), Some("momentum"));
        let adam = |beta1, beta2| Rule::Adam { beta1, beta2, eps: 1e-8 }.at(0.1);
        assert_eq!(name(adam(fraction, 0.9)), Some("beta1"));
        assert_eq!(name(adam(0.9, fraction)), Some("beta2"));
    }
    for eps in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(name(Rule::AdaHesScale { beta1: 0.9, beta2: 0.9, eps }.at(0.1)), Some("eps"));
        assert_eq!(name(Rule::AdaHesScaleGn { beta1: 0.9, beta2: 0.9, eps }.at(0.1)), Some("eps"));
    }
}

#[test]
fn losses_and_optimisers_are_built_alike() {
    let smooth =
        Loss::cross_entropy().soft().sum().label_smoothing(0.1).class_weights([1.0, 2.0]).ignore_index(1);
    let expected = Loss::SoftmaxCrossEntropy {
        targets: ClassTargets::Soft,
        reduction: Reduction::Sum,
        class_weights: Some(vec![1.0, 2.0]),
        label_smoothing: 0.1,
        ignore_index: Some(1),
    };
    assert_eq!(Loss::from(smooth.clone()), expected);
    assert_eq!(Loss::from(smooth.mean()).reduction(), Reduction::Mean);
    assert_eq!(Loss::mse().sum().mean(), Loss::mse());
    assert_eq!(Loss::mse().sum(), Loss::Mse { reduction: Reduction::Sum });
    assert_eq!(Loss::bce_with_logits(), Loss::BceWithLogits { reduction: Reduction::Mean, pos_weight: None });
    let gaussian = Loss::GaussianNll { reduction: Reduction::Sum, var: Variance::Log };
    assert_eq!(Loss::gaussian_nll(Variance::Log).sum(), gaussian);

    let nesterov = Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.1);
    assert_eq!(Optimizer::sgd(0.1).momentum(0.9).nesterov(), nesterov);
    let ada = Rule::AdaHesScale { beta1: 0.8, beta2: 0.99, eps: 1e-4 }.at(0.5);
    let built = Optimizer::ada_hesscale(0.1).betas(0.8, 0.99).eps(1e-4).learning_rate(0.5);
    assert_eq!(built.unlimited(), ada);
    // What is safe is the default.
    assert_eq!(built, ada.clip_update(Optimizer::SAFE_UPDATE));
    assert_eq!(Optimizer::adamw(0.1), Optimizer::adam(0.1).weight_decay(0.01));
}

#[test]
fn limits_outside_their_domain() {
    type Set = fn(Optimizer, f32) -> Optimizer;
    let limits: [(Set, &str); 4] = [
        (Optimizer::clip_gradient, "clip_gradient"),
        (Optimizer::clip_gradient_norm, "clip_gradient_norm"),
        (Optimizer::clip_update, "clip_update"),
        (Optimizer::trust, "trust"),
    ];
    for (set, given) in limits {
        assert_eq!(set(Optimizer::adam(0.1), 1e-9).validate(), Ok(()));
        for wrong in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            match set(Optimizer::adam(0.1), wrong).validate() {
                Err(Error::Value { name, .. }) => assert_eq!(name, given),
                other => panic!("{given} {wrong}: {other:?}"),
            }
        }
    }
    for wrong in [-0.1, 1.0, f32::NAN] {
        let average = Optimizer::sgd(0.1).average(wrong).validate();
        assert!(matches!(average, Err(Error::Value { name: "average", .. })));
    }
    // A step that is no quotient has no denominator to weigh it by, also where it was read from a file.
    for rule in [Optimizer::sgd(0.1), Optimizer::lion(0.1), Optimizer::rmsprop(0.1)] {
        let limited = rule.limits(Optimizer::adam(0.1).trust(1.0).limits);
        for refused in [rule.trust(1.0), limited] {
            assert!(matches!(refused.validate(), Err(Error::Setting { setting: "trust", .. })));
        }
    }
}

/// Whatever takes a loss takes a cross-entropy as it was built.
#[test]
fn a_cross_entropy_is_a_loss_where_one_is_needed() {
    let smooth = || Loss::cross_entropy().soft().sum().label_smoothing(0.1);
    let built = Model::builder([4]).dense(3).loss(smooth()).unwrap();
    assert_eq!(built.loss(), &Loss::from(smooth()));
    assert_eq!(Model::new([4], vec![dense(4, 3, true)], smooth()), Ok(built.clone()));
    let changed = Model::builder([4]).dense(3).loss(Loss::mse()).unwrap().with_loss(smooth());
    assert_eq!(changed, Ok(built));
}

/// Without a loss there is nothing to reduce, to weigh or to compare with.
#[test]
fn an_external_loss_has_no_targets_and_no_factor() {
    let model = Model::builder([4]).dense(3).loss(Loss::external()).unwrap();
    assert!(model.loss().is_external() && !Loss::mse().is_external());
    assert_eq!(Model::from_json(&model.to_json()), Ok(model.clone()));
    assert!(model.to_json().contains(r#""loss":{"type":"external"}"#));
    assert_eq!(Loss::external().mean(), Loss::external().sum());
    assert_eq!((model.loss().reduction(), model.loss().factor(7, &[3])), (Reduction::Sum, 1.0));
    assert_eq!((model.target_len(), model.loss().weights(), model.loss().ignored()), (0, None, None));
    let got = model.check_targets(0, Targets::Values(&[]));
    assert_eq!(got, Err(Error::TargetKind { needed: "no", got: "numeric" }));
    assert!(model.check_targets(1, Targets::Classes(&[0])).is_err());
}

/// What a rule does not have is no silent nothing: it is an error from whatever uses the optimiser.
#[test]
fn settings_of_another_rule() {
    type Make = fn(f32) -> Optimizer;
    type Set = fn(Optimizer) -> Optimizer;
    let rules: [(Make, &str); 4] = [
        (Optimizer::sgd, "sgd"),
        (Optimizer::adam, "adam"),
        (Optimizer::ada_hesscale, "adahesscale"),
        (Optimizer::ada_hesscale_gn, "adahesscale_gn"),
    ];
    let settings: [(Set, &str, bool); 4] = [
        (|optimizer| optimizer.momentum(0.9), "momentum", true),
        (|optimizer| optimizer.nesterov(), "nesterov", true),
        (|optimizer| optimizer.betas(0.8, 0.99), "betas", false),
        (|optimizer| optimizer.eps(1e-4), "eps", false),
    ];
    for (make, name) in rules {
        for (set, given, of_sgd) in settings {
            let (plain, optimizer) = (make(0.1), set(make(0.1)));
            assert_ne!(plain, optimizer, "{name} {given}");
            if (name == "sgd") == of_sgd {
                assert_eq!(optimizer.validate(), Ok(()), "{name} {given}");
                continue;
            }
            match optimizer.validate() {
                Err(Error::Setting { rule, setting, .. }) => assert_eq!((rule, setting), (name, given)),
                other => panic!("{name} {given}: {other:?}"),
            }
            // Whatever comes after it does not undo it, and it is not lost in a file.
            assert_eq!(optimizer.learning_rate(0.2).weight_decay(0.1).validate(), optimizer.validate());
            let saved = serde_json::to_string(&optimizer).unwrap_err().to_string();
            assert_eq!(saved, optimizer.validate().unwrap_err().to_string());
        }
    }
    let first = Optimizer::adam(0.1).momentum(0.9).nesterov().validate().unwrap_err().to_string();
    assert_eq!(
        first,
        "optimizer: adam has no momentum; it has: betas, eps, trust, learning_rate, weight_decay"
    );
}
