//! What of a trainer a file must match, and what comes from the file.

use crate::{
    Device, bits, convolutional, directory, fingerprint, model, parameters, problem, rewrite, train,
};
use hesscale::model::{CrossEntropy, Group, Groups, Rule, Schedule};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Error, Loss, Mode, Model, Optimizer};
use safetensors::SafeTensors;
use std::collections::HashMap;
use std::path::Path;

fn entries_of(path: &Path) -> HashMap<String, String> {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    header.metadata().clone().unwrap().into_iter().collect()
}

/// A file of a version that knew no limits, schedules, groups or averages goes on in a trainer that has them, as that one has them. A
/// file that says that there are none does not.
#[test]
fn files_that_say_nothing_of_limits() {
    let path = directory("older").join("training.safetensors");
    for device in [Device::Cpu, Device::Gpu] {
        let bare = Optimizer::ada_hesscale(0.003).unlimited();
        let mut older = device.trainer(bare, TrainerOptions::default());
        train(&mut older, 3);
        older.save(&path).unwrap();
        let newer = ["average", "groups", "limits", "schedule"];
        assert_eq!(newer.map(|key| entries_of(&path)[key].clone()), ["null", "[]", "{}", "null"]);
        let groups = || Groups::new().with("0.*", Group::new().frozen());
        for (optimizer, options, expected) in [
            (bare.clip_update(3.0), TrainerOptions::default(), "an optimiser without clip_update"),
            (bare.average(0.5), TrainerOptions::default(), "has average null, expected 0.5"),
            (bare, TrainerOptions::default().groups(groups()), "has groups [], expected ["),
        ] {
            let found = problem(device.trainer(optimizer, options).load(&path), &path);
            assert!(found.contains(expected), "{found}");
        }
        let scheduled = TrainerOptions::default().schedule(Schedule::exponential(0.5));
        let mut trainer = device.trainer(bare, scheduled);
        trainer.load(&path).unwrap();
        assert_eq!(trainer.schedule(), None);
        trainer.set_schedule(Some(Schedule::step(2, 0.5))).unwrap();
        assert_eq!(trainer.learning_rate(), 0.5 * older.optimizer().learning_rate);
        // What is refused changes nothing.
        for bad in [Schedule::Constant { factor: 1e300 }, Schedule::Constant { factor: f64::from(f32::MAX) }]
        {
            trainer.set_learning_rate(100.0).unwrap();
            assert!(matches!(trainer.set_schedule(Some(bad)), Err(Error::Value { .. })));
            assert_eq!((trainer.schedule(), trainer.learning_rate()), (Some(&Schedule::step(2, 0.5)), 50.0));
        }
        rewrite(&path, true, |entries| entries.retain(|key, _| !newer.contains(&key.as_str())));

        let groups = Groups::new().with("0.*", Group::new().frozen());
        let options = TrainerOptions::default().groups(groups.clone()).schedule(Schedule::exponential(0.5));
        let mut newer = device.trainer(bare.clip_update(3.0).average(0.5), options);
        newer.load(&path).unwrap();
        assert_eq!(parameters(&newer), parameters(&older));
        assert_eq!(bits(&newer.averaged_parameters().unwrap()), parameters(&older));
        assert_eq!(newer.optimizer().limits, bare.clip_update(3.0).limits);
        assert_eq!((newer.groups(), newer.schedule()), (&groups, Some(&Schedule::exponential(0.5))));
        assert_eq!(newer.learning_rate(), 0.125 * older.optimizer().learning_rate);
        let frozen = model().parameters()[0].range();
        train(&mut newer, 2);
        assert_eq!(parameters(&newer)[frozen.clone()], parameters(&older)[frozen]);
        assert_ne!(parameters(&newer), parameters(&older));
    }
}

