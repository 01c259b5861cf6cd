//! Activations that are asked for, of training and of inference plans.

use crate::common::{compare, to_f64};
use crate::harness::{BOUND, Sample, bits, context, not_run, of_class, submit};
use crate::layers::norm;
use hesscale::model::{Conv2d, MaxPool2d};
use hesscale::reference;
use hesscale::tuning::DeviceClass;
use hesscale::{
    Activation, At, Context, Dtype, Error, Layer, Loss, Mode, Model, Pass, Plan, PlanOptions, Result, State,
    wgpu,
};

fn models() -> Vec<Model> {
    let tanh = Activation::Tanh;
    let dense = Model::builder([7]).dense(12).act(tanh).dense(8).act(Activation::Relu).layer(Layer::Identity);
    let image = Model::builder([3, 6, 5]).layer(Conv2d::new(5, 3).same()).act(tanh).layer(MaxPool2d::new(2));
    let image =
        image.layer(norm(5)).act(Activation::Relu).residual(|body| body.layer(Conv2d::new(5, 3).same()));
    vec![
        dense.residual(|body| body.dense(8).act(tanh)).dense(5).loss(Loss::cross_entropy()).unwrap(),
        image.clone().flatten().dense(4).act(Activation::Sigmoid).loss(Loss::mse()).unwrap(),
        image.conv2d(6, 2).loss(Loss::mse()).unwrap(),
    ]
}

fn plan(context: &Context, sample: &Sample, options: PlanOptions) -> (State, Plan) {
    let state = State::new(context, &sample.model, None).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let plan = Plan::new(context, &sample.model, &state, sample.batch, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    (state, plan)
}

/// Every place at once, and each by itself, whose layers are fused then.
fn follow(context: &Context, sample: &Sample, options: impl Fn() -> PlanOptions, bound: f64) {
    let (parameters, x) = (to_f64(&sample.parameters), to_f64(&sample.x));
    let outputs = reference::forward(&sample.model, &parameters, &x).unwrap();
    let places = sample.places();
    let ways = places.iter().map(|at| vec![*at]).chain([places.clone()]);
    for asked in ways {
        let options = asked.iter().fold(options(), |options, at| options.activation(*at));
        let training = options.training;
        let (_state, plan) = plan(context, sample, options);
        submit(context, |encoder| plan.record_forward(encoder));
        for at in asked {
            let tensor = plan.activation(at).unwrap();
            let (shape, want) = match at {
                At::Input => (sample.model.input_shape(), &x),
                At::Layer(layer) => (sample.model.shape(layer).unwrap(), &outputs[layer]),
            };
            assert_eq!(tensor.shape(), [&[sample.batch], shape].concat());
            let got = context.read_blocking(&[tensor]).unwrap().remove(0);
            let what = format!("{} at {at:?}, training {training}", sample.model.to_json());
            compare(&what, &to_f64(&got), want, bound).unwrap_or_else(|fault| panic!("{fault}"));
        }
    }
}

#[test]
fn they_are_what_the_reference_has() {
    for model in models() {
        let sample = Sample::new(model, 5, 3);
        follow(&context(), &sample, PlanOptions::inference, BOUND);
        follow(&context(), &sample, || PlanOptions::training(Mode::HesScale), BOUND);
    }
    let sample = Sample::new(models().swap_remove(0), 70, 3);
    follow(&of_class(DeviceClass::Discrete), &sample, PlanOptions::inference, BOUND);
}

#[test]
fn storage_in_f16() {
    let context = of_class(DeviceClass::Software);
    if !context.device().features().contains(wgpu::Features::SHADER_F16) {
        not_run("SHADER_F16");
        return;
    }
    for model in models() {
        let sample = Sample::new(model, 5, 3);
        let bound = 12.0 / 2048.0 * (sample.model.layers().len() + 1) as f64;
        follow(&context, &sample, || PlanOptions::inference().storage(Dtype::F16), bound);
    }
}

/// What is asked for changes no result, and is there after a step too.
#[test]
fn asking_changes_nothing() {
    for model in models() {
        let sample = Sample::new(model, 5, 3);
        let plain = sample.on(&context(), PlanOptions::training(Mode::HesScaleR1));
        let options = PlanOptions::training(Mode::HesScaleR1);
        let options = sample.places().into_iter().fold(options, PlanOptions::activation);
        let asked = sample.on(&context(), options.clone());
        assert_eq!(bits(&asked.gradient), bits(&plain.gradient));
        assert_eq!(bits(&asked.diagonal), bits(&plain.diagonal));
        let (_state, plan) = plan(&context(), &sample, options);
        plan.write_targets(sample.targets.view()).unwrap();
        let last = plan.activation(At::Layer(sample.model.layers().len() - 1)).unwrap();
        submit(&context(), |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
        let read = context().read_blocking(&[last, plan.logits()]).unwrap();
        assert_eq!(bits(&read[0]), bits(&read[1]));
    }
}

#[test]
fn what_was_not_asked_for_is_refused() {
    let sample = Sample::new(models().swap_remove(0), 2, 3);
    let (state, plan) = plan(&context(), &sample, PlanOptions::inference().activation(At::Layer(1)));
    let missing = plan.activation(At::Layer(0)).unwrap_err();
    let what = "the activation at Layer(0)".into();
    assert_eq!(missing, Error::NotPlanned { what, ask: "PlanOptions::activation" });
    let new = |options| -> Result<()> { Plan::new(&context(), &sample.model, &state, 2, options).map(drop) };
    let unknown = new(PlanOptions::inference().activation(At::Layer(9))).unwrap_err();
    assert!(matches!(&unknown, Error::Unknown { name, .. } if name == "9"), "{unknown}");
    let chain = Model::builder([4]).dense(3).loss(Loss::mse()).unwrap();
    let state = State::new(&context(), &chain, None).unwrap();
    let options = PlanOptions::inference().activation(At::Layer(0)).whole_network(true);
    let whole = Plan::new(&context(), &chain, &state, 2, options).unwrap_err();
    assert!(matches!(whole, Error::NotPlanned { .. }), "{whole}");
}
