//! This crate's performance on a GPU relative to the GPU's peak: arithmetic and bandwidth, large products, small networks' steps,
//! and the optimiser. It needs only a Vulkan, Metal or DX12 driver, so it can be built elsewhere and copied.
//!
//! `cargo run --release --example gpu_report` prints a table; `--small` uses sizes suitable for a software adapter.
//! Where the crate's model knows the GPU, its figures stand beside the measured ones; `--model` prints the model's of all GPUs that
//! it knows, and needs none. `benches/discrete.sh` runs it together with the other measurements.

#[path = "../common/arguments.rs"]
#[allow(dead_code)] // what other examples ask of a command line
mod arguments;
mod device;
mod dispatches;
#[path = "../common/files.rs"]
mod files;
mod modelled;

use arguments::Arguments;
use device::{Probe, median};
use hesscale::model::{Init, Targets};
use hesscale::tuning::{TileTable, TileUse, Tiles};
use hesscale::{
    Activation, At, Context, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, Request, State,
};
use modelled::Modelled;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
Usage: gpu_report [options]

Options:
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: wgpu's choice)
  --tiles FILE     a table that `cargo xtask tune` wrote
  --small          sizes for a software adapter
  --model          only what the model says, of each GPU that it knows; no adapter is asked
  --kernels        the same, kernel by kernel
  --help           print this";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[derive(Default)]
struct Options {
    adapter: Option<String>,
    tiles: Option<String>,
    small: bool,
    model: Option<Kernels>,
}

/// Whether the model's tables of kernels are printed.
#[derive(Clone, Copy, PartialEq)]
enum Kernels {
    Summed,
    Each,
}

fn main() -> ExitCode {
    let options = match parse(Arguments::of_process()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("{message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match report(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: Arguments) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument.as_str() {
            "--adapter" => options.adapter = Some(arguments.value()?),
            "--tiles" => options.tiles = Some(arguments.value()?),
            "--small" => options.small = true,
            "--model" => options.model = options.model.or(Some(Kernels::Summed)),
            "--kernels" => options.model = Some(Kernels::Each),
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option `{argument}`")),
        }
    }
    Ok(Some(options))
}

fn report(options: &Options) -> Outcome<()> {
    if let Some(kernels) = options.model {
        return modelled::print(kernels == Kernels::Each);
    }
    let mut request = Request::default().adapter(options.adapter.clone());
    if let Some(file) = &options.tiles {
        request.options.tiles = Some(TileTable::from_json(&files::read(Path::new(file))?)?);
    }
    let context = pollster::block_on(Context::request_with(&request))?;
    println!("adapter: {} as {:?}\n", context.describe(), context.class());
    let modelled = Modelled::of(&context);
    println!("| what | measured | modelled | bar | goal |\n|---|---|---|---|---|");
    let probe = Probe::new(&context);
    let peak = probe.multiply_adds(options.small)?;
    println!("| multiply-adds alone, GFLOP/s | {peak:.0} | | | |");
    let megabytes: u64 = if options.small { 64 } else { 512 };
    let bandwidth = probe.copies(megabytes << 20)?;
    println!("| copy of {megabytes} MB, read and written, GB/s | {bandwidth:.1} | | | |");
    let sizes: &[usize] = if options.small { &[256, 512] } else { &[2048, 4096] };
    for size in sizes {
        products(&context, &modelled, *size, peak)?;
    }
    let batches: &[usize] = if options.small { &[1, 32] } else { &[1, 8, 32, 128, 256] };
    for batch in batches {
        small_steps(&context, &modelled, *batch)?;
    }
    let batches: &[usize] = if options.small { &[1, 32] } else { &[1, 8, 32, 128, 512] };
    for batch in batches {
        dispatches::compare(&context, *batch)?;
    }
    let width = if options.small { 512 } else { 2048 };
    for optimizer in [Optimizer::sgd(1e-3), Optimizer::adam(1e-3), Optimizer::ada_hesscale(1e-3)] {
        update(&context, &probe, width, optimizer)?;
    }
    Ok(())
}

