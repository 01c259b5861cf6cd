//! Verifies this machine's GPU: kernels and networks against the f64 reference, or against vectors of an independent program.
//!
//! `cargo run --release --example verify` prints a table of errors and fails if any is over its bound; `-- --help` lists
//! options.

mod check;
#[path = "../../tests/common/mod.rs"]
mod common;
mod gpu;
mod images;
mod networks;
mod options;
mod problem;
mod table;
mod training;
mod vectors;

use check::{Check, Gathered};
use hesscale::{Context, Request};
use options::{Command, Options};
use std::process::ExitCode;
use table::Table;

/// Relative max-norm per tensor.
const BOUND: f64 = 1e-5;

/// Runs something on the GPU and adds tensors to compare.
type Gather = dyn Fn(&Context, &mut Check) -> Gathered;

/// One row of the table.
struct Job {
    name: String,
    gather: Box<Gather>,
}

impl Job {
    fn new(name: impl Into<String>, gather: impl Fn(&Context, &mut Check) -> Gathered + 'static) -> Job {
        Job { name: name.into(), gather: Box::new(gather) }
    }
}

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    match options::parse(arguments) {
        Err(message) => {
            eprintln!("{message}\n\n{}", options::USAGE);
            ExitCode::from(2)
        }
        Ok(Command::Help) => {
            println!("{}", options::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Command::List) => list(),
        Ok(Command::Verify(options)) => verify(options),
    }
}

fn list() -> ExitCode {
    let adapters = pollster::block_on(Context::adapters());
    if adapters.is_empty() {
        eprintln!("no adapter");
    }
    adapters.iter().for_each(|adapter| println!("{adapter}"));
    ExitCode::SUCCESS
}

fn verify(options: Options) -> ExitCode {
    let mut jobs = match &options.vectors {
        None => builtin(),
        Some(directory) => match vectors::jobs(directory) {
            Ok(jobs) => jobs,
            Err(message) => {
                eprintln!("error: these vectors cannot be read\n{message}");
                return ExitCode::from(2);
            }
        },
    };
    if let Some(only) = &options.only {
        jobs.retain(|job| job.name.contains(only));
        if jobs.is_empty() {
            eprintln!("error: no check has `{only}` in its name");
            return ExitCode::from(2);
        }
    }
    let request = Request::default().adapter(options.adapter);
    let context = match pollster::block_on(Context::request_with(&request)) {
        Ok(context) => context,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };

    println!("adapter: {}", context.describe());
    let mut table = Table::new(&jobs);
    for (index, job) in jobs.iter().enumerate() {
        let mut check = Check::default();
        let outcome = (job.gather)(&context, &mut check);
        table.add(&job.name, check.settle(outcome, options.plant.then_some(index)));
    }
    if options.plant { table.planted() } else { table.summary() }
}

/// All that is checked without vectors.
fn builtin() -> Vec<Job> {
    let mut jobs = networks::activations();
    jobs.extend(networks::losses());
    jobs.extend(networks::classes());
    jobs.extend(networks::sizes());
    jobs.extend(networks::shapes());
    jobs.extend(images::jobs());
    jobs.extend(training::jobs());
    jobs
}
