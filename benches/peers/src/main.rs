//! A step of this crate beside burn's forward and backward pass, in one process on one adapter, taking turns.
//!
//! `cargo run --release` here; `-- --adapter NAME`, `-- --cpu` (the crate's executor beside burn's flex backend), `-- --only
//! SUBSTRING` and `-- --rounds N` choose. Ratios are of medians; below 1 this crate is faster.

mod ours;
mod theirs;
#[path = "../../vs_backprop/workload.rs"]
mod workload;

use ours::Ours;
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;
use theirs::Theirs;
use workload::{MODES, Workload};

/// Rows of the table, by a part of their names.
const ROWS: [&str; 4] = [
    "784-512-512-10 tanh, batch 32",
    "784-512-512-10 tanh, batch 128",
    "784-1024x4-10 tanh, batch 128",
    "CIFAR-10 3C3D elu, batch 32",
];

/// What a ratio must be below, and what it is meant to reach: a plain step's, and HesScale's.
const BARS: [[f64; 2]; 2] = [[0.7, 0.4], [1.0, 0.6]];

/// Rounds before the first timed one: shaders are compiled, and burn tries out kernels.
const WARM_UP: usize = 8;

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
            let adapter = theirs::adapter(options.adapter.as_deref())?;
            (Ours::gpu(&adapter)?, theirs::gpu(adapter)?)
        }
    };
    println!("device: {}; forward and backward pass, medians; ratio: this crate over burn", ours.name());
    println!(
        "{:32} {:>9} | {:>9} {:>6} {:>4} {:>4} | {:>9} {:>6} {:>4} {:>4}",
        "workload", "burn ms", "plain ms", "ratio", "bar", "goal", "HesScale", "ratio", "bar", "goal"
    );
    for workload in workload::chosen(None)? {
        let name = workload.name();
        if ROWS.contains(&name.as_str()) && name.contains(&options.only) {
            let times = measure(&ours, &theirs, &workload, options.rounds)?;
            println!("{}", line(&name, times));
        }
    }
    Ok(())
}

/// Medians in milliseconds: burn's, and this crate's plain and HesScale steps.
fn measure(
    ours: &Ours,
    theirs: &burn::tensor::Device,
    workload: &Workload,
    rounds: Option<usize>,
) -> Result<[f64; 3], Box<dyn Error>> {
    let theirs = Theirs::new(theirs, workload);
    // Plain and HesScale.
    let mut steps = [ours.step(workload, MODES[0])?, ours.step(workload, MODES[2])?];
    let mut times = [const { Vec::new() }; 3];
    let mut round = |times: &mut [Vec<f64>; 3]| -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        timed(&mut times[0], || theirs.step())?;
        for (step, times) in steps.iter_mut().zip(&mut times[1..]) {
            timed(times, || step.run())?;
        }
        Ok(start.elapsed().as_secs_f64())
    };
    let mut one = f64::INFINITY;
    for _ in 0..WARM_UP {
        one = one.min(round(&mut times)?);
    }
    times = Default::default();
    for _ in 0..rounds.unwrap_or(((10.0 / one) as usize).clamp(9, 101)) {
        round(&mut times)?;
    }
    Ok(times.map(median))
}

fn timed(
    times: &mut Vec<f64>,
    step: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    step()?;
    times.push(1e3 * start.elapsed().as_secs_f64());
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn line(name: &str, [burn, plain, hesscale]: [f64; 3]) -> String {
    let part =
        |time: f64, [bar, goal]: [f64; 2]| format!("{time:>9.2} {:>6.2} {bar:>4} {goal:>4}", time / burn);
    format!("{name:32} {burn:>9.2} | {} | {}", part(plain, BARS[0]), part(hesscale, BARS[1]))
}
