//! The profile: every kernel by name, in order, without changing any result.

use crate::harness::{Sample, bits, context, not_run, request, submit};
use hesscale::wgpu::Features;
use hesscale::{
    Activation, Context, Error, Loss, Mode, Model, Optimizer, Pass, Pieces, Plan, PlanOptions, Roofline,
    State,
};

fn sample() -> Sample {
    let builder = Model::builder([13]).dense(24).act(Activation::Tanh).dense(4);
    Sample::new(builder.loss(Loss::cross_entropy()).unwrap(), 19, 8)
}

fn plan(context: &Context, sample: &Sample) -> (State, Plan) {
    let state = State::new(context, &sample.model, Some(Optimizer::ada_hesscale(1e-2))).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let options = PlanOptions::training(Mode::HesScale);
    let plan = Plan::new(context, &sample.model, &state, sample.batch, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    plan.write_targets(sample.targets.view()).unwrap();
    (state, plan)
}

/// A device with timestamps, if the adapter supports them.
fn clocked() -> Option<Context> {
    let request = request(false).features(Features::TIMESTAMP_QUERY);
    let context = pollster::block_on(Context::request_with(&request)).unwrap();
    let has = context.device().features().contains(Features::TIMESTAMP_QUERY);
    if !has {
        not_run("the adapter has no timestamps");
    }
    has.then_some(context)
}

#[test]
fn leaves_what_ordinary_steps_leave_where_there_are_timestamps() {
    let Some(context) = clocked() else { return };
    let left = |(state, plan): (State, Plan)| {
        let tensors = [plan.loss().unwrap(), state.parameters(), state.gradient(), state.diagonal()];
        context.read_blocking(&tensors).unwrap().iter().map(|tensor| bits(tensor)).collect::<Vec<_>>()
    };
    let (profiled, ordinary) = (plan(&context, &sample()), plan(&context, &sample()));
    let before = context.read_blocking(&[profiled.0.parameters()]).unwrap();
    profiled.1.profile(Pieces::step(Pass::FULL), 3).unwrap();
    for _ in 0..3 {
        submit(&context, |encoder| ordinary.1.record_step(encoder, Pass::FULL).unwrap());
    }
    let after = left(profiled);
    assert_ne!(after[1], bits(&before[0]), "the steps changed the parameters");
    assert_eq!(after, left(ordinary));
}

#[test]
fn the_trace_has_every_kernel_once_and_none_overlaps_where_there_are_timestamps() {
    let Some(context) = clocked() else { return };
    let (_state, plan) = plan(&context, &sample());
    let profile = plan.profile(Pieces::step(Pass::FULL), 3).unwrap();
    let known: Vec<(&str, u64)> = plan.dispatches().collect();
    assert!(known.len() > 5 && known.iter().any(|(_, flops)| *flops > 0));
    let timed: Vec<_> = profile.kernels.iter().map(|k| (k.label.as_str(), k.flops)).collect();
    assert_eq!(timed, known);
    let cost: u64 = profile.kernels.iter().map(|kernel| kernel.flops + kernel.bytes).sum();
    assert_eq!(cost, plan.cost(Pieces::step(Pass::FULL)).unwrap());

    let trace: serde_json::Value = serde_json::from_str(&profile.chrome_trace()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(events.len(), known.len());
    let mut end = 0.0;
    for (event, (label, _)) in events.iter().zip(&known) {
        assert_eq!((event["name"].as_str(), event["ph"].as_str()), (Some(*label), Some("X")));
        let (begin, duration) = (event["ts"].as_f64().unwrap(), event["dur"].as_f64().unwrap());
        assert!(begin >= end && duration >= 0.0, "{event}");
        end = begin + duration;
    }
    assert!(end > 0.0 && (end - profile.micros()).abs() < 1e-6 * end, "{end}");
    let table = profile.to_string();
    assert!(known.iter().all(|(label, _)| table.contains(label)), "{table}");
}

#[test]
fn a_roofline_bounds_by_whichever_is_slower_where_there_are_timestamps() {
    let Some(context) = clocked() else { return };
    let roofline = Roofline::measure(&context).unwrap();
    println!("{roofline:?}");
    assert!(roofline.flops > 1e8 && roofline.bytes > 1e8, "{roofline:?}");
    let (arithmetic, traffic) = (roofline.micros(1 << 30, 0), roofline.micros(0, 1 << 30));
    assert!(arithmetic > 0.0 && traffic > 0.0);
    assert_eq!(roofline.micros(1 << 30, 1 << 30), arithmetic.max(traffic));
    let (_state, plan) = plan(&context, &sample());
    let profile = plan.profile(Pieces::forward(), 1).unwrap();
    assert_eq!(profile.share(&profile.kernels[0]), None);
    let profile = profile.under(roofline);
    let kernel = &profile.kernels[0];
    let share = roofline.micros(kernel.flops, kernel.bytes) / kernel.micros;
    assert_eq!(profile.share(kernel), Some(share));
}

#[test]
fn what_cannot_be_profiled_is_refused() {
    let without = context();
    let (_state, plan) = plan(&without, &sample());
    let refused = plan.profile(Pieces::forward(), 1);
    assert!(matches!(refused, Err(Error::NotPlanned { .. })), "{refused:?}");
    assert!(matches!(Roofline::measure(&without), Err(Error::NotPlanned { .. })));
}
