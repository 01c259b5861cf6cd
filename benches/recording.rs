//! The CPU cost of a step: µs to record and to submit it, and the cold-start time until the first step is done.
//!
//! `cargo bench --bench recording`. `MESA_SHADER_CACHE_DISABLE=true` in the environment keeps Mesa from reusing shaders
//! of an earlier run. The networks are small, like reinforcement-learning policies. `HESSCALE_ADAPTER` selects an
//! adapter by part of its name.

use hesscale::model::{Builder, Init, MaxPool2d};
use hesscale::{
    Activation, Context, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, Request, Result, State,
};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const WARM_UP: usize = 50;
const STEPS: usize = 1000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let request = Request::default().adapter(std::env::var("HESSCALE_ADAPTER").ok());
    let context = pollster::block_on(Context::request_with(&request))?;
    println!("adapter: {}\n", context.describe());
    println!(
        "Cold start, ms\n\n| network | shaders | plan | first step | a later step |\n|---|---|---|---|---|"
    );
    let image = Model::builder([1, 28, 28]).conv2d(16, 3).act(Activation::Relu).layer(MaxPool2d::new(2));
    let image = image.conv2d(32, 3).act(Activation::Relu).flatten().dense(10).loss(Loss::cross_entropy())?;
    for (name, model) in [("17-64-64-6", policy(17, &[64, 64], 6)?), ("28×28, two convolutions", image)] {
        println!("| {name} | {} |", cold_start(&request, &model)?);
    }
    println!("\nRecording, medians of {STEPS} steps, µs\n");
    println!("| network | optimizer | batch | kernels | record | encoder and finish | submit |");
    println!("|---|---|---|---|---|---|---|");
    let optimizers = [("SGD", Optimizer::sgd(1e-3)), ("AdaHesScale", Optimizer::ada_hesscale(1e-3))];
    for (inputs, hidden, outputs) in [(17, &[64, 64][..], 6), (4, &[64], 2), (64, &[256, 256, 256], 8)] {
        let model = policy(inputs, hidden, outputs)?;
        let sizes: Vec<String> =
            [&[inputs], hidden, &[outputs]].concat().iter().map(ToString::to_string).collect();
        for (name, optimizer) in optimizers {
            for batch in [1, 64] {
                let row = measure(&context, &model, optimizer, batch)?;
                println!("| {} | {name} | {batch} | {row} |", sizes.join("-"));
            }
        }
    }
    Ok(())
}

fn policy(inputs: usize, hidden: &[usize], outputs: usize) -> Result<Model> {
    let layer = |builder: Builder, width: &usize| builder.dense(*width).act(Activation::Tanh);
    hidden.iter().fold(Model::builder([inputs]), layer).dense(outputs).loss(Loss::mse())
}

/// A row's figures on a device of its own: pipelines; the plan, the first step and the second, each until it is done.
fn cold_start(request: &Request, model: &Model) -> Result<String> {
    let context = pollster::block_on(Context::request_with(request))?;
    let start = Instant::now();
    let state = State::new(&context, model, Some(Optimizer::ada_hesscale(1e-3)))?;
    let plan = Plan::new(&context, model, &state, 64, PlanOptions::training(Mode::HesScale))?;
    let mut times = vec![start.elapsed()];
    for _ in 0..2 {
        let start = Instant::now();
        let mut encoder = context.device().create_command_encoder(&Default::default());
        plan.record_step(&mut encoder, Pass::FULL)?;
        context.queue().submit([encoder.finish()]);
        context.wait()?;
        times.push(start.elapsed());
    }
    let times: Vec<String> = times.iter().map(|time| format!("{:.1}", time.as_secs_f64() * 1e3)).collect();
    Ok(format!("{} | {}", context.pipelines(), times.join(" | ")))
}

/// A row's figures: kernels; recording; making and finishing the encoder; submitting.
fn measure(context: &Context, model: &Model, optimizer: Optimizer, batch: usize) -> Result<String> {
    let state = State::new(context, model, Some(optimizer))?;
    state.write_parameters(&model.init(Init::Auto, 1)?)?;
    let plan = Plan::new(context, model, &state, batch, PlanOptions::training(optimizer.rule.mode()))?;
    let mut times: [Vec<Duration>; 3] = Default::default();
    for step in 0..WARM_UP + STEPS {
        let start = Instant::now();
        let mut encoder = context.device().create_command_encoder(&Default::default());
        let made = Instant::now();
        plan.record_step(&mut encoder, Pass::FULL)?;
        let recorded = Instant::now();
        let commands = encoder.finish();
        let finished = Instant::now();
        context.queue().submit([commands]);
        let submitted = Instant::now();
        if step >= WARM_UP {
            times[0].push(recorded - made);
            times[1].push(made - start + (finished - recorded));
            times[2].push(submitted - finished);
        }
        // As between frames, the device is idle when the next step is recorded.
        context.wait()?;
    }
    let micros = times.map(|mut times| {
        times.sort_unstable();
        format!("{:.1}", times[times.len() / 2].as_secs_f64() * 1e6)
    });
    Ok(format!("{} | {}", plan.dispatches().count(), micros.join(" | ")))
}
