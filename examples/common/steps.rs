//! The command line of examples that take a number of steps and write a picture.

use crate::arguments::Arguments;
use crate::outcome::{exit, misused};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) struct Options {
    pub(crate) steps: u32,
    /// The picture's directory.
    pub(crate) out: PathBuf,
}

/// Reads the command line and runs the example; `steps` unless another number is given.
pub(crate) fn main(usage: &str, steps: u32, run: fn(&Options) -> Result<(), Box<dyn Error>>) -> ExitCode {
    match parse(Arguments::of_process(), steps) {
        Err(message) => misused(&message, usage),
        Ok(None) => {
            println!("{usage}");
            ExitCode::SUCCESS
        }
        Ok(Some(options)) => exit(run(&options)),
    }
}

/// `None` for `--help`; the error is a message for the user.
fn parse(mut arguments: Arguments, steps: u32) -> Result<Option<Options>, String> {
    let mut options = Options { steps, out: PathBuf::new() };
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--steps" => options.steps = arguments.count()?,
            "--out" => options.out = arguments.value()?.into(),
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    Ok(Some(options))
}
