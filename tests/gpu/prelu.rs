//! PReLU: against the reference, in training, in parts of a batch, beside what is frozen.

use crate::common::{compare, to_f64};
use crate::harness::{BOUND, Sample, context, not_run, of_class, steady};
use hesscale::model::{Conv2d, PRelu};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::wgpu::Features;
use hesscale::{Activation, Error, Loss, Mode, Model, Plan, PlanOptions, State};

/// A slope for each channel and one for all, of images whose channels are padded and of rows; behind an activation, a convolution
/// and nothing, before the loss.
fn networks() -> Vec<(&'static str, Model)> {
    let images = Model::builder([3, 7, 6]).layer(PRelu::new()).conv2d(10, 3).layer(PRelu::per_channel());
    let images =
        images.residual(|b| b.act(Activation::Tanh).layer(PRelu::new()).layer(Conv2d::new(10, 3).same()));
    let rows = Model::builder([19]).dense(37).layer(PRelu::per_channel()).dense(9).act(Activation::Tanh);
    let rows = rows.layer(PRelu::new()).dense(5).layer(PRelu::new());
    vec![
        ("images", images.flatten().dense(4).loss(Loss::cross_entropy()).unwrap()),
        ("rows", rows.loss(Loss::mse()).unwrap()),
    ]
}

const CLASSES: [DeviceClass; 3] = [DeviceClass::Software, DeviceClass::Integrated, DeviceClass::Discrete];

#[test]
fn networks_follow_the_reference() {
    for (name, model) in networks() {
        let sample = Sample::new(model, 37, 3);
        for (mode, class) in [
            (Mode::None, CLASSES[0]),
            (Mode::HesScaleGn, CLASSES[0]),
            (Mode::HesScaleR2, CLASSES[0]),
            (Mode::HesScale, CLASSES[1]),
            (Mode::HesScaleR1, CLASSES[2]),
        ] {
            let kept = if mode == Mode::HesScale { sample.places() } else { Vec::new() };
            let outcome = sample.follows(&of_class(class), mode, &kept);
            outcome.unwrap_or_else(|fault| panic!("{name}, {mode:?}, {class:?}: {fault}"));
        }
    }
}

#[test]
fn training_follows_the_cpu() {
    for (name, model) in networks() {
        let sample = Sample::new(model.clone(), 13, 6);
        let trained = |mut trainer: Trainer| {
            trainer.set_parameters(&sample.parameters).unwrap();
            for _ in 0..6 {
                trainer.step(&sample.x, sample.targets.view()).unwrap();
            }
            to_f64(&trainer.parameters().unwrap())
        };
        let options = TrainerOptions::default;
        let want = trained(Trainer::on_cpu(&model, steady(), options()).unwrap());
        for p in model.parameters() {
            let moved = p.range().any(|i| (want[i] - f64::from(sample.parameters[i])).abs() > 1e-4);
            assert!(moved, "{name}: {} stands still", p.name());
        }
        for class in CLASSES {
            let got = trained(Trainer::new(&of_class(class), &model, steady(), options()).unwrap());
            compare("parameters", &got, &want, BOUND)
                .unwrap_or_else(|fault| panic!("{name} {class:?}: {fault}"));
        }
    }
}

#[test]
fn frozen_partial_and_stored_in_f16() {
    let context = of_class(DeviceClass::Software);
    let [images, rows] = [0, 1].map(|k| Sample::new(networks().swap_remove(k).1, 11, 4));
    images.trains_beside_frozen(&context, &["0", "1"]);
    images.follows_in_part(&context, PlanOptions::training(Mode::HesScaleR1), 7).unwrap();
    if !context.device().features().contains(Features::SHADER_F16) {
        return not_run("the adapter has no f16");
    }
    rows.follows_in_f16(&context, Mode::HesScale).unwrap();
}

/// Positions that several invocations share.
#[test]
fn large_images() {
    let builder = Model::builder([3, 90, 70]).layer(PRelu::new()).layer(PRelu::per_channel());
    let sample = Sample::new(builder.loss(Loss::mse().sum()).unwrap(), 3, 5);
    sample.follows(&context(), Mode::HesScaleR2, &[]).unwrap();
}

#[test]
fn too_many_numbers_for_one_slope() {
    let model = Model::builder([1024, 1025]).layer(PRelu::new()).loss(Loss::mse()).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let refused = Plan::new(&context(), &model, &state, 1, PlanOptions::training(Mode::None)).unwrap_err();
    let (place, limit) = ("prelu 0".into(), "numbers of a sample that share a slope");
    assert_eq!(refused, Error::Limit { place, limit, needed: 1_049_600, available: 1_048_576 });
    Plan::new(&context(), &model, &state, 1, PlanOptions::inference()).unwrap();
}
