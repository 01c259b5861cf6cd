//! Compares a step of this crate with burn's forward and backward pass, interleaved in one process on one adapter.
//!
//! `cargo run --release` here; `-- --adapter NAME`, `-- --cpu` (the crate's executor against burn's flex backend), `-- --only
//! SUBSTRING` and `-- --rounds N` choose. Times are medians, and so are ratios, each of a step over burn's just before it;
//! below 1 this crate is faster. The gradients must agree before a row is timed.

mod agree;
mod ours;
mod theirs;
#[path = "../../vs_backprop/workload.rs"]
mod workload;

use hesscale::{Context, Request};
use ours::Ours;
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;
use theirs::Theirs;
use workload::{MODES, Workload};

/// Rows of the table.
const ROWS: [&str; 6] = [
    "784-512-512-10 tanh, batch 1",
    "784-512-512-10 tanh, batch 32",
    "784-512-512-10 tanh, batch 128",
    "784-512-512-10 tanh, batch 512",
    "784-1024x4-10 tanh, batch 128",
    "CIFAR-10 3C3D elu, batch 32",
];

/// Warm-up rounds: shaders are compiled, and burn autotunes.
const WARM_UP: usize = 8;

/// Time budget of a row, for 9 to 101 rounds.
const SECONDS: f64 = 10.0;

#[derive(Default)]
struct Options {
    adapter: Option<String>,
    cpu: bool,
    only: String,
    rounds: Option<usize>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--adapter" => options.adapter = Some(value()?),
            "--cpu" => options.cpu = true,
            "--only" => options.only = value()?,
            "--rounds" => options.rounds = Some(value()?.parse::<usize>()?.max(1)),
            _ => {
                return Err(format!(
                    "unknown option `{name}`: --adapter, --cpu, --only and --rounds are known"
                )
                .into());
            }
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (ours, theirs) = match options.cpu {
        true => (Ours::Cpu, theirs::flex()),
        false => {
            let request = Request::default().adapter(options.adapter.clone());
            let context = pollster::block_on(Context::request_with(&request))?;
            let theirs = theirs::gpu(&context.device().adapter_info())?;
            (Ours::Gpu(context), theirs)
        }
    };
    println!("device: {}; bars (and goals): plain 0.7 (0.4), HesScale 1.0 (0.6) of burn\n", ours.name());
    println!(
        "| workload | rounds | burn ms | plain ms | ratio | HesScale ms | ratio | gradients differ by |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for workload in workload::chosen(None)? {
        let name = workload.name();
        if ROWS.contains(&name.as_str()) && name.contains(&options.only) {
            println!("| {name} | {} |", measure(&ours, &theirs, &workload, options.rounds)?);
        }
    }
    Ok(())
}

/// The rest of a row.
fn measure(
    ours: &Ours,
    theirs: &burn::tensor::Device,
    workload: &Workload,
    rounds: Option<usize>,
) -> Result<String, Box<dyn Error>> {
    let theirs = Theirs::new(theirs, workload);
    // Plain and HesScale.
    let mut steps = [ours.step(workload, MODES[0])?, ours.step(workload, MODES[2])?];
    let expected = theirs.gradient()?;
    let mut error = 0.0;
    for step in &mut steps {
        step.run()?;
        error = agree::check(workload.model.parameters(), &step.gradient()?, &expected)?.max(error);
    }
    let mut round = || -> Result<[f64; 3], Box<dyn Error>> {
        let burn = timed(|| theirs.step())?;
        let [plain, hesscale] = &mut steps;
        Ok([burn, timed(|| plain.run())?, timed(|| hesscale.run())?])
    };
    let mut one = f64::INFINITY;
    for _ in 0..WARM_UP {
        one = one.min(round()?.iter().sum());
    }
    let rounds = rounds.unwrap_or(((1e3 * SECONDS / one) as usize).clamp(9, 101));
    let times = (0..rounds).map(|_| round()).collect::<Result<Vec<_>, _>>()?;
    let median = |of: fn(&[f64; 3]) -> f64| median(times.iter().map(of).collect());
    let [burn, plain, hesscale] = [median(|t| t[0]), median(|t| t[1]), median(|t| t[2])];
    let [over_plain, over_hesscale] = [median(|t| t[1] / t[0]), median(|t| t[2] / t[0])];
    Ok(format!(
        "{rounds} | {burn:.2} | {plain:.2} | {over_plain:.2} | {hesscale:.2} | {over_hesscale:.2} | {error:.1e}"
    ))
}

/// Milliseconds.
fn timed(step: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    step()?;
    Ok(1e3 * start.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
