//! Times every tile that this device supports on products of common sizes, and writes the fastest as a table for
//! `ContextOptions::tiles`.
//!
//! `cargo xtask tune` runs it; `-- --help` lists options.

#[path = "../common/arguments.rs"]
#[allow(dead_code)] // what other examples ask of a command line
mod arguments;
#[path = "../common/files.rs"]
mod files;

use arguments::Arguments;
use hesscale::model::{Builder, MaxPool2d};
use hesscale::tuning::{ProductTime, TileTable, Tiles};
use hesscale::{Activation, At, Context, Loss, Mode, Model, Plan, PlanOptions, Request, State};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
Usage: cargo xtask tune [options]

Times the products of dense and convolutional layers in every tile the device can make, prints a line
for each and writes the fastest to a file, which ContextOptions::tiles takes.

Options:
  --adapter NAME   the first adapter with NAME in its name, driver or backend (default: wgpu's choice)
  --out FILE       where the table goes (default: tiles.json)
  --quick          one small network only
  --only SUBSTRING only networks with SUBSTRING in their name (`dense 512`, `batch 32`, `3C3D`)
  --ms N           milliseconds for each tile of each product (default: 50)
  --help           print this";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Options {
    adapter: Option<String>,
    out: String,
    quick: bool,
    only: Option<String>,
    about: Duration,
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
    match tune(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` for `--help`. The error is a message for the user.
fn parse(mut arguments: Arguments) -> Result<Option<Options>, String> {
    let about = Duration::from_millis(50);
    let mut options = Options { adapter: None, out: "tiles.json".into(), quick: false, only: None, about };
    while let Some(argument) = arguments.next()? {
        match argument.as_str() {
            "--adapter" => options.adapter = Some(arguments.value()?),
            "--out" => options.out = arguments.value()?,
            "--ms" => options.about = Duration::from_millis(arguments.count()?.into()),
            "--quick" => options.quick = true,
            "--only" => options.only = Some(arguments.value()?),
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option `{argument}`")),
        }
    }
    Ok(Some(options))
}

fn tune(options: &Options) -> Outcome<()> {
    files::can_write(Path::new(&options.out))?;
    let request = Request::default().adapter(options.adapter.clone());
    let context = pollster::block_on(Context::request_with(&request))?;
    println!(
        "adapter: {}\n\n| product | m, n, k | planned | GFLOP/s | fastest | GFLOP/s |",
        context.describe()
    );
    println!("|---|---|---|---|---|---|");
    let mut table = TileTable { adapter: context.describe(), entries: Vec::new() };
    for (_, model, batch) in chosen(options)? {
        for mode in [Mode::HesScale, Mode::None, Mode::HesScaleR1, Mode::HesScaleR2] {
            let state = State::new(&context, &model, None)?;
            let options_of = PlanOptions::training(mode).signal(At::Input).fewer_dispatches(false);
            let plan = Plan::new(&context, &model, &state, batch, options_of)?;
            let times = plan.time_products(Tiles::All, options.about)?;
            let same = |a: &ProductTime, b: &ProductTime| {
                (a.usage, a.components, a.size) == (b.usage, b.components, b.size)
            };
            for product in times.chunk_by(same) {
                let known = |t: &ProductTime| {
                    let entry = t.entry();
                    table.entries.iter().any(|e| {
                        (e.usage, e.components, e.size) == (entry.usage, entry.components, entry.size)
                    })
                };
                let (Some(best), Some(planned)) =
                    (product.iter().min_by_key(|t| t.time), product.iter().find(|t| t.planned))
                else {
                    continue;
                };
                if known(best) {
                    continue;
                }
                // Change a tile only for more than noise.
                let best =
                    if 1.03 * best.time.as_secs_f64() < planned.time.as_secs_f64() { best } else { planned };
                println!("{}", line(planned, best));
                table.entries.push(best.entry());
            }
            // Results so far survive an interruption.
            std::fs::write(&options.out, table.to_json())
                .map_err(|error| format!("cannot write {}: {error}", options.out))?;
        }
    }
    println!("\n{} products: {}", table.entries.len(), options.out);
    Ok(())
}

fn line(planned: &ProductTime, best: &ProductTime) -> String {
    let rate = |t: &ProductTime| t.flops as f64 / t.time.as_secs_f64() / 1e9;
    let [m, n, k] = planned.size;
    let (name, components) = (planned.usage.name(), planned.components);
    let (own, other) = (planned.tile, best.tile);
    format!(
        "| {name} of {components} | {m}, {n}, {k} | {own} | {:.1} | {other} | {:.1} |",
        rate(planned),
        rate(best)
    )
}

/// The networks that `--only` names.
fn chosen(options: &Options) -> Outcome<Vec<(String, Model, usize)>> {
    let mut networks = networks(options.quick)?;
    let Some(only) = &options.only else { return Ok(networks) };
    let known: Vec<String> = networks.iter().map(|(name, ..)| name.clone()).collect();
    networks.retain(|(name, ..)| name.contains(only));
    if networks.is_empty() {
        return Err(format!("no network has `{only}` in its name; there are: {}", known.join("; ")).into());
    }
    Ok(networks)
}

/// Networks with typical products, with names and batches.
fn networks(quick: bool) -> Outcome<Vec<(String, Model, usize)>> {
    let dense = |width: usize| {
        let body = Model::builder([width]).act(Activation::Tanh).dense(width).act(Activation::Tanh);
        body.loss(Loss::mse())
    };
    let named = |width: usize, batch: usize| -> Outcome<_> {
        Ok((format!("dense {width}, batch {batch}"), dense(width)?, batch))
    };
    if quick {
        return Ok(vec![named(512, 128)?]);
    }
    let mut networks = Vec::new();
    for width in [128, 512, 1024] {
        for batch in [1, 8, 32, 128, 512] {
            networks.push(named(width, batch)?);
        }
    }
    networks.push(named(2048, 2048)?);
    let elu = Activation::Elu { alpha: 1.0 };
    let stage = |builder: Builder, outputs, kernel| {
        builder.conv2d(outputs, kernel).act(elu).layer(MaxPool2d::new(3).stride(2))
    };
    let convolutions = || stage(stage(stage(Model::builder([3, 32, 32]), 64, 5), 96, 3), 128, 3).flatten();
    for batch in [32, 128] {
        let model = convolutions().dense(10).loss(Loss::cross_entropy())?;
        networks.push((format!("3C3D, batch {batch}"), model, batch));
    }
    Ok(networks)
}
