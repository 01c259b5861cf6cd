//! The savings of two kernels in one dispatch.

use crate::Outcome;
use crate::device::medians;
use hesscale::model::{Init, Targets};
use hesscale::{Activation, Context, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State};

/// Whole training steps with kernels joined in one dispatch where possible, over steps with a dispatch each, interleaved.
pub(crate) fn compare(context: &Context, batch: usize) -> Outcome<()> {
    let body = Model::builder([784]).dense(512).act(Activation::Tanh).dense(512).act(Activation::Tanh);
    let model = body.dense(10).loss(Loss::cross_entropy())?;
    let state = State::new(context, &model, Some(Optimizer::ada_hesscale(1e-3)))?;
    for fused in [false, true] {
        let plan = |fewer: bool| -> Outcome<Plan> {
            state.write_parameters(&model.init(Init::Glorot, 1)?)?;
            let options = PlanOptions::training(Mode::HesScale).fewer_dispatches(fewer);
            let options = if fused { options.fused_update() } else { options };
            let plan = Plan::new(context, &model, &state, batch, options)?;
            plan.write_input(&vec![0.5; batch * 784])?;
            plan.write_targets(Targets::Classes(&vec![3; batch]))?;
            Ok(plan)
        };
        let plans = [plan(false)?, plan(true)?];
        let [apart, fewer] = medians(if batch > 100 { 40 } else { 200 }, |whose| {
            let mut encoder = context.device().create_command_encoder(&Default::default());
            plans[whose].record_step(&mut encoder, Pass::FULL)?;
            context.queue().submit([encoder.finish()]);
            Ok(context.wait()?)
        })?;
        let [many, few] = plans.each_ref().map(|plan| plan.dispatches().count());
        let update = if fused { "update fused" } else { "update apart" };
        println!(
            "| step of 784-512-512-10 at batch {batch}, {update}, {few} dispatches over {many}, µs | {:.0} over {:.0} ({:.3}) | | | below 1 |",
            1e6 * fewer,
            1e6 * apart,
            fewer / apart
        );
    }
    Ok(())
}
