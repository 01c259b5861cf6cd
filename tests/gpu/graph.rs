//! Networks with named values: gates, U-Nets, sums; three classes of device in turn, and trained as the CPU trains them.

use crate::common::{compare, to_f64};
use crate::harness::{BOUND, CLASSES, Sample, distinct, of_class, share_from, steady, submit};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{Builder, Conv2d, MaxPool2d, Noise, OutputSignal, Upsample2d};
use hesscale::reference::loss_and_signal;
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, At, Context, Layer, Loss, Mode, Model, Pass, Plan, PlanOptions, State};

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
    distinct(CLASSES.map(of_class), model, batch, Some(steady()), std::slice::from_ref(options))
}

/// With all signals kept in two classes, and fused as far as possible in the third.
#[test]
fn named_values_follow_the_reference() {
    for (turn, (model, batch)) in [(u_net(), 3), (rows(), 33)].into_iter().enumerate() {
        let sample = Sample::new(model, batch, 5);
        let everything = (Mode::HesScaleR2, sample.places(), DeviceClass::Discrete);
        let software = (Mode::HesScale, sample.places(), DeviceClass::Software);
        let fused = (Mode::HesScaleGn, Vec::new(), DeviceClass::Integrated);
        for (mode, places, class) in share_from([software, everything, fused], 3, turn) {
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
        for context in contexts(&model, batch, &PlanOptions::training(Mode::HesScale).fused_update()) {
            Sample::new(model.clone(), batch, 3).trains_beside_frozen(&context, &[]);
        }
    }
}

#[test]
fn named_values_in_plans_of_every_kind() {
    Sample::new(u_net(), 3, 7).follows_in_plans_of_every_kind(0, &["8", "11"]);
    Sample::new(rows(), 33, 7).follows_in_plans_of_every_kind(1, &["3"]);
}

/// Where the outputs are a sum or lie side by side, the signal that the host writes reaches all that they are made of.
#[test]
fn the_hosts_signal_at_named_values() {
    let rows = || Model::builder([9]).dense(7).act(Tanh).name("x").dense(7);
    let image = || Model::builder([2, 6, 5]).layer(same(5)).act(Tanh).name("x").layer(same(5));
    let models = [
        rows().plus("x").loss(Loss::cross_entropy()),
        rows().concat("x").loss(Loss::mse()),
        image().plus("x").loss(Loss::bce_with_logits()),
        image().concat("x").loss(Loss::mse()),
    ];
    let modes = [Mode::HesScaleR2, Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR1];
    for (turn, (model, mode)) in models.into_iter().zip(modes).enumerate() {
        let context =
            of_class([DeviceClass::Software, DeviceClass::Discrete, DeviceClass::Integrated][turn % 3]);
        let sample = Sample::new(model.unwrap(), 5, 9);
        let want = sample.reference(mode);
        let (_, signal) = loss_and_signal(&sample.model, mode, &want.logits, sample.targets.view()).unwrap();
        let narrow = |values: &[f64]| values.iter().map(|x| *x as f32).collect::<Vec<_>>();
        let u: Vec<_> = signal.u.iter().map(|u| narrow(u)).collect();
        let u: Vec<_> = u.iter().map(|u| &u[..]).collect();
        let h = narrow(if mode.rank() > 0 { &signal.rest } else { &signal.h });
        let model = sample.model.clone().with_loss(Loss::external()).unwrap();
        let state = State::new(&context, &model, None).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan = Plan::new(&context, &model, &state, sample.batch, PlanOptions::training(mode)).unwrap();
        plan.write_input(&sample.x).unwrap();
        plan.write_signal(OutputSignal { g: &narrow(&signal.g), h: &h, u: &u }).unwrap();
        submit(&context, |encoder| {
            plan.record_forward(encoder);
            plan.record_backward(encoder, Pass::FULL).unwrap();
        });
        let got = context.read_blocking(&[state.gradient(), state.diagonal()]).unwrap();
        let loss = sample.on(&context, PlanOptions::training(mode));
        let (gradient, diagonal) = (&want.gradient, &want.diagonal);
        for (what, got, loss, want) in
            [("gradient", &got[0], &loss.gradient, gradient), ("diagonal", &got[1], &loss.diagonal, diagonal)]
        {
            let got = to_f64(&got[..want.len()]);
            for want in [want, &to_f64(loss)] {
                compare(what, &got, want, BOUND).unwrap_or_else(|fault| panic!("{mode:?}, {turn}: {fault}"));
            }
        }
    }
}

/// Positions that are one, of channels that are no vectors: their padding is between them.
#[test]
fn pooled_channels_side_by_side() {
    for (turn, [one, other]) in [[2, 2], [3, 5]].into_iter().enumerate() {
        let branch = |m: Builder, channels| m.conv2d(channels, 2).act(Tanh).layer(Layer::global_avg_pool());
        let m = branch(Model::builder([2, 4, 5]).name("image"), one).name("pooled").from("image");
        let m = branch(m, other).concat("pooled").flatten().dense(4);
        let sample = Sample::new(m.loss(Loss::cross_entropy()).unwrap(), 3, 2);
        let context = of_class([DeviceClass::Software, DeviceClass::Discrete][turn]);
        for (mode, places) in [(Mode::HesScaleR2, sample.places()), (Mode::HesScale, Vec::new())] {
            sample
                .follows(&context, mode, &places)
                .unwrap_or_else(|fault| panic!("{one} + {other}, {mode:?}: {fault}"));
        }
    }
}

/// What does nothing is a place of its own all the same: its signal is not that of all who read the value before it.
#[test]
fn a_signal_behind_a_named_value() {
    let model = Model::builder([6]).dense(3).name("x").layer(Layer::Identity).dense(3).plus("x");
    let sample = Sample::new(model.loss(Loss::mse()).unwrap(), 4, 2);
    let at = At::Layer(2);
    for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
        let want = &sample.reference(mode).signals[2];
        let mut executor =
            Executor::new(&sample.model, 4, ExecutorOptions::training(mode).signal(at)).unwrap();
        executor.pass(mode, &sample.parameters, &sample.x, sample.targets.view(), Noise::default()).unwrap();
        let (g, h) = executor.signal(at).unwrap();
        compare("g on the CPU", &to_f64(&g), &want.g, BOUND).unwrap();
        compare("h on the CPU", &to_f64(&h), &want.h, BOUND).unwrap();
        sample.follows(&crate::harness::context(), mode, &[at]).unwrap();
    }
}
