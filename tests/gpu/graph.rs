//! Networks with named values: gates, U-Nets, sums; in every class of device, and trained as the CPU trains them.

use crate::common::{compare, to_f64};
use crate::harness::{Sample, distinct, of_class, steady};
use hesscale::model::{Builder, Conv2d, MaxPool2d, Upsample2d};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, At, Context, Layer, Loss, Mode, Model, PlanOptions};

use Activation::{Relu, Sigmoid, Tanh};

fn same(channels: usize) -> Conv2d {
    Conv2d::new(channels, 3).same()
}

/// Down, and up again beside what was there before, with a gate on that.
fn u_net() -> Model {
    let m = Model::builder([3, 12, 10]).layer(same(9)).act(Relu).name("top").layer(MaxPool2d::new(2));
    let m = m.layer(same(13)).act(Tanh).name("low").layer(MaxPool2d::new(2).ceil_mode(true));
    let m = m.layer(same(8)).act(Relu).layer(Upsample2d::nearest(2)).layer(Conv2d::new(13, [1, 2]));
    let m = m.plus("low").layer(same(36)).layer(Layer::PixelShuffle { factor: 2 }).name("risen");
    let m = m.conv2d(9, 1).act(Sigmoid).multiply("top").concat("risen").layer(same(5)).act(Tanh);
    m.layer(Layer::ReflectionPad2d { padding: [1; 4] }).conv2d(2, 3).loss(Loss::bce_with_logits()).unwrap()
}

/// Widths that are vectors and such that are not.
fn rows() -> Model {
    let gated = |m: Builder, width| {
        m.name(format!("in {width}")).dense(width).name(format!("a {width}")).from(format!("in {width}"))
    };
    let m = gated(Model::builder([150]).dense(66).act(Tanh), 129).dense(129).act(Sigmoid).multiply("a 129");
    let m = gated(m.concat("in 129").dense(40), 40).act(Tanh).plus("a 40").concat("in 40");
    m.dense(7).loss(Loss::cross_entropy()).unwrap()
}

fn contexts(model: &Model, batch: usize, options: &PlanOptions) -> Vec<Context> {
    let classes = [DeviceClass::Software, DeviceClass::Integrated, DeviceClass::Discrete].map(of_class);
    distinct(classes, model, batch, Some(steady()), std::slice::from_ref(options))
}

/// With all signals kept, and fused as far as possible.
#[test]
fn named_values_follow_the_reference_in_every_class() {
    for (model, batch) in [(u_net(), 3), (rows(), 33)] {
        let sample = Sample::new(model, batch, 5);
        let everything = (Mode::HesScaleR2, sample.places(), DeviceClass::Discrete);
        let software = (Mode::HesScale, sample.places(), DeviceClass::Software);
        for (mode, places, class) in
            [everything, software, (Mode::HesScaleGn, Vec::new(), DeviceClass::Integrated)]
        {
            let judged = sample.follows(&of_class(class), mode, &places);
            judged.unwrap_or_else(|fault| panic!("{mode:?} {class:?}: {fault}"));
        }
    }
}

/// A sum passes on the signal above it as it is; whoever asks for it at a summand finds it there all the same.
#[test]
fn a_signal_at_a_summand() {
    let model = Model::builder([6]).dense(5).name("x").dense(5).plus("x").dense(3);
    let sample = Sample::new(model.loss(Loss::cross_entropy()).unwrap(), 4, 2);
    for (mode, at) in Mode::ALL.into_iter().flat_map(|mode| (0..4).map(move |layer| (mode, At::Layer(layer))))
    {
        sample.follows(&crate::harness::context(), mode, &[at]).unwrap();
    }
}

#[test]
fn they_train_as_on_the_cpu() {
    for (model, batch) in [(u_net(), 5), (rows(), 40)] {
        let options = || TrainerOptions::default().seed(3);
        let steps = |mut trainer: Trainer| {
            for step in 0..5 {
                let sample = Sample::new(model.clone(), batch, 100 + step);
                trainer.step(&sample.x, sample.targets.view()).unwrap();
            }
            to_f64(&trainer.parameters().unwrap())
        };
        let cpu = Trainer::on_cpu(&model, steady(), options()).unwrap();
        let start = to_f64(&cpu.parameters().unwrap());
        let way = |end: Vec<f64>| end.iter().zip(&start).map(|(end, start)| end - start).collect::<Vec<_>>();
        let want = way(steps(cpu));
        assert!(want.iter().any(|by| by.abs() > 1e-4));
        for context in contexts(&model, batch, &PlanOptions::training(Mode::HesScale).fused_update()) {
            let got = way(steps(Trainer::new(&context, &model, steady(), options()).unwrap()));
            compare(&format!("{:?}", context.class()), &got, &want, 5e-3).unwrap();
        }
    }
}