/// Numbers that may change come from the file; what a trainer is made for must be the file's.
#[test]
fn limits_groups_and_averages_of_a_file() {
    let path = directory("limits").join("training.safetensors");
    let (optimizer, groups) =
        (Optimizer::ada_hesscale(0.01).average(0.5), Groups::new().with("0.*", Group::new().rate(0.5)));
    let options = || TrainerOptions::default().groups(groups.clone());
    for device in [Device::Cpu, Device::Gpu] {
        let mut saved = device.trainer(optimizer, options().schedule(Schedule::step(2, 0.5)));
        train(&mut saved, 3);
        saved.set_limits(optimizer.clip_update(0.25).limits).unwrap();
        assert!(matches!(saved.set_limits(optimizer.trust(1.0).limits), Err(Error::NotPlanned { .. })));
        saved.save(&path).unwrap();
        let mut other = device.trainer(optimizer.clip_update(7.0), options());
        other.load(&path).unwrap();
        assert_eq!(other.optimizer(), saved.optimizer());
        assert_eq!(other.schedule(), saved.schedule());
        assert_eq!(bits(&other.averaged_parameters().unwrap()), bits(&saved.averaged_parameters().unwrap()));
        train(&mut other, 3);
        train(&mut saved, 3);
        assert_eq!(parameters(&other), parameters(&saved));
        for (optimizer, options, expected) in [
            (optimizer.unlimited(), options(), "the limit clip_update"),
            (optimizer.trust(1.0), options(), "an optimiser without trust"),
            (optimizer.average(0.75), options(), "has average 0.5, expected 0.75"),
            (Optimizer::ada_hesscale(0.01), options(), "has average 0.5, expected null"),
            (optimizer, TrainerOptions::default(), "has groups ["),
        ] {
            let found = problem(device.trainer(optimizer, options).load(&path), &path);
            assert!(found.contains(expected), "{found}");
        }
    }
}

#[test]
fn other_settings() {
    let directory = directory("settings");
    let (path, spare) = (directory.join("training.safetensors"), directory.join("spare"));
    let (optimizer, options) = (Optimizer::ada_hesscale(0.01), TrainerOptions::default());
    let mut saved = Device::Cpu.trainer(optimizer, options.clone());
    train(&mut saved, 1);
    saved.save(&path).unwrap();

    let network = |hidden, act, loss: CrossEntropy| {
        Model::builder([5]).dense(hidden).act(act).dense(3).loss(loss).unwrap()
    };
    let (tanh, loss) = (Activation::Tanh, Loss::cross_entropy());
    let smoothed = loss.clone().label_smoothing(0.1);
    let deeper = Model::builder([5]).dense(9).act(tanh).dense(3).act(tanh).loss(loss.clone()).unwrap();
    let beta = Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-8 }.at(0.01);
    let same = || options.clone();
    for (model, optimizer, options, expected) in [
        (network(8, tanh, loss.clone()), optimizer, same(), "is of another model: layer 0 is"),
        (network(9, Activation::Relu, loss.clone()), optimizer, same(), "is of another model: layer 1 is"),
        (deeper, optimizer, same(), "is of another model: 3 layers, expected 4"),
        (network(9, tanh, smoothed), optimizer, same(), "is of another model: loss"),
        (model(), Optimizer::adam(0.01), same(), "has optimizer {"),
        (model(), beta, same(), "has optimizer {"),
        (model(), optimizer.weight_decay(0.5), same(), "has optimizer {"),
        (model(), optimizer, same().mode(Mode::HesScaleR1), "has mode \"hesscale\", expected"),
        (model(), optimizer, same().curvature_every(2), "has curvature_every 1, expected 2"),
    ] {
        let mut trainer = Trainer::on_cpu(&model, optimizer, options).unwrap();
        let before = fingerprint(&mut trainer, &spare);
        let found = problem(trainer.load(&path), &path);
        assert!(found.starts_with(expected), "{found}");
        assert_eq!(fingerprint(&mut trainer, &spare), before);
    }
}

/// Where running statistics begin is no part of a model that a checkpoint belongs to: it brings its own.
#[test]
fn statistics_to_begin_with_may_differ() {
    let model = convolutional();
    let path = directory("statistics").join("training.safetensors");
    let mut trainer = Trainer::on_cpu(&model, Optimizer::sgd(0.1), TrainerOptions::default()).unwrap();
    let moved: Vec<f32> = trainer.statistics().unwrap().iter().map(|x| 1.5 * x).collect();
    trainer.set_statistics(&moved).unwrap();
    trainer.save(&path).unwrap();
    let other = model.with_statistics(&moved).unwrap();
    let mut other = Trainer::on_cpu(&other, Optimizer::sgd(0.1), TrainerOptions::default()).unwrap();
    other.load(&path).unwrap();
    assert_eq!(other.statistics().unwrap(), moved);
}