/// Square products: the forward pass, and a signal of two components against one.
fn products(context: &Context, modelled: &Modelled, size: usize, peak: f64) -> Outcome<()> {
    // An activation in front, so that the signal goes on to it.
    let body = Model::builder([size]).act(Activation::Identity).dense_no_bias(size);
    let model = body.loss(Loss::mse())?;
    let about = Duration::from_millis(300);
    let mut signals = Vec::new();
    for mode in [Mode::None, Mode::HesScale] {
        let state = State::new(context, &model, None)?;
        let options = PlanOptions::training(mode).signal(At::Input).fewer_dispatches(false);
        let forecast = modelled.forecast(context, &model, size, None, &options)?;
        let plan = Plan::new(context, &model, &state, size, options)?;
        for product in plan.time_products(Tiles::Planned, about)? {
            if mode == Mode::HesScale && product.usage == TileUse::Forward {
                continue; // the same as without curvature
            }
            let (seconds, name) = (product.time.as_secs_f64(), product.usage.name());
            let rate = product.flops as f64 / seconds / 1e9;
            let part = 100.0 * rate / peak;
            let goal = if product.usage == TileUse::Forward { "60 % of the multiply-adds" } else { "" };
            println!(
                "| {size}³ {name}, numbers: {}, tile {}, GFLOP/s | {rate:.0} ({part:.0} %) | {} | cuBLAS f32 | {goal} |",
                product.components,
                product.tile,
                modelled::rate(forecast.as_ref(), &product)
            );
            if product.usage == TileUse::Signal {
                signals.push(seconds);
            }
        }
    }
    if let [plain, dual] = signals[..] {
        println!("| {size}³ signal, two numbers over one | {:.2} | | 2.00 | below 2.00 |", dual / plain);
    }
    Ok(())
}

/// Wall-clock time of whole training steps of a small network, each recorded, submitted and waited for.
fn small_steps(context: &Context, modelled: &Modelled, batch: usize) -> Outcome<()> {
    let body = Model::builder([64]).dense(64).act(Activation::Tanh).dense(64).act(Activation::Tanh);
    let model = body.dense(10).loss(Loss::cross_entropy())?;
    let (mut times, mut model_says) = (Vec::new(), String::new());
    for optimizer in [Optimizer::adam(1e-3), Optimizer::ada_hesscale(1e-3)] {
        let state = State::new(context, &model, Some(optimizer))?;
        state.write_parameters(&model.init(Init::Glorot, 1)?)?;
        let options = PlanOptions::training(optimizer.rule.mode());
        if let Some(forecast) = modelled.forecast(context, &model, batch, Some(&optimizer), &options)? {
            model_says = format!("{:.0}", forecast.micros());
        }
        let plan = Plan::new(context, &model, &state, batch, options)?;
        plan.write_input(&vec![0.5; batch * 64])?;
        plan.write_targets(Targets::Classes(&vec![3; batch]))?;
        times.push(median(200, || {
            let mut encoder = context.device().create_command_encoder(&Default::default());
            plan.record_step(&mut encoder, Pass::FULL)?;
            context.queue().submit([encoder.finish()]);
            Ok(context.wait()?)
        })?);
    }
    let [adam, ada] = times[..] else { return Ok(()) };
    println!(
        "| step of 64-64-64-10 at batch {batch}, AdaHesScale, µs (over Adam) | {:.0} ({:.2}) | {model_says} | PyTorch eager | |",
        1e6 * ada,
        ada / adam
    );
    Ok(())
}

/// The optimiser's update relative to a copy of the bytes that it must read and write.
fn update(context: &Context, probe: &Probe<'_>, width: usize, optimizer: Optimizer) -> Outcome<()> {
    let model = Model::builder([width]).dense(width).loss(Loss::mse())?;
    let state = State::new(context, &model, Some(optimizer))?;
    let plan = Plan::new(context, &model, &state, 1, PlanOptions::training(optimizer.rule.mode()))?;
    let seconds = median(50, || {
        let mut encoder = context.device().create_command_encoder(&Default::default());
        for _ in 0..10 {
            plan.record_update(&mut encoder, Pass::FULL)?;
        }
        context.queue().submit([encoder.finish()]);
        Ok(context.wait()?)
    })? / 10.0;
    // Words moved per parameter: the parameter and the gradient; with moments also those; with curvature also the diagonal.
    let words: u64 = match optimizer.rule.name() {
        "sgd" => 3,
        "adam" => 7,
        _ => 8,
    };
    let bytes = 4 * words * model.flat_len() as u64;
    let copy = bytes as f64 / 1e9 / probe.copies(bytes.div_ceil(8) * 4)?;
    println!(
        "| {} update of {} parameters over a copy of its {words} words each | {:.2} | | | 1.2 |",
        optimizer.rule.name(),
        model.parameter_count(),
        seconds / copy
    );
    Ok(())
}
