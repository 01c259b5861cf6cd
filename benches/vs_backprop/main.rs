//! The cost of curvature: the full step (forward, loss, backward with parameters; no optimiser) in each mode relative to plain
//! backprop on the same GPU, or with `--cpu` on the CPU.
//!
//! `cargo bench --bench vs_backprop` prints a table and writes `vs_backprop.svg`; `-- --help` lists options.

mod cpu;
#[path = "../../examples/common/files.rs"]
mod files;
mod measure;
mod norms;
mod options;
mod picture;
mod report;
mod timestamps;
mod workload;

use hesscale::wgpu::Features;
use hesscale::{Context, Mode, Pass, Pieces, Request, Roofline};
use options::{Command, Options};
use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use workload::Workload;

const PICTURE: &str = "vs_backprop.svg";

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let outcome = match options::parse(arguments) {
        Err(message) => {
            eprintln!("{message}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
        Ok(Command::Help) => say(options::USAGE),
        Ok(Command::Measure(options)) => measure_all(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Like `println!`, but a closed pipe is an error instead of a panic.
fn say(text: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

fn measure_all(options: &Options) -> Result<(), Box<dyn Error>> {
    let workloads = workload::chosen(options.only.as_deref())?;
    if options.norms {
        return say(&norms::table(options.effort)?);
    }
    if options.cpu {
        return measure_cpu(options, &workloads);
    }
    files::can_write(Path::new(PICTURE))?;
    options.trace.as_deref().map_or(Ok(()), files::can_write)?;
    let features = Features::TIMESTAMP_QUERY | Features::TIMESTAMP_QUERY_INSIDE_ENCODERS;
    let request = Request::default().adapter(options.adapter.clone()).features(features);
    let context = pollster::block_on(Context::request_with(&request))?;
    if !options.json {
        say(&report::heading(&context.describe(), ["disp.", "GPU ms"]))?;
    }
    let mut all = Vec::new();
    for workload in &workloads {
        let rows = measure::measure(&context, workload, options.effort)?;
        for row in &rows {
            say(&if options.json { report::json(row)? } else { report::line(row) })?;
        }
        all.extend(rows);
    }
    if let Some(path) = &options.trace {
        trace(&context, &workloads[0], path, options.json)?;
    }
    picture::draw(Path::new(PICTURE), &all).map_err(|error| format!("cannot write {PICTURE}: {error}"))?;
    if options.json {
        return Ok(());
    }
    say(&format!("\n{}\npicture: {PICTURE}", report::NOTES))
}

/// The same on the CPU.
fn measure_cpu(options: &Options, workloads: &[workload::Workload]) -> Result<(), Box<dyn Error>> {
    let threads = cpu::threads(options.threads)?;
    if !options.json {
        say(&report::heading("none: the processor", ["thr.", "CPU ms"]))?;
    }
    for workload in workloads {
        for row in cpu::measure(&threads, workload, options.effort)? {
            say(&if options.json { report::json(&row)? } else { report::line(&row) })?;
        }
    }
    Ok(())
}

/// How often each kernel is timed.
const TIMED: usize = 11;

/// A workload's HesScale pass, kernel by kernel.
fn trace(context: &Context, workload: &Workload, path: &Path, quiet: bool) -> Result<(), Box<dyn Error>> {
    let state = workload.state(context)?;
    let plan = workload.plan(context, &state, Mode::HesScale)?;
    let profile = plan.profile(Pieces::gradient(Pass::FULL), TIMED)?.under(Roofline::measure(context)?);
    if !quiet {
        say(&format!("\n{}, hesscale, kernel by kernel\n{profile}", workload.name()))?;
    }
    std::fs::write(path, profile.chrome_trace())
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(())
}
